"""Where a run of a site begins: the cursor, read and written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from knowledge.sources.cursors import digest_of, full_due

VERSION = 1


@dataclass(frozen=True, slots=True)
class Place:
    """What was told before this run."""

    options: str
    began: datetime
    first: bool = False
    """Nothing was told before, so nothing can have gone since."""
    drives: Mapping[str, str] = field(default_factory=dict)
    """The link that tells what has changed since, by drive."""
    pages: tuple[str, ...] = ()
    """The site pages that were told."""
    full_at: datetime | None = None
    """When everything was last told in one run."""

    @property
    def whole(self) -> bool:
        """Nothing was told: this run tells everything."""
        return not self.drives

    @property
    def resumable(self) -> bool:
        """A run that goes on from the middle of this one misses nothing that has gone."""
        return self.first or not self.whole

    def from_the_beginning(self) -> "Place":
        """Everything is to be told."""
        return Place(self.options, self.began)

    def cursor(
        self, drives: Mapping[str, str], pages: tuple[str, ...], *, ended: bool
    ) -> dict[str, Any]:
        """The cursor after these drives and pages were told; without `ended` in the middle."""
        full_at = self.began if self.whole and ended else self.full_at
        return {
            "version": VERSION,
            "options": self.options,
            "drives": dict(drives),
            "pages": list(pages),
            "full_at": full_at.isoformat() if full_at else None,
            "ended": ended,
        }


def place_of(
    cursor: Mapping[str, Any] | None, *, options: Mapping[str, Any], full_hours: float
) -> Place:
    """Where to go on; at the beginning where the cursor is another's or a full listing is due."""
    digest = digest_of(options)
    beginning = Place(digest, datetime.now(UTC), first=not cursor)
    if not cursor or cursor.get("version") != VERSION or cursor.get("options") != digest:
        return beginning
    try:
        drives = {str(key): str(link) for key, link in cursor["drives"].items()}
        pages = tuple(map(str, cursor["pages"]))
        full_at = datetime.fromisoformat(cursor["full_at"]) if cursor["full_at"] else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return beginning
    due = full_at is None or full_due(full_at, beginning.began, full_hours)
    if due and cursor.get("ended"):
        return beginning
    return Place(digest, beginning.began, drives=drives, pages=pages, full_at=full_at)
