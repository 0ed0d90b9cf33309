"""The port of all sources: what has changed since a cursor."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document that is there now, changed or not."""

    key: str
    """The document's name within its source; it never changes while the document lives."""
    media_type: str
    load: Callable[[], Awaitable[bytes]]
    """Raises SourceError when the bytes cannot be had."""
    title: str | None = None
    """A hint; a title inside of the document wins."""
    url: str | None = None
    base_url: str | None = None
    """What a relative URL inside of the document is relative to."""
    modified_at: datetime | None = None
    principals: frozenset[str] | None = None
    """Who may read it; None: the source's own principals."""
    fingerprint: str | None = None
    """A version that changes with the bytes, where the source keeps one: saves loading them."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A document that is no longer there."""

    key: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not taken, with the reason in words."""

    key: str
    reason: str
    unreadable: bool = False
    """It could not be looked into, so documents at or under this key are not taken for removed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last change of all: everything up to here has been told."""

    cursor: dict[str, Any] | None = None
    """Given to the next call of `changes`."""
    complete: bool = True
    """The whole source was told, so a document that was not named is no longer there."""


Change = SourceDocument | Removed | Skipped | Checkpoint


class Source(Protocol):
    """Where documents come from."""

    @property
    def kind(self) -> str:
        """The kind's name, "folder" for example."""
        ...

    @property
    def location(self) -> str:
        """Where it is: a path or a URL."""
        ...

    def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What has changed since `cursor` (None: everything), in a fixed order.

        Ends with a Checkpoint. Raises SourceError when the source as a whole cannot be read.
        """
        ...
