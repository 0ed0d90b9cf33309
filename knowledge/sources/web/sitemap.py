"""The list of its pages that a site keeps for robots (sitemaps.org)."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from lxml import etree

from knowledge.errors import SourceError
from knowledge.sources.web.visitor import Visitor

_MOST_FILES = 200  # of an index, with those of its indices
_LARGEST_BYTES = 50 * 2**20  # the standard's limit, unpacked


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that a sitemap names."""

    url: str
    modified: str | None
    """As the site writes it."""


async def read_sitemaps(urls: Sequence[str], visitor: Visitor) -> AsyncIterator[Entry]:
    """The pages of these sitemaps and of all that they name. One that is not there has none.

    Raises SourceError: one cannot be read, so the list would not be whole.
    """
    waiting, seen = list(urls), set(urls)
    while waiting:
        pages, further = await _read(waiting.pop(0), visitor)
        for entry in pages:
            yield entry
        new = [entry.url for entry in further if entry.url not in seen]
        waiting += dict.fromkeys(new)
        seen.update(new)
        if len(seen) > _MOST_FILES:
            raise SourceError(f"The sitemap has more than {_MOST_FILES} files: name one of them.")


async def _read(url: str, visitor: Visitor) -> tuple[list[Entry], list[Entry]]:
    response = await visitor.get(url, follow=True)
    if response.status in {404, 410} or "html" in response.headers.get("Content-Type", ""):
        return [], []
    if response.status != 200:
        raise SourceError(
            f"The sitemap {url} answers {response.status}; nothing was removed. Look at it in a "
            "browser, or read the site with mode=crawl."
        )
    return await asyncio.to_thread(parse_sitemap, response.body, url)


def parse_sitemap(raw: bytes, url: str) -> tuple[list[Entry], list[Entry]]:
    """The pages and the further sitemaps that a sitemap names. Raises SourceError."""
    raw = _unpacked(raw, url)
    if not raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = raw.decode("utf-8-sig", "replace").split()
        return [Entry(line, None) for line in lines if line.startswith("http")], []
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(raw.strip(), parser)
    except etree.XMLSyntaxError as error:
        raise SourceError(f"The sitemap {url} is broken ({error.msg}).") from error
    return _entries(root, "url"), _entries(root, "sitemap")


def _entries(root: etree._Element, kind: str) -> list[Entry]:
    found = []
    for element in root.iterfind(f"{{*}}{kind}"):
        location = (element.findtext("{*}loc") or "").strip()
        modified = (element.findtext("{*}lastmod") or "").strip()
        if location:
            found.append(Entry(location, modified or None))
    return found


def _unpacked(raw: bytes, url: str) -> bytes:
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    packer = zlib.decompressobj(wbits=31)
    try:
        unpacked = packer.decompress(raw, _LARGEST_BYTES)
    except zlib.error as error:
        raise SourceError(f"The sitemap {url} is broken ({error}).") from error
    if not packer.eof:
        raise SourceError(f"The sitemap {url} is larger than 50 MB, or broke off.")
    return unpacked
