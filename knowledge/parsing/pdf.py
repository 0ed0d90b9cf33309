"""PDF: pages, paragraphs out of lines, headings by type size, ruled tables."""

import ctypes
import io
import re
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pypdfium2
from pypdfium2 import raw as pdfium

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing import ocr as recognition
from knowledge.parsing.characters import visible
from knowledge.parsing.document import (
    Page,
    ParsedDocument,
    table_markdown,
    title_of_name,
)
from knowledge.parsing.layout import (
    Body,
    Line,
    Placed,
    body_of,
    largest_heading,
    lines_markdown,
    without_running_heads,
)
from knowledge.parsing.ocr import Ocr

_JUNK_TITLE = re.compile(r"^$|^(microsoft|untitled|slide 1|document\d*$)|\.\w{3,4}$", re.IGNORECASE)
_RULES = 4  # drawn paths on a page that may hold a table; finding tables takes 0.1 s a page
_MOST_SCANNED_PAGES = 500  # at one to three seconds each
_STAMP = 60  # letters; a scan may carry a line of text, such as the scanner's name or a number
_RENDERED_PIXELS = 30_000_000


def parse_pdf(raw: bytes, name: str, ocr: Ocr | None = None) -> ParsedDocument:
    """A PDF with its page numbers; `ocr` reads the pages that are pictures.

    Raises ParsingError: it is encrypted or broken, or nothing but pictures, and there is no `ocr`.
    """
    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ParsingError(f"{name} is encrypted: save it without a password.") from error
        raise ParsingError(f"{name} is a broken PDF: export it again.") from error
    try:
        pages = [_lines(document[number]) for number in range(len(document))]
        scans = [n for n, lines in enumerate(pages) if _is_scan(document[n], lines)]
        note = _recognise(document, name, pages, scans, ocr)
        numbers = set(range(len(document))).difference(scans)
        ruled = {n for n in numbers if _paths(document[n]) >= _RULES}
        meta = str(document.get_metadata_value("Title") or "").strip()
    finally:
        document.close()
    without = without_running_heads(pages)
    pages = without if any(without) else pages
    bodies = _bodies(pages, scans)
    tables = _tables(raw, ruled)
    markdown = [
        lines_markdown(lines, bodies[n], tables.get(n, ())) if lines else ""
        for n, lines in enumerate(pages)
    ]
    first = next(n for n, lines in enumerate(pages) if lines)
    largest = largest_heading([pages[first]], bodies[first])
    title = meta if not _JUNK_TITLE.search(meta) else largest or title_of_name(name)
    return ParsedDocument(
        title,
        tuple(Page(number, text) for number, text in enumerate(markdown, start=1)),
        note=note,
    )


def _bodies(pages: Sequence[Sequence[Line]], scans: Sequence[int]) -> dict[int, Body]:
    """What is usual on each page: on scans, letters are measured in another way."""
    found: dict[int, Body] = {}
    for numbers in (set(range(len(pages))).difference(scans), set(scans)):
        chosen = [pages[number] for number in sorted(numbers)]
        if any(chosen):
            found |= dict.fromkeys(numbers, body_of(chosen))
    return found


def _is_scan(page: pypdfium2.PdfPage, lines: Sequence[Line]) -> bool:
    """Whether a page is a picture of text: one without letters, or a large one with a stamp."""
    letters = sum(len(line.text) for line in lines)
    if letters == 0:
        return any(page.get_objects(max_depth=2))
    if letters > _STAMP:
        return False
    whole = page.get_width() * page.get_height()
    pictures = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=2)
    boxes = [picture.get_bounds() for picture in pictures]
    return any((box[2] - box[0]) * (box[3] - box[1]) > whole / 2 for box in boxes)


def _recognise(
    document: pypdfium2.PdfDocument,
    name: str,
    pages: list[list[Line]],
    scans: Sequence[int],
    ocr: Ocr | None,
) -> str | None:
    """Put what is recognised in the place of each scan's lines; say what was not read."""
    if ocr is not None:
        for number in scans[:_MOST_SCANNED_PAGES]:
            pages[number] = _recognised(document[number], name, ocr)
        scans = scans[_MOST_SCANNED_PAGES:]
    elif scans and not any(lines for n, lines in enumerate(pages) if n not in scans):
        raise recognition.how_to_install(name)
    if not any(pages):
        raise EmptyDocumentError(f"{name} holds no text, and no picture of text that is readable.")
    if not scans:
        return None
    why = "there are too many" if ocr else "text recognition is not installed"
    return f"{len(scans)} of its {len(pages)} pages are pictures and were not read: {why}."


def _recognised(page: pypdfium2.PdfPage, name: str, ocr: Ocr) -> list[Line]:
    inches = page.get_width() * page.get_height() / 72**2
    dpi = min(recognition.DPI, (_RENDERED_PIXELS / max(inches, 0.01)) ** 0.5)
    bitmap = page.render(scale=dpi / 72, grayscale=True)
    try:
        lines = ocr.lines(bitmap.to_pil(), name, dpi)
    finally:
        bitmap.close()
    height = page.get_height()
    return [replace(line, bottom=line.bottom + height, top=line.top + height) for line in lines]


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


def _tables(raw: bytes, ruled: set[int]) -> dict[int, list[Placed]]:
    """Of each ruled page its tables: (top, bottom, Markdown), in points from the lower edge."""
    if not ruled:
        return {}
    import pdfplumber
    from pdfminer.pdfexceptions import PDFException

    found: dict[int, list[Placed]] = {}
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
