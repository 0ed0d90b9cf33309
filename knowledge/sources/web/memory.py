"""What is remembered of a site from one run to the next: the source's cursor."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

_VERSION = 1
_RESUMED_WITHIN = timedelta(days=1)  # a run that was cut longer ago begins anew
_TRUSTED = timedelta(days=7)  # a sitemap's word that a page has not changed


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of asking for a page."""

    at: datetime
    run: int
    media_type: str
    fingerprint: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    """As in the header."""
    lastmod: str | None = None
    """As in the sitemap."""
    modified_at: datetime | None = None
    canonical: str | None = None
    noindex: bool = False
    links: tuple[str, ...] = ()

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for the page only if it has changed."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


@dataclass(slots=True)
class Memory:
    """The visits of the last run, and of this one so far."""

    run: int = 1
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    visits: dict[str, Visit] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: dict[str, Any] | None) -> Self:
        """Read a cursor. One that is none of ours is an empty memory."""
        if not cursor or cursor.get("version") != _VERSION:
            return cls()
        urls = cursor["urls"]
        visits = {
            urls[int(number)]: _read(saved, urls) for number, saved in cursor["pages"].items()
        }
        began = datetime.fromisoformat(cursor["began"])
        if cursor["open"] and datetime.now(UTC) - began < _RESUMED_WITHIN:
            return cls(cursor["run"], began, visits)
        return cls(cursor["run"] + 1, visits=visits)

    def known(self, url: str, lastmod: str | None) -> Visit | None:
        """The visit that need not be made: this run has made it, or the sitemap says it is old."""
        visit = self.visits.get(url)
        if visit is None or visit.run == self.run:
            return visit
        trusted = datetime.now(UTC) - visit.at < _TRUSTED
        return visit if lastmod and lastmod == visit.lastmod and trusted else None

    def cursor(self, *, kept: Iterable[str] | None) -> dict[str, Any]:
        """For the end of a run, which keeps just these pages; None: for its middle, with all."""
        visits = self.visits if kept is None else {u: self.visits[u] for u in kept}
        numbers = {url: number for number, url in enumerate(visits)}
        pages = {str(numbers[url]): _saved(visit, numbers) for url, visit in visits.items()}
        return {
            "version": _VERSION,
            "run": self.run,
            "began": self.began.isoformat(),
            "open": kept is None,
            "urls": list(numbers),  # links too: `_saved` has added them
            "pages": pages,
        }


def _saved(visit: Visit, numbers: dict[str, int]) -> dict[str, Any]:
    """A visit in JSON; addresses are numbers, because a site's pages link to each other."""
    links = [numbers.setdefault(link, len(numbers)) for link in visit.links]
    saved = {
        "at": visit.at.isoformat(),
        "run": visit.run,
        "type": visit.media_type,
        "print": visit.fingerprint,
        "etag": visit.etag,
        "last": visit.last_modified,
        "lastmod": visit.lastmod,
        "modified": visit.modified_at.isoformat() if visit.modified_at else None,
        "canonical": visit.canonical,
        "noindex": visit.noindex or None,
        "links": links or None,
    }
    return {name: value for name, value in saved.items() if value is not None}


def _read(saved: dict[str, Any], urls: list[str]) -> Visit:
    modified = saved.get("modified")
    return Visit(
        at=datetime.fromisoformat(saved["at"]),
        run=saved["run"],
        media_type=saved["type"],
        fingerprint=saved.get("print"),
        etag=saved.get("etag"),
        last_modified=saved.get("last"),
        lastmod=saved.get("lastmod"),
        modified_at=datetime.fromisoformat(modified) if modified else None,
        canonical=saved.get("canonical"),
        noindex=saved.get("noindex", False),
        links=tuple(urls[number] for number in saved.get("links", ())),
    )
