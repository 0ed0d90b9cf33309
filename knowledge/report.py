"""What an indexing run tells while it runs, and when it has ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    documents_done: int
    documents_total: int
    """Told so far."""
    told_all: bool
    """No more will be told: the total is the whole."""
    chunks: int
    """Embedded so far."""
    key: str
    """The document of the last step."""
    seconds: float

    @property
    def chunks_per_second(self) -> float:
        """The mean rate of the run."""
        return self.chunks / self.seconds if self.seconds else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """How long the rest may take; None before all were told and the first is done."""
        if not (self.documents_done and self.told_all):
            return None
        return self.seconds / self.documents_done * (self.documents_total - self.documents_done)


@dataclass(slots=True)
class Report:
    """What a run has done: seen = added + changed + unchanged + failed + skipped."""

    seen: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(key, reason); a document's last version stays in the index."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    chunks: int = 0
    """Written."""
    seconds: float = 0.0


def counts(report: Report) -> dict[str, int | float]:
    """A report's figures without names and reasons, as table `source` keeps them."""
    return {
        "seen": report.seen,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": len(report.failed),
        "skipped": len(report.skipped),
        "chunks": report.chunks,
        "seconds": round(report.seconds, 3),
    }


@dataclass(slots=True)
class Tally:
    """Counts a run and tells its progress."""

    tell: Callable[[Progress], None] | None = None
    report: Report = field(default_factory=Report)
    _documents_total: int = 0
    _told_all: bool = False
    _documents_done: int = 0
    _chunks: int = 0
    _began: float = field(default_factory=time.monotonic)

    def told(self) -> None:
        """A document was told, and waits."""
        self._documents_total += 1

    def told_all(self) -> None:
        """No more will be told."""
        self._told_all = True

    def seen(self) -> None:
        """A document has come to its turn."""
        self.report.seen += 1

    def embedded(self, chunks: int, key: str) -> None:
        """Some chunks have their vectors."""
        self._chunks += chunks
        self._step(key)

    def written(self, key: str, chunks: int, *, new: bool) -> None:
        """A document was written."""
        self.report.chunks += chunks
        if new:
            self.report.added += 1
            self._done(key)
        else:
            self.changed(key)

    def changed(self, key: str) -> None:
        """A document has another version or other readers now."""
        self.report.changed += 1
        self._done(key)

    def unchanged(self, key: str) -> None:
        """The index had the document already."""
        self.report.unchanged += 1
        self._done(key)

    def failed(self, key: str, reason: str) -> None:
        """A document could not be read or written."""
        self.report.failed.append((key, reason))
        self._done(key)

    def emptied(self, key: str, reason: str) -> None:
        """A document has no text."""
        self.report.skipped.append((key, reason))
        self._done(key)

    def skipped(self, key: str, reason: str) -> None:
        """Something was told that is not taken."""
        self.report.seen += 1
        self.report.skipped.append((key, reason))

    def finished(self) -> Report:
        """The report, with the time that it took."""
        self.report.seconds = time.monotonic() - self._began
        return self.report

    def _done(self, key: str) -> None:
        self._documents_done += 1
        self._step(key)

    def _step(self, key: str) -> None:
        if self.tell:
            self.tell(
                Progress(
                    documents_done=self._documents_done,
                    documents_total=self._documents_total,
                    told_all=self._told_all,
                    chunks=self._chunks,
                    key=key,
                    seconds=time.monotonic() - self._began,
                )
            )
