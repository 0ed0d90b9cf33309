"""One telling of a site: from its first page or its sitemap to the last checkpoint."""

import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from yarl import URL

from knowledge.errors import AddressRefusedError, FetchError, ResponseTooLargeError, SourceError
from knowledge.fetch import Response
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument
from knowledge.sources.web.answer import content_of, visited, why_not
from knowledge.sources.web.memory import Memory, Visit
from knowledge.sources.web.robots import Robots, read_robots
from knowledge.sources.web.scope import Scope
from knowledge.sources.web.sitemap import read_sitemaps
from knowledge.sources.web.visitor import Visitor

_CHECKPOINT_REQUESTS = 25
_MOST_FAILURES = 5  # in a row: then the site is down, and going on helps nobody


@dataclass(frozen=True, slots=True)
class Place:
    """A page to visit."""

    url: str
    depth: int = 0
    """Links from the first page."""
    lastmod: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a visit of a site ends."""

    mode: str
    """sitemap, crawl, or auto: by sitemap where there is one that names a page."""
    pages: int
    depth: int
    sitemap: str | None = None
    """The sitemap that the location is, if it is one."""


@dataclass(slots=True)
class Telling:
    """The state of one telling."""

    start: str
    scope: Scope
    bounds: Bounds
    visitor: Visitor
    memory: Memory
    load: Callable[[str], Awaitable[bytes]]
    """Fetches a page whose body is not at hand, perhaps after this telling has ended."""
    robots: Robots = field(init=False)
    _queue: deque[Place] = field(default_factory=deque)
    _queued: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _kept: list[str] = field(default_factory=list)
    _copies: dict[str, list[SourceDocument]] = field(default_factory=dict)
    _visited: int = 0
    _follows: bool = True
    _failures: int = 0

    async def changes(self) -> AsyncIterator[Change]:
        """All pages, breadth first."""
        await self._arrive()
        noted = self.visitor.asked
        while self._queue:
            place = self._queue.popleft()
            change = await self._page(place)
            if change:
                yield change
            if self.visitor.asked - noted >= _CHECKPOINT_REQUESTS:
                noted = self.visitor.asked
                yield Checkpoint(self.memory.cursor(kept=None), complete=False)
        for change in self._settled_copies():
            yield change
        yield Checkpoint(self.memory.cursor(kept=self._kept))

    # where to begin

    async def _arrive(self) -> None:
        """Find the site's rules and its list of pages. Raises SourceError: it cannot be read."""
        if not self.bounds.sitemap:
            await self._follow_a_move()
        self.robots = await read_robots(self.scope.origin, self.visitor)
        pace = self.visitor.pace
        pace.pause_seconds = max(pace.pause_seconds, self.robots.delay_seconds)
        if self.bounds.sitemap:
            await self._by_sitemap([self.bounds.sitemap])
        elif self.bounds.mode != "crawl":
            usual = str(self.scope.origin / "sitemap.xml")
            await self._by_sitemap(list(dict.fromkeys([*self.robots.sitemaps, usual])))
        if self._queue:
            self._follows = False
            return
        if self.bounds.mode == "sitemap":
            raise SourceError(
                f"No sitemap of {self.scope.origin} names a page of this source. Name the "
                "sitemap's address, or read the site with mode=crawl."
            )
        self._begin_at_the_first_page()

    async def _follow_a_move(self) -> None:
        """The site may answer under https or "www." only. Raises SourceError: it does not."""
        for _ in range(3):
            response = await self.visitor.get(self.start, wanted=lambda _: False)
            target = URL(response.redirect or self.start)
            if target.origin() == self.scope.origin:
                break
            self.scope = self.scope.moved(target)
            path = URL(URL(self.start).raw_path_qs, encoded=True)
            self.start = str(self.scope.origin.join(path))
        if response.status >= 400:
            raise SourceError(
                f"{self.start} answers {response.status}: look at it in a browser. Nothing was "
                "removed from the index."
            )

    async def _by_sitemap(self, urls: list[str]) -> None:
        async for entry in read_sitemaps(urls, self.visitor):
            self._add(self.scope.key(entry.url), 0, entry.modified)

    def _begin_at_the_first_page(self) -> None:
        if not self.robots.allow(self.start):
            raise SourceError(
                f"The robots.txt of {self.scope.origin} asks robots not to fetch {self.start}. "
                "Ask the site's owner to let Lorewise in."
            )
        self._add(self.start, 0)

    def _add(self, url: str | None, depth: int, lastmod: str | None = None) -> None:
        if url and url not in self._queued:
            self._queued.add(url)
            self._queue.append(Place(url, depth, lastmod))

    # page by page

    async def _page(self, place: Place) -> Change | None:
        """Visit a page, and say what came of it; None: nothing, or nothing yet."""
        reason = self._why_not_asked(place)
        if reason:
            return Skipped(place.url, reason)
        self._visited += 1
        visit = self.memory.known(place.url, place.lastmod)
        if visit:
            return self._taken(place, replace(visit, run=self.memory.run))
        before = self.memory.visits.get(place.url)
        try:
            response = await self.visitor.get(
                place.url,
                before.conditions if before else None,
                wanted=lambda response: response.status == 200 and content_of(response).is_html,
            )
        except (AddressRefusedError, ResponseTooLargeError) as error:
            return Skipped(place.url, str(error))
        except FetchError as error:
            return self._unreadable(place, before, str(error))
        return await self._answered(place, before, response)

    def _why_not_asked(self, place: Place) -> str | None:
        if not self.robots.allow(place.url):
            return "robots.txt asks not to fetch it"
        if place.depth > self.bounds.depth:
            return f"is more than {self.bounds.depth} links away from the first page (depth)"
        if self._visited >= self.bounds.pages:
            return f"comes after the first {self.bounds.pages} pages (pages)"
        return None

    async def _answered(
        self, place: Place, before: Visit | None, response: Response
    ) -> Change | None:
        if response.status >= 500 or response.status == 429:
            reason = f"cannot be had now (the server answers {response.status})"
            return self._unreadable(place, before, reason)
        self._failures = 0
        if response.status == 304 and before:
            now = datetime.now(UTC)
            visit = replace(before, at=now, run=self.memory.run, lastmod=place.lastmod)
            return self._taken(place, visit)
        if response.status in {404, 410}:
            return Removed(place.url) if before else None
        if response.redirect:
            return self._led_on(place, response.redirect)
        content = content_of(response)
        if refused := why_not(response, content):
            return Skipped(place.url, refused)
        visit = await visited(
            response, content, self.scope, run=self.memory.run, lastmod=place.lastmod
        )
        return self._taken(place, visit, response.body if content.is_html else None)

    def _unreadable(self, place: Place, before: Visit | None, reason: str) -> Change:
        """The page stays as it is, and so do those that only it leads to."""
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            raise SourceError(
                f"{self.scope.origin} does not answer any more ({reason}). What was read stays; "
                "the next run goes on from there."
            )
        if before:
            self._kept.append(place.url)
            self._follow(place, before.links)
        return Skipped(place.url, reason, unreadable=True)

    def _led_on(self, place: Place, redirect: str) -> Change:
        target = self.scope.key(redirect)
        if target is None:
            return Skipped(place.url, f"leads out of this source, to {redirect}")
        self._add(target, place.depth)
        return Skipped(place.url, f"leads to {target}, which is read there")

    def _follow(self, place: Place, links: Iterable[str]) -> None:
        if self._follows:
            for link in links:
                self._add(link, place.depth + 1)

    def _taken(self, place: Place, visit: Visit, body: bytes | None = None) -> Change | None:
        """A page that is there, new or known: what it is, and where it leads."""
        self.memory.visits[place.url] = visit
        self._kept.append(place.url)
        self._follow(place, visit.links)
        if visit.noindex:
            return Skipped(place.url, "asks not to be indexed (noindex)")
        document = SourceDocument(
            key=place.url,
            media_type=visit.media_type,
            load=_loader(place.url, body, self.load),
            url=place.url,
            base_url=place.url,
            modified_at=visit.modified_at,
            fingerprint=visit.fingerprint,
        )
        if visit.canonical:
            self._add(visit.canonical, place.depth)
            self._copies.setdefault(visit.canonical, []).append(document)
            return None
        self._told.add(place.url)
        return document

    def _settled_copies(self) -> Iterable[Change]:
        """Copies of a page that was told are skipped; where it was not, the first stands for it."""
        for canonical, copies in self._copies.items():
            for copy in copies:
                if canonical in self._told:
                    yield Skipped(copy.key, f"is a copy of {canonical}")
                else:
                    self._told |= {canonical, copy.key}
                    yield copy


def _loader(
    url: str, body: bytes | None, load: Callable[[str], Awaitable[bytes]]
) -> Callable[[], Awaitable[bytes]]:
    packed = None if body is None else zlib.compress(body, 1)  # many may wait for the index

    async def loaded() -> bytes:
        return zlib.decompress(packed) if packed is not None else await load(url)

    return loaded
