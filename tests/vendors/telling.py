"""What the tests of vendors' sources share: one telling, sorted out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.sources import Change, Checkpoint, Removed, Skipped, Source, SourceDocument


@dataclass(frozen=True)
class Telling:
    """One telling of a source."""

    changes: Sequence[Change]

    @property
    def documents(self) -> dict[str, SourceDocument]:
        return {c.key: c for c in self.changes if isinstance(c, SourceDocument)}

    @property
    def readers(self) -> dict[str, set[str]]:
        """Who may read each document, sorted out by key."""
        return {key: set(each.principals or ()) for key, each in self.documents.items()}

    @property
    def skipped(self) -> dict[str, str]:
        return {c.key: c.reason for c in self.changes if isinstance(c, Skipped)}

    @property
    def removed(self) -> list[str]:
        return [c.key for c in self.changes if isinstance(c, Removed)]

    @property
    def last(self) -> Checkpoint:
        checkpoint = self.changes[-1]
        assert isinstance(checkpoint, Checkpoint)
        return checkpoint


async def tell(source: Source, cursor: dict[str, Any] | None = None) -> Telling:
    """All that a source tells since a cursor."""
    return Telling([change async for change in source.changes(cursor)])
