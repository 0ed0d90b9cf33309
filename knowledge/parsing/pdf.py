"""PDF: pages, paragraphs out of lines, headings by type size, ruled tables."""

import ctypes
import io
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2
from pypdfium2 import raw as pdfium

from knowledge.errors import ParsingError
from knowledge.parsing.characters import visible
from knowledge.parsing.document import (
    Page,
    ParsedDocument,
    escape_markdown,
    table_markdown,
    title_of_name,
)

_JUNK_TITLE = re.compile(r"^$|^(microsoft|untitled|slide 1|document\d*$)|\.\w{3,4}$", re.IGNORECASE)
_BULLET = re.compile(r"^\s*([•·‣◦▪●■–*-]|\d{1,3}[.)]|[a-z][.)])\s+")
_HEADING_RATIO = 1.12  # of the body's size; books set sub-headings at 1.15 and more
_MARGIN_POINTS = 45  # a head of two lines is no deeper
_RULES = 4  # drawn paths on a page that may hold a table; finding tables takes 0.1 s a page


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
class _Body:
    """What is usual in a document: the size of its text, and the distance of lines."""

    size: float
    bold: bool
    spacing: float
    levels: dict[float, int]  # heading sizes, largest first


def parse_pdf(raw: bytes, name: str) -> ParsedDocument:
    """A PDF with its page numbers. Raises ParsingError for encrypted, broken and scanned ones."""
    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ParsingError(f"{name} is encrypted: save it without a password.") from error
        raise ParsingError(f"{name} is a broken PDF: export it again.") from error
    try:
        pages = [_lines(document[number]) for number in range(len(document))]
        if not any(pages):
            raise ParsingError(
                f"{name} holds no text, only pictures: run text recognition (OCR) on it."
            )
        ruled = {n for n in range(len(document)) if _paths(document[n]) >= _RULES}
        meta = str(document.get_metadata_value("Title") or "").strip()
    finally:
        document.close()
    without = _without_running_heads(pages)
    pages = without if any(without) else pages
    body = _body(pages)
    tables = _tables(raw, ruled)
    markdown = [_markdown(lines, body, tables.get(n, [])) for n, lines in enumerate(pages)]
    title = meta if not _JUNK_TITLE.search(meta) else _largest(pages, body) or title_of_name(name)
    return ParsedDocument(
        title, tuple(Page(number, text) for number, text in enumerate(markdown, start=1))
    )


def _paths(page: pypdfium2.PdfPage) -> int:
    return sum(1 for _ in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=2))


def _lines(page: pypdfium2.PdfPage) -> list[Line]:
    textpage = page.get_textpage()
    lines: list[Line] = []
    characters: list[tuple[str, float, int, tuple[float, float, float, float]]] = []
    box = pdfium.FS_RECTF()
    for index in range(pdfium.FPDFText_CountChars(textpage)):
        code = pdfium.FPDFText_GetUnicode(textpage, index)
        if code in {10, 13}:
            lines += _line(characters)
            characters = []
            continue
        if code == 0 or not pdfium.FPDFText_GetLooseCharBox(textpage, index, ctypes.byref(box)):
            continue
        weight = pdfium.FPDFText_GetFontWeight(textpage, index)
        # U+0002 is pdfium's word for a hyphen at a line's end: it goes on with the next line.
        letter = "" if code in {2, 0xFFFE} else chr(code)
        height = round(box.top - box.bottom, 1)
        characters.append((letter, height, weight, (box.left, box.bottom, box.right, box.top)))
    lines += _line(characters)
    textpage.close()
    return lines


def _line(
    characters: list[tuple[str, float, int, tuple[float, float, float, float]]],
) -> list[Line]:
    text = " ".join(visible("".join(letter for letter, *_ in characters)).split())
    inked = [character for character in characters if character[0].strip()]
    if not text or not inked:
        return []
    boxes = [box for *_, box in inked]
    return [
        Line(
            text=text,
            size=statistics.mode(height for _, height, *_ in inked),
            bold=statistics.median(weight for _, _, weight, _ in inked) >= 600,
            left=min(box[0] for box in boxes),
            bottom=statistics.median(box[1] for box in boxes),
            right=max(box[2] for box in boxes),
            top=statistics.median(box[3] for box in boxes),
        )
    ]


def _body(pages: Sequence[Sequence[Line]]) -> _Body:
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
    return _Body(
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


def _without_running_heads(pages: list[list[Line]]) -> list[list[Line]]:
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


def _largest(pages: list[list[Line]], body: _Body) -> str:
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


def _tables(raw: bytes, ruled: set[int]) -> dict[int, list[tuple[float, float, str]]]:
    """Of each ruled page its tables: (top, bottom, Markdown), in points from the lower edge."""
    if not ruled:
        return {}
    import pdfplumber
    from pdfminer.pdfexceptions import PDFException

    found: dict[int, list[tuple[float, float, str]]] = {}
    try:
        with pdfplumber.open(io.BytesIO(raw)) as document:
            for number in sorted(ruled):
                page = document.pages[number]
                for table in page.find_tables():
                    rows = [[cell or "" for cell in row] for row in table.extract()]
                    if len(rows) > 1 and max(map(len, rows)) > 1:
                        _, top, _, bottom = table.bbox
                        place = (float(page.height - top), float(page.height - bottom))
                        found.setdefault(number, []).append((*place, table_markdown(rows)))
                page.close()
    except (PDFException, ValueError, TypeError, KeyError):
        return found  # the lines are there all the same, only not as a table
    return found


def _markdown(lines: list[Line], body: _Body, tables: list[tuple[float, float, str]]) -> str:
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


def _level(line: Line, body: _Body) -> int:
    """The heading level of a line, 0 for text."""
    if len(line.text) > 160 or not any(c.isalpha() for c in line.text):
        return 0
    if line.size in body.levels:
        return body.levels[line.size]
    plain_end = not line.text.endswith((".", ",", ";", ":", "!", "?"))
    if line.bold and not body.bold and len(line.text) < 80 and plain_end and line.size >= body.size:
        return 6 if not _BULLET.match(line.text) or line.text[0].isdigit() else 0
    return 0


def _begins(before: Line, line: Line, body: _Body) -> bool:
    """Whether `line` begins a paragraph."""
    levels = _level(before, body), _level(line, body)
    gap = before.bottom - line.bottom
    if levels[0] or levels[1]:
        return levels[0] != levels[1] or gap > 1.6 * max(line.size, before.size)
    return bool(_BULLET.match(line.text)) or gap > 1.35 * body.spacing or gap < -body.size


def _paragraph(lines: list[Line], body: _Body) -> str:
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
