"""What an HTML page says to a robot: its links, its true address, whether it may be indexed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree, html

_REFRESH = re.compile(r"^\s*[\d.]+\s*[;,]\s*url\s*=\s*[\"']?([^\"']+)", re.IGNORECASE)
_MODIFIED = ("article:modified_time", "og:updated_time", "last-modified", "dcterms.modified")
_ROBOTS = {"robots", "lorewise"}


@dataclass(frozen=True, slots=True)
class RobotsPage:
    """A page as a robot sees it."""

    links: tuple[str, ...] = ()
    """As written, made absolute."""
    canonical: str | None = None
    noindex: bool = False
    nofollow: bool = False
    modified_at: datetime | None = None


def read_page(raw: bytes, url: str, charset: str | None) -> RobotsPage:
    """Read a page's head and links. Takes some milliseconds: call it in a thread."""
    try:
        try:
            parser = html.HTMLParser(encoding=charset)
        except LookupError:  # no such encoding
            parser = html.HTMLParser()
        root = html.document_fromstring(raw, parser=parser)
        root.make_links_absolute(url, resolve_base_href=True, handle_failures="discard")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return RobotsPage()
    pairs = list(_metas(root))
    metas = dict(pairs)
    rules = {word for name, content in pairs if name in _ROBOTS for word in _words(content)}
    nofollow = bool(rules & {"nofollow", "none"})
    return RobotsPage(
        links=() if nofollow else tuple(dict.fromkeys(_links(root, metas))),
        canonical=next(iter(root.xpath("//link[@rel='canonical']/@href")), None),
        noindex=bool(rules & {"noindex", "none"}),
        nofollow=nofollow,
        modified_at=next(filter(None, (moment(metas.get(name, "")) for name in _MODIFIED)), None),
    )


def header_rules(value: str) -> set[str]:
    """The words of an X-Robots-Tag header that are for us."""
    words: set[str] = set()
    for part in value.split(","):
        name, colon, rest = part.rpartition(":")
        if not colon or name.strip().lower() in _ROBOTS:
            words |= _words(rest)
    return words


def moment(text: str) -> datetime | None:
    """An ISO date or time; None: it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


def _metas(root: html.HtmlElement) -> Iterator[tuple[str, str]]:
    for meta in root.iter("meta"):
        name = meta.get("name") or meta.get("property") or meta.get("http-equiv")
        if name:
            yield name.lower(), meta.get("content") or ""


def _links(root: html.HtmlElement, metas: dict[str, str]) -> Iterator[str]:
    refresh = _REFRESH.match(metas.get("refresh", ""))
    if refresh:
        yield refresh[1]
    for link in root.iter("a", "area"):
        if link.get("href") and "nofollow" not in (link.get("rel") or "").lower().split():
            yield str(link.get("href"))
