"""A web site, by its sitemap or from link to link.

Lorewise fetches like a polite robot: robots.txt decides, one request at a time with a pause, and
what has not changed is not sent again. Every address goes through `knowledge.fetch`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from yarl import URL

from knowledge.errors import SourceError
from knowledge.fetch import Fetcher
from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Change
from knowledge.sources.web.memory import Memory
from knowledge.sources.web.scope import Scope, normal
from knowledge.sources.web.telling import Bounds, Telling
from knowledge.sources.web.visitor import Pace, Visitor

__all__ = ["WEB", "WebSource"]

_MODES = ("auto", "sitemap", "crawl")
_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class WebSource:
    """The pages of a site, or of a part of it; a key is a page's address."""

    location: str
    scope: Scope
    bounds: Bounds
    requests_per_second: float
    allowed: tuple[str, ...] = ()
    kind: str = "web"
    _pace: Pace = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """All requests of this source keep one pace."""
        object.__setattr__(self, "_pace", Pace(1 / self.requests_per_second))

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Every page of the site; what is known not to have changed is not fetched."""
        async with Fetcher(allowed=self.allowed) as fetcher:
            telling = Telling(
                start=self.location,
                scope=self.scope,
                bounds=self.bounds,
                visitor=Visitor(fetcher, self._pace),
                memory=Memory.of(cursor),
                load=self._load,
            )
            async for change in telling.changes():
                yield change

    async def _load(self, url: str) -> bytes:
        async with Fetcher(allowed=self.allowed) as fetcher:
            response = await Visitor(fetcher, self._pace).get(url)
        if response.status != 200:
            raise SourceError(f"cannot be had any more (the server answers {response.status}).")
        return response.body


def _open(location: str, options: Options) -> WebSource:
    from protego import Protego  # noqa: F401 - says early that the extra is missing

    if find_spec("trafilatura") is None:
        raise ImportError("trafilatura is missing", name="trafilatura")
    try:
        url = normal(URL(location))
    except ValueError as error:
        raise SourceError(f"The location is no address of a site ({error}).") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise SourceError(f"{location} is no address of a site: begin with https://.")
    is_sitemap = url.path.endswith((".xml", ".xml.gz", ".txt"))
    mode = str(options.get("mode", "sitemap" if is_sitemap else "auto"))
    if mode not in _MODES:
        raise SourceError(f"mode is one of {', '.join(_MODES)}, not {mode!r}.")
    scope = Scope(
        origin=url.origin(),
        prefix=str(options.get("prefix", "/" if is_sitemap else _part(url.raw_path))),
        include=_listed(options.get("include")),
        exclude=_listed(options.get("exclude")),
    )
    bounds = Bounds(
        mode,
        pages=int(_number(options, "pages", 1000, 1, _MOST_PAGES)),
        depth=int(_number(options, "depth", 10, 0, 100)),
        sitemap=str(url) if is_sitemap else None,
    )
    return WebSource(
        str(url),
        scope,
        bounds,
        requests_per_second=_number(options, "requests_per_second", 1.0, 0.01, 1000),
        allowed=_listed(options.get("allow")),
    )


def _part(path: str) -> str:
    """The part of a site that a path means: /a/ and /a itself, but of /a/b.html the folder /a/."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/" if "." in name else path


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(value or "").split(",") if part.strip())


def _number(options: Options, name: str, default: float, least: float, most: float) -> float:
    try:
        value = float(options.get(name, default))
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise SourceError(f"{name} is a number from {least:g} to {most:g}.")
    return value


WEB = Kind(
    name="web",
    location="the address of a web site, of a part of it, or of its sitemap",
    open=_open,
    options={
        "mode": "auto (by sitemap where the site has one), sitemap, or crawl (from link to link)",
        "prefix": "what all paths begin with; the path of the location by default",
        "include": "patterns of paths to take, such as /docs/*, separated by commas",
        "exclude": "patterns of paths to leave out, separated by commas",
        "pages": "pages to visit at the most, 1000 by default",
        "depth": "links to follow from the first page at the most, 10 by default",
        "requests_per_second": "1 by default; fewer where robots.txt asks for it",
        "allow": "host:port of servers of your own network that may be fetched, by commas",
    },
    extra="web",
)
