"""The cursor of sources that list what has changed lately, and now and then everything.

A vendor's "changed since" tells neither what was deleted nor whose rights changed, so a full
listing finds these. The first one is done part by part (a space, a project), and a run that is
cut goes on after the last part that was told whole. A later one is done in one piece, or what has
gone from its first parts would be missed.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from knowledge.sources.source import Change, Checkpoint

VERSION = 1
OVERLAP = timedelta(days=1)
"""Vendors take the time in the account's zone and index with a delay."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What this run lists."""

    began: datetime
    options: str
    first: bool = False
    """Nothing was listed before, so nothing can have gone since."""
    since: datetime | None = None
    """Only what has changed since then; None: everything."""
    full_at: datetime | None = None
    """When everything was last listed."""
    done: tuple[str, ...] = ()
    """Parts that a run before, which was cut, has told."""

    @property
    def resumed(self) -> bool:
        """A full listing that another run has begun: what it told is not told again."""
        return bool(self.done)

    def part_done(self, part: str) -> "Listing":
        """The same, with one part more told."""
        return replace(self, done=(*self.done, part))

    def unfinished(self) -> dict[str, Any]:
        """The cursor from which a full listing goes on."""
        return {
            "version": VERSION,
            "options": self.options,
            "began": self.began.isoformat(),
            "done": list(self.done),
        }

    def finished(self) -> dict[str, Any]:
        """The cursor for the next run. After a resumed listing the next one lists everything."""
        cursor = {
            "version": VERSION,
            "options": self.options,
            "since": (self.began - OVERLAP).isoformat(),
        }
        full_at = self.full_at if self.since else (None if self.resumed else self.began)
        return {**cursor, "full_at": full_at.isoformat()} if full_at else cursor


def digest_of(options: Mapping[str, Any]) -> str:
    """Tells whether a cursor is that of the same choices."""
    text = json.dumps(dict(options), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def full_due(full_at: datetime, now: datetime, full_hours: float) -> bool:
    """Whether it is time for a full listing; a little early, so that each night's run is one."""
    return now - full_at >= timedelta(hours=full_hours) * 0.9


def listing_after(
    cursor: Mapping[str, Any] | None, *, options: Mapping[str, Any], full_hours: float
) -> Listing:
    """What to list after a cursor; everything where it is not one of these options'."""
    now = datetime.now(UTC)
    digest = digest_of(options)
    everything = Listing(now, digest, first=not cursor)
    if not cursor or cursor.get("version") != VERSION or cursor.get("options") != digest:
        return everything
    try:
        if cursor.get("done"):
            began = datetime.fromisoformat(cursor["began"])
            return Listing(began, digest, first=True, done=tuple(map(str, cursor["done"])))
        since = datetime.fromisoformat(cursor["since"])
        full_at = datetime.fromisoformat(cursor["full_at"])
    except (KeyError, TypeError, ValueError):
        return everything
    if full_due(full_at, now, full_hours):
        return everything
    return Listing(now, digest, since=since, full_at=full_at)


async def told_by_parts(
    listing: Listing, parts: Sequence[str], tell: Callable[[str], AsyncIterator[Change]]
) -> AsyncIterator[Change]:
    """Everything, part by part; the first time with a checkpoint after each."""
    now = listing
    for part in parts:
        if part in listing.done:
            continue
        async for change in tell(part):
            yield change
        now = now.part_done(part)
        if listing.first:
            yield Checkpoint(now.unfinished(), complete=False)
    yield Checkpoint(listing.finished(), complete=not listing.resumed)
