"""What an indexing run tells while it runs, and when it has ended."""

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
