"""Plain text: its wrapped lines, lists and headings are seen as a reader sees them."""

import re

from knowledge.parsing.characters import decode
from knowledge.parsing.document import Page, ParsedDocument, escape_markdown, title_of_name

_UNDERLINE = re.compile(r"\s*(=+|-+|~+|\*+)\s*")
_BULLET = re.compile(r"(\s*)(?:[*•·‣◦▪–-]|(\d{1,3}[.)]))\s+")
_LONGEST_HEADING = 60  # characters
_WIDEST_WRAPPING = 120  # characters; nobody wraps lines by hand at more


def parse_text(raw: bytes, name: str) -> ParsedDocument:
    """Plain text as Markdown; a heading in its first line is its title."""
    markdown = text_markdown(decode(raw, name))
    title = re.match(r"# (.+)", markdown)
    words = re.sub(r"\\(.)", r"\1", title[1]) if title else ""
    if words.isupper():  # as on old printers; the file's name is easier to read
        words = ""
    return ParsedDocument(words or title_of_name(name), (Page(None, markdown),))


def text_markdown(text: str) -> str:
    """Markdown that reads as `text` does."""
    blocks = [block.split("\n") for block in re.split(r"\n\s*\n", text.expandtabs(4).strip())]
    width = _width(text.split("\n"))
    parts = [
        _block(lines, width, first=number == 0, last=number == len(blocks) - 1)
        for number, lines in enumerate(blocks)
    ]
    return "\n\n".join(filter(None, parts))


def _width(lines: list[str]) -> int:
    """The text's width in characters; a line that holds a long address says nothing about it."""
    return max(
        (len(line) for line in lines if max(map(len, line.split()), default=0) < 60), default=0
    )


def _block(lines: list[str], width: int, *, first: bool, last: bool) -> str:
    lines = [line.rstrip() for line in lines]
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and not _UNDERLINE.fullmatch(lines[0]):
        level = "#" if first else "##"
        heading = f"{level} {escape_markdown(lines[0].strip())}"
        return "\n\n".join([heading, _block(lines[2:], width, first=False, last=last)]).strip()
    lines = [line for line in lines if line and not _UNDERLINE.fullmatch(line)]
    if not lines:  # a rule between two paragraphs
        return ""
    if len(lines) == 1 and not last and _is_heading(lines[0].strip()):
        return f"{'#' if first else '##'} {escape_markdown(lines[0].strip())}"
    return "".join(
        _line(line, after, width) for line, after in zip(lines, [*lines[1:], None], strict=True)
    )


def _is_heading(line: str) -> bool:
    return (
        len(line) <= _LONGEST_HEADING
        and line[:1].isalnum()
        and any(c.isalpha() for c in line)
        and not _BULLET.match(line)
        and not line.endswith((".", ",", ";", ":", "!", "…", "。"))
    )


def _line(line: str, after: str | None, width: int) -> str:
    """A line with what parts it from the next one."""
    bullet = _BULLET.match(line)
    if bullet:
        indent = min(len(bullet[1]), 6)
        written = f"{' ' * indent}{bullet[2] or '-'} {escape_markdown(line[bullet.end() :])}"
    else:
        written = escape_markdown(line.strip())
    if after is None:
        return written
    if _BULLET.match(after):
        return written + "\n"
    return written + ("\\\n" if _is_meant(line, after, width) else "\n")


def _is_meant(line: str, after: str, width: int) -> bool:
    """Whether a line ends where its writer wanted, and was not just full."""
    word = after.split(maxsplit=1)[0]
    columns = any("   " in text.strip() for text in (line, after))
    return columns or width > _WIDEST_WRAPPING or len(line) + 1 + len(word) <= width
