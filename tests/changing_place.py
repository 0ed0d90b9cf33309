"""A place whose documents a test changes, breaks and moves, and a source that tells of it.

The source is one of the three sorts that there are: one that lists everything each time, one with
a log of changes, and one that can also be asked for single documents.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources import Change, Checkpoint, Removed, Skipped, SourceDocument


@dataclass(frozen=True, slots=True)
class Paper:
    """A document of the place."""

    text: str
    readers: frozenset[str]
    version: int
    broken: bool = False
    skipped: bool = False


@dataclass(slots=True)
class Place:
    """Papers by key, and the keys of all changes."""

    papers: dict[str, Paper] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    everything: dict[str, list[str]] = field(default_factory=dict)
    """Every text that a key ever had."""

    def put(self, key: str, paper: Paper) -> None:
        """Add or change a paper."""
        self.papers[key] = replace(paper, version=len(self.log))
        self.everything.setdefault(key, []).append(paper.text)
        self.log.append(key)

    def remove(self, key: str) -> Paper:
        """Take a paper away."""
        self.log.append(key)
        return self.papers.pop(key)

    def mend(self, key: str) -> None:
        """A paper that could not be read can be again; no log says so."""
        self.papers[key] = replace(self.papers[key], broken=False)


@dataclass(slots=True)
class ListingSource:
    """Tells everything each time."""

    place: Place
    fingerprints: bool = False
    on_told: Callable[[], None] = lambda: None
    breaks_after: int | None = None
    started_from: list[Any] = field(default_factory=list)
    kind: str = "changing"
    location: str = "a place"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """See knowledge.sources.Source."""
        self.started_from.append(cursor)
        for told, change in enumerate(self._all(cursor)):
            if told == self.breaks_after:
                raise SourceError("The place broke off.")
            self.on_told()
            yield change

    def _all(self, _cursor: dict[str, Any] | None) -> list[Change]:
        return [*(self._paper(key) for key in sorted(self.place.papers)), Checkpoint()]

    def _paper(self, key: str) -> SourceDocument | Skipped | Removed:
        paper = self.place.papers.get(key)
        if paper is None:
            return Removed(key)
        if paper.skipped:
            return Skipped(key, "is not wanted")

        async def load() -> bytes:
            if paper.broken:
                raise SourceError("cannot be had")
            return paper.text.encode()

        return SourceDocument(
            key,
            "text/markdown",
            load,
            principals=paper.readers,
            fingerprint=str(paper.version) if self.fingerprints else None,
        )


@dataclass(slots=True)
class LogSource(ListingSource):
    """Tells everything once, then what the log says; a checkpoint after every second change."""

    def _all(self, cursor: dict[str, Any] | None) -> list[Change]:
        if cursor is None or "after" in cursor:
            return self._listing(cursor or {"log": len(self.place.log), "after": ""})
        return self._since(cursor["log"])

    def _listing(self, cursor: dict[str, Any]) -> list[Change]:
        changes: list[Change] = []
        for number, key in enumerate(k for k in sorted(self.place.papers) if k > cursor["after"]):
            changes.append(self._paper(key))
            if number % 2:
                changes.append(Checkpoint({**cursor, "after": key}, complete=False))
        end = Checkpoint({"log": cursor["log"]}, complete=not cursor["after"])
        return [*changes, end]

    def _since(self, start: int) -> list[Change]:
        last = {key: number for number, key in enumerate(self.place.log) if number >= start}
        changes: list[Change] = []
        for count, (key, number) in enumerate(sorted(last.items(), key=lambda item: item[1])):
            changes.append(self._paper(key))
            if count % 2:
                changes.append(Checkpoint({"log": number + 1}, complete=False))
        return [*changes, Checkpoint({"log": len(self.place.log)}, complete=False)]


@dataclass(slots=True)
class AskedSource(LogSource):
    """A log that can also be asked for single documents."""

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """See knowledge.sources.Retelling."""
        for key in keys:
            self.on_told()
            yield self._paper(key)


SORTS = (ListingSource, LogSource, AskedSource)
