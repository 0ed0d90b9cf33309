"""The port of all sources: what has changed since a cursor.

A telling is what one call of `changes` yields, and it keeps these promises:

- Each document is told once, in an order that is the same the next time.
- It ends with one `Checkpoint`, and nothing comes after it. The cursor in it is JSON; the next
  telling starts from it.
- On the way there may be others, `Checkpoint(cursor, complete=False)`: all up to here was told, so
  a run that is cut may go on from that cursor. A telling that goes on in the middle of a listing
  has not told the whole source and is not complete.
- A telling that begins anew although it was given a cursor (it is not accepted, or everything is
  due) ends complete. It gives no checkpoint on its way from which only the rest would be told: of
  what has gone since from its first part, no later telling would have to know.
- What is gone is told as `Removed`, or the last checkpoint is `complete` and what this telling
  did not name is gone. A document whose key changes (it was moved) is one removed and one added.
- What is not taken is told as `Skipped` with the reason, so that nothing is silently missing. What
  was taken before and is skipped now leaves the index, unless it is `unreadable`: then it stays.
- A place that cannot be reached is a SourceError and never an empty telling; nor is a part of it
  that cannot be listed: that is `Skipped(..., unreadable=True)`.
- Memory is bounded: a telling is a stream, `load` fetches the bytes when they are wanted. A few
  documents are loaded at once, in the order in which they were told, and while the telling goes on.
- Secrets stand in no `repr`, no error and no log.

`tests/integration/test_source_contract.py` holds every kind to them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document that is there now, changed or not.

    Its own readers (`principals`) are told with every document whose readers have changed, even
    where its bytes have not.
    """

    key: str
    """The document's name within its source; it never changes while the document lives. Where a
    document can be moved, the vendor's id is a better key than the path."""
    media_type: str
    load: Callable[[], Awaitable[bytes]]
    """The bytes as they are now. Raises SourceError, with what to do, when they cannot be had: the
    index reports the document as failed and keeps its last version."""
    title: str | None = None
    """A hint; a title inside of the document wins."""
    url: str | None = None
    base_url: str | None = None
    """What a relative URL inside of the document is relative to."""
    modified_at: datetime | None = None
    principals: frozenset[str] | None = None
    """Who may read it, never empty; None: the source's own principals."""
    fingerprint: str | None = None
    """A version that changes exactly with the bytes, where the source keeps one: saves loading
    them. It may be told before the bytes are loaded; they may then be newer, never older."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A document that is no longer there, whether the index knows it or not."""

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
    """All up to here was told: the last change of a telling, and wherever a cut run may go on."""

    cursor: dict[str, Any] | None = None
    """Given to the next call of `changes`. JSON, without secrets."""
    complete: bool = True
    """The whole source was told in this call, so a document that was not named is no longer
    there. Only the last checkpoint may be complete."""


Change = SourceDocument | Removed | Skipped | Checkpoint


class Source(Protocol):
    """Where documents come from."""

    @property
    def kind(self) -> str:
        """The kind's name, "folder" for example."""
        ...

    @property
    def location(self) -> str:
        """Where it is: a path or a URL, without secrets."""
        ...

    def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What has changed since `cursor` (None: everything): one telling, as described above.

        A cursor that the place no longer accepts is no error: everything is told, complete and in
        one piece.
        Raises SourceError when the source as a whole cannot be read.
        """
        ...


@runtime_checkable
class Retelling(Protocol):
    """A source with cursors that can also tell single documents anew.

    With it, a document that failed is asked for by name in the next run, and the cursor goes on.
    Without it the cursor stays before the first document that failed, and all since is told again.
    A source that always tells everything needs neither.
    """

    def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """Each of these documents as it is now. Raises SourceError as `changes` does."""
        ...
