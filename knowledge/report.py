"""What an indexing run tells while it runs, and when it has ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    documents_done: int
    documents_total: int
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
        """How long the rest may take; None before the first document is done."""
        if not self.documents_done:
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
    documents_total: int = 0
    _documents_done: int = 0
    _chunks: int = 0
    _began: float = field(default_factory=time.monotonic)

    def embedded(self, chunks: int, key: str) -> None:
        """Some chunks have their vectors."""
        self._chunks += chunks
        self._step(key)

    def done(self, key: str) -> None:
        """A document has reached its end, whichever."""
        self._documents_done += 1
        self._step(key)

    def failed(self, key: str, reason: str) -> None:
        """A document could not be read or written."""
        self.report.failed.append((key, reason))
        self.done(key)

    def finished(self) -> Report:
        """The report, with the time that it took."""
        self.report.seconds = time.monotonic() - self._began
        return self.report

    def _step(self, key: str) -> None:
        if self.tell:
            seconds = time.monotonic() - self._began
            self.tell(
                Progress(self._documents_done, self.documents_total, self._chunks, key, seconds)
            )
