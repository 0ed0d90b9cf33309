"""Markdown to blocks: headings, paragraphs, list items, table rows, code.

Text comes out plain: marks of emphasis, link targets and HTML tags are gone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from knowledge.parsing.document import Page
from knowledge.parsing.html import html_markdown


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 6."""

    level: int
    text: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, or a list item with its bullet and indentation (`item`)."""

    text: str
    page: int | None
    item: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table's header and rows, as cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class Code:
    """Lines whose breaks and spaces matter."""

    text: str
    page: int | None


Block = Heading | Paragraph | Table | Code

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_WIDE_SCRIPT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60]")


def read_blocks(pages: Sequence[Page]) -> list[Block]:
    """The blocks of all pages, in order."""
    return [block for page in pages for block in _Reader(page).blocks()]


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


class _Reader:
    """One page's tokens, read from first to last."""

    def __init__(self, page: Page) -> None:
        self._page = page.number
        self._tokens = _markdown().parse(page.markdown)
        self._lists: list[int | None] = []  # of each open list: its next number, None for bullets
        self._bullet: str | None = None  # of an item whose first text has not come yet

    def blocks(self) -> Iterator[Block]:
        position = 0
        while position < len(self._tokens):
            token = self._tokens[position]
            if token.type == "heading_open":
                text = " ".join(_plain(self._tokens[position + 1]).split())
                if text:
                    yield Heading(int(token.tag[1]), text, self._page)
                position += 2
            elif token.type == "table_open":
                position, table = self._table(position)
                yield table
            elif token.type == "inline":
                yield from self._paragraph(_plain(token).strip())
            elif token.type in {"fence", "code_block"}:
                if token.content.strip():
                    yield Code(token.content.strip("\n"), self._page)
            elif token.type == "html_block":
                yield from self._html(token.content)
            else:
                self._open_or_close(token)
            position += 1

    def _open_or_close(self, token: Token) -> None:
        if token.type == "bullet_list_open":
            self._lists.append(None)
        elif token.type == "ordered_list_open":
            self._lists.append(int(token.attrs.get("start", 1)))
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            self._lists.pop()
        elif token.type == "list_item_open":
            number = self._lists[-1]
            self._bullet = "- " if number is None else f"{number}. "
            if number is not None:
                self._lists[-1] = number + 1

    def _paragraph(self, text: str) -> Iterator[Block]:
        if not text:
            return
        if not self._lists:
            yield Paragraph(text, self._page)
            return
        indent = "  " * (len(self._lists) - 1)
        bullet, self._bullet = self._bullet or "  ", None
        yield Paragraph(indent + bullet + text, self._page, item=True)

    def _html(self, html: str) -> Iterator[Block]:
        markdown = html_markdown(html)
        if markdown:
            yield from (
                replace(block, page=self._page)
                for block in _Reader(Page(self._page, markdown)).blocks()
            )

    def _table(self, position: int) -> tuple[int, Table]:
        rows: list[list[str]] = []
        while self._tokens[position].type != "table_close":
            token = self._tokens[position]
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(" ".join(_plain(token).split()))
            position += 1
        header, *body = (tuple(row) for row in rows)
        return position, Table(header, tuple(row for row in body if any(row)), self._page)


def _plain(inline: Token) -> str:
    """What a reader sees of inline Markdown."""
    parts: list[str] = []
    addresses: list[str] = []
    for child in inline.children or []:
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append("\n")
        elif child.type == "hardbreak" or _BREAK.match(child.content):
            parts.append("\v")
        elif child.type == "image":
            parts.append(_plain(child))
        elif child.type == "link_open":
            addresses.append(_address(str(child.attrs.get("href", ""))))
        elif child.type == "link_close":
            address = addresses.pop()
            if address and address not in "".join(parts):
                parts.append(f" ({address})")
    return _lines("".join(parts))


def _address(href: str) -> str:
    """What a link says that its words don't: a mail address."""
    return href.removeprefix("mailto:").partition("?")[0] if href.startswith("mailto:") else ""


def _lines(text: str) -> str:
    """Join wrapped lines; keep meant ones. Chinese and Japanese have no space at a line's end."""
    joined = re.sub(
        r"(.)[ \t]*\n[ \t]*(?=(.))",
        lambda match: (
            match[1]
            + ("" if _WIDE_SCRIPT.match(match[1]) and _WIDE_SCRIPT.match(match[2]) else " ")
        ),
        text,
    )
    return "\n".join(" ".join(line.split()) for line in joined.replace("\n", " ").split("\v"))
