"""Lines that stand somewhere on pages, to Markdown: paragraphs by distance, headings by size."""

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from knowledge.parsing.document import escape_markdown

_BULLET = re.compile(r"^\s*([•·‣◦▪●■–*-]|\d{1,3}[.)]|[a-z][.)])\s+")
_HEADING_RATIO = 1.12  # of the body's size; books set sub-headings at 1.15 and more
_MARGIN_POINTS = 45  # a head of two lines is no deeper


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page, in points from the page's lower left corner."""

    text: str
    size: float
    bold: bool
    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True)
class Body:
    """What is usual in a document: the size of its text, and the distance of lines."""

    size: float
    bold: bool
    spacing: float
    levels: dict[float, int]  # heading sizes, largest first


def body_of(pages: Sequence[Sequence[Line]]) -> Body:
    """The commonest size by letters; the sizes clearly above it are headings."""
    letters: Counter[tuple[float, bool]] = Counter()
    gaps: list[float] = []
    for lines in pages:
        for line in lines:
            letters[(line.size, line.bold)] += len(line.text)
        gaps += [a.bottom - b.bottom for a, b in pairwise(lines)]
    size, bold = letters.most_common(1)[0][0]
    close = [gap for gap in gaps if 0.5 * size < gap < 2.5 * size]
    larger = sorted({s for s, _ in letters if s > size * _HEADING_RATIO}, reverse=True)
    return Body(
        size=size,
        bold=bold,
        spacing=statistics.median(close) if close else size * 1.2,
        levels={
            s: min(level, 5) for level, group in enumerate(_apart(larger), start=1) for s in group
        },
    )


def _apart(sizes: list[float]) -> list[list[float]]:
    """Sizes in groups: those that differ by less than a twentieth are one."""
    groups: list[list[float]] = []
    for size in sizes:
        if groups and groups[-1][0] - size < groups[-1][0] / 20:
            groups[-1].append(size)
        else:
            groups.append([size])
    return groups


def without_running_heads(pages: list[list[Line]]) -> list[list[Line]]:
    """Drop first and last lines that come back on most pages, whatever number they carry."""
    if len(pages) < 3:
        return pages
    heights = [line.bottom for lines in pages for line in lines]
    inner = (min(heights) + _MARGIN_POINTS, max(heights) - _MARGIN_POINTS)
    seen: Counter[tuple[str, int]] = Counter()
    for lines in pages:
        seen.update({_place(line) for line in _edge(lines, inner)})
    often = {place for place, times in seen.items() if times >= max(3, len(pages) // 2)}
    return [
        [line for line in lines if line not in _edge(lines, inner) or _place(line) not in often]
        for lines in pages
    ]


def _edge(lines: Sequence[Line], inner: tuple[float, float]) -> list[Line]:
    """A page's first and last two lines, where they stand as low or high as any in the document."""
    ordered = sorted(lines, key=lambda line: -line.bottom)
    return [
        *(line for line in ordered[:2] if line.bottom > inner[1]),
        *(line for line in ordered[-2:] if line.bottom < inner[0]),
    ]


def _place(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text), round(line.bottom / 4)


def largest_heading(pages: list[list[Line]], body: Body) -> str:
    """The first page's largest heading, as a title."""
    first = [line for line in next(filter(None, pages), []) if line.size in body.levels]
    if not first:
        return ""
    top = body.levels[max(line.size for line in first)]
    start = next(i for i, line in enumerate(first) if body.levels[line.size] == top)
    words = [first[start].text]
    for before, line in pairwise(first[start:]):
        if body.levels[line.size] != top or before.bottom - line.bottom > 2 * line.size:
            break
        words.append(line.text)
    return " ".join(words)


Placed = tuple[float, float, str]
"""A table on a page: (top, bottom, Markdown), in points from the lower edge."""


def lines_markdown(lines: Sequence[Line], body: Body, tables: Sequence[Placed] = ()) -> str:
    """A page's Markdown; a table stands in the place of its lines."""
    parts: list[str] = []
    paragraph: list[Line] = []
    waiting = list(tables)
    for line in lines:
        table = next(
            (t for t in tables if t[1] - 2 <= (line.bottom + line.top) / 2 <= t[0] + 2), None
        )
        new = table is not None or (paragraph and _begins(paragraph[-1], line, body))
        if paragraph and new:
            parts.append(_paragraph(paragraph, body))
            paragraph = []
        if table is None:
            paragraph.append(line)
        elif table in waiting:
            waiting.remove(table)
            parts.append(table[2])
    if paragraph:
        parts.append(_paragraph(paragraph, body))
    return "\n\n".join(parts)


def _level(line: Line, body: Body) -> int:
    """The heading level of a line, 0 for text."""
    if len(line.text) > 160 or not any(c.isalpha() for c in line.text):
        return 0
    if line.size in body.levels:
        return body.levels[line.size]
    plain_end = not line.text.endswith((".", ",", ";", ":", "!", "?"))
    if line.bold and not body.bold and len(line.text) < 80 and plain_end and line.size >= body.size:
        return 6 if not _BULLET.match(line.text) or line.text[0].isdigit() else 0
    return 0


def _begins(before: Line, line: Line, body: Body) -> bool:
    """Whether `line` begins a paragraph."""
    levels = _level(before, body), _level(line, body)
    gap = before.bottom - line.bottom
    if levels[0] or levels[1]:
        return levels[0] != levels[1] or gap > 1.6 * max(line.size, before.size)
    return bool(_BULLET.match(line.text)) or gap > 1.35 * body.spacing or gap < -body.size


def _paragraph(lines: list[Line], body: Body) -> str:
    text = "".join(_joined(lines))
    level = _level(lines[0], body)
    if level:
        return f"{'#' * level} {escape_markdown(text)}"
    bullet = _BULLET.match(text)
    if bullet:
        sign = bullet[1] if bullet[1][0].isdigit() else "-"
        return f"{sign} {escape_markdown(text[bullet.end() :])}"
    return escape_markdown(text)


def _joined(lines: list[Line]) -> Iterator[str]:
    """The lines' texts; a word that was divided at a line's end is whole again."""
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        if after is None:
            yield line.text
        elif re.search(r"[^\W\d_]-$", line.text) and after.text[:1].islower():
            yield line.text[:-1]
        else:
            yield line.text + " "
