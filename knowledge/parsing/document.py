"""A document as its parser hands it over."""

import re
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Page:
    """A page's Markdown. Formats without pages have one, without a number."""

    number: int | None
    markdown: str


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """Markdown with headings, page by page."""

    title: str
    pages: tuple[Page, ...]
    url: str | None = None
    """The document's own word about its address; may be relative."""
    note: str | None = None
    """What could not be read of it, in words."""


def title_of_name(name: str) -> str:
    """A title out of a file name: "travel_policy-2024.pdf" is "travel policy 2024"."""
    path = PurePath(name)
    stem = path.stem
    if stem.lower() in {"index", "readme", "_index"} and path.parent.name:
        stem = path.parent.name
    words = re.sub(r"[\s_-]+", " ", stem).strip()
    return words[:1].upper() + words[1:] or name


def escape_markdown(text: str) -> str:
    """`text` so that Markdown takes it literally; line breaks and list bullets keep their sense."""
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", text)


def table_markdown(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is the header. Empty without rows."""
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in filled]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _cell(text: str) -> str:
    return escape_markdown(" ".join(text.split()))
