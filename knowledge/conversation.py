"""What goes in and out of answering: a question, the events of its answer, the finished answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

State = Literal["answered", "quoted", "verified", "abstained", "stopped", "failed"]
Reason = Literal["no_evidence", "nothing_readable", "model_failed", "model_unreachable"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of the thread."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question, who asks it, and who will read the answer.

    `audience` are the principals whose rights bound the answer: in a direct message or an
    ephemeral answer the asker's own, in a channel only those that all its readers share.
    Principals are "everyone", "user:TEAM:USER", "channel:TEAM:CHANNEL", "group:TEAM:GROUP".
    """

    text: str
    asker: str
    audience: frozenset[str]
    thread: tuple[Turn, ...] = ()
    place: Mapping[str, str] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer stands on. Its link comes from the database, never from a model."""

    number: int
    title: str
    url: str | None
    heading_path: tuple[str, ...]
    page: int | None
    quote: str
    document_key: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Who approved the answer, and when."""

    approver: str
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long the parts took; `first_token` is None where nothing was generated."""

    search: float
    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer, as it stands in the answer log.

    `text` is plain text without markup; `citations` are those that it uses, numbered from 1;
    `nearest` are the closest documents of an abstention.
    """

    id: UUID
    question_id: UUID
    state: State
    text: str
    citations: tuple[Citation, ...]
    nearest: tuple[Citation, ...]
    reason: Reason | None
    language: str
    verification: Verification | None
    model: str | None
    adapter: str | None
    seconds: Seconds

    @property
    def abstained(self) -> bool:
        """Whether no answer was given."""
        return self.state in ("abstained", "failed")


@dataclass(frozen=True, slots=True)
class Searching:
    """The passages are being looked for."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Passages were found; the model is writing."""

    passages: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that its passages support, ready to be shown. Plain text, no markup.

    `starts_paragraph` says whether a new paragraph (or a list's next line) begins with it.
    """

    text: str
    citations: tuple[int, ...]
    starts_paragraph: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every answer, whatever happened."""

    answer: Answer


Event = Searching | Writing | Sentence | Finished
