"""HTML."""

import re
from typing import Any

from bs4 import BeautifulSoup, Comment, Tag
from markdownify import MarkdownConverter

from knowledge.parsing.characters import decode
from knowledge.parsing.document import Page, ParsedDocument, title_of_name

# What is on every page of a site, or isn't text.
_FURNITURE = (
    "script, style, noscript, template, svg, iframe, form, button, input, select, nav, footer, "
    "aside, [hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=search]"
)
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])")


class _Converter(MarkdownConverter):
    """Links and pictures are their words; line breaks within a cell are spaces."""

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        href = str(el.get("href") or "")
        address = href.removeprefix("mailto:").partition("?")[0]
        if href.startswith("mailto:") and address not in text:
            return f"{text} ({address})"
        return text

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return str(el.get("alt") or "")


def parse_html(raw: bytes, name: str) -> ParsedDocument:
    """An HTML page without its navigation."""
    soup = BeautifulSoup(decode_html(raw, name), "lxml")
    title = _title(soup) or title_of_name(name)
    canonical = soup.find("link", rel="canonical")
    url = str(canonical.get("href") or "") if isinstance(canonical, Tag) else ""
    body = soup.find("main") or soup.find("article") or soup.body or soup
    return ParsedDocument(title, (Page(None, _markdown(body)),), url or None)


def html_markdown(html: str) -> str:
    """The Markdown of a fragment of HTML."""
    return _markdown(BeautifulSoup(html, "lxml"))


def decode_html(raw: bytes, name: str, charset: str | None = None) -> str:
    """The text of HTML: as the server says (`charset`), as it says itself, or by a look at it.

    Raises ParsingError when it is not text.
    """
    declared = _META_CHARSET.search(raw[:2048])
    for said in (charset, declared[1].decode() if declared else None):
        if said and not raw.startswith(b"\xef\xbb\xbf"):
            try:
                return raw.decode(said)
            except (LookupError, UnicodeDecodeError):
                pass  # a wrong declaration
    return decode(raw, name)


def _title(soup: BeautifulSoup) -> str:
    heading = soup.find("h1")
    if isinstance(heading, Tag) and heading.get_text(strip=True):
        return heading.get_text(" ", strip=True)
    return soup.title.get_text(" ", strip=True) if soup.title else ""


def _markdown(root: Any) -> str:
    for element in root.select(_FURNITURE):
        element.decompose()
    for element in root.find_all(style=_UNSEEN):
        element.decompose()
    for comment in root.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for head in root.find_all("head"):
        head.decompose()
    converter = _Converter(
        heading_style="ATX", bullets="-", table_infer_header=True, escape_misc=True, sub_symbol=""
    )
    return re.sub(r"\n{3,}", "\n\n", converter.convert_soup(root)).strip()
