"""Plain text."""

import re

from knowledge.parsing.characters import decode
from knowledge.parsing.document import Page, ParsedDocument, escape_markdown, title_of_name

_SHORT_LINE = (
    50  # characters; a wrapped line is longer, so a shorter one ends where it was meant to
)


def parse_text(raw: bytes, name: str) -> ParsedDocument:
    """Plain text as Markdown: its lists and underlined headings count, other marks are letters."""
    return ParsedDocument(title_of_name(name), (Page(None, text_markdown(decode(raw, name))),))


def text_markdown(text: str) -> str:
    """Markdown that reads as `text` does: short lines stay lines, wrapped ones become one."""
    lines = [_line(line) for line in text.split("\n")]
    return "\n".join(lines)


def _line(line: str) -> str:
    line = line.rstrip()
    if re.fullmatch(r"\s*(=+|-+)", line):  # underlines the heading above
        return line.strip()
    bullet, rest = re.match(r"(\s*[*•·‣◦–-] +)?(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    body = escape_markdown(rest.strip() if bullet is None else rest)
    if bullet:
        indent = len(bullet) - len(bullet.lstrip())
        return " " * min(indent, 3) + "- " + body
    return body + "\\" if body and len(line) < _SHORT_LINE else body
