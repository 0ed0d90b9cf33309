"""Rebuild the sample's DOCX, PPTX, XLSX and PDF from their texts in `originals/`.

    python -m bot.sample.build [FOLDER]

Needs python-docx and fpdf2 (development only; readers of the sample need neither). The output
is the same byte for byte with the same versions of the libraries, so a rebuild shows no noise.
"""

import csv
import logging
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from docx import Document
from fpdf import FPDF, TextStyle
from fpdf.enums import XPos, YPos
from fpdf.outline import OutlineSection
from openpyxl import Workbook
from openpyxl.styles import Font
from pptx import Presentation
from pptx.slide import Slide
from pptx.util import Inches, Pt

HERE = Path(__file__).parent
ORIGINALS = HERE / "originals"
COMPANY = "Halden Instruments"
# A fixed moment in every file's metadata: a rebuild must not differ by the clock.
BUILT_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

log = logging.getLogger(__name__)

Kind = Literal["heading", "paragraph", "bullet", "note", "table"]
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of an original: `level` counts for headings, `rows` for tables."""

    kind: Kind
    text: str = ""
    level: int = 0
    rows: Rows = ()


def blocks(text: str) -> list[Block]:
    """Read the small Markdown of the originals: headings, paragraphs, bullets, notes, tables."""
    lines = (line.strip() for line in text.splitlines() if line.strip())
    return [
        block
        for is_table, run in groupby(lines, key=lambda line: line.startswith("|"))
        for block in ([_table(run)] if is_table else map(_line, run))
    ]


def _line(line: str) -> Block:
    if heading := re.match(r"(#+) (.+)", line):
        return Block("heading", heading[2], level=len(heading[1]))
    if line.startswith("- "):
        return Block("bullet", line[2:])
    if line.startswith("> "):
        return Block("note", line[2:])
    return Block("paragraph", line)


def _table(lines: Iterator[str]) -> Block:
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return Block("table", rows=(rows[0], *rows[2:]))  # rows[1] is the dashes


def docx(original: Path) -> bytes:
    """Return a Word document with real heading styles and tables."""
    document = Document()
    properties = document.core_properties
    properties.author, properties.title = COMPANY, original.stem
    properties.created = properties.modified = BUILT_AT
    for block in blocks(original.read_text("utf-8")):
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "table":
            table = document.add_table(len(block.rows), len(block.rows[0]), style="Table Grid")
            for row, texts in zip(table.rows, block.rows, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):
                    cell.text = text
        else:
            style = "List Bullet" if block.kind == "bullet" else None
            document.add_paragraph(block.text, style=style)
    buffer = BytesIO()
    document.save(buffer)
    return timeless(buffer.getvalue())


def pptx(original: Path) -> bytes:
    """Return a deck: a slide for every `#` heading, speaker's notes from `>` lines."""
    deck = Presentation()
    deck.core_properties.author = COMPANY
    deck.core_properties.created = deck.core_properties.modified = BUILT_AT
    content = blocks(original.read_text("utf-8"))
    starts = [at for at, block in enumerate(content) if block.kind == "heading"]
    for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
        body = content[start + 1 : end]
        has_table = any(block.kind == "table" for block in body)
        # Of the default template: 1 is "Title and Content", 5 is "Title Only".
        slide = deck.slides.add_slide(deck.slide_layouts[5 if has_table else 1])
        if slide.shapes.title is not None:
            slide.shapes.title.text = content[start].text
        _fill(slide, body)
    buffer = BytesIO()
    deck.save(buffer)
    return timeless(buffer.getvalue())


def _fill(slide: Slide, body: list[Block]) -> None:
    texts = [block.text for block in body if block.kind in {"paragraph", "bullet"}]
    if texts:
        slide.placeholders[1].text_frame.text = "\n".join(texts)
    for block in body:
        if block.kind == "table":
            _draw(slide, block.rows)
        elif block.kind == "note" and slide.notes_slide.notes_text_frame is not None:
            slide.notes_slide.notes_text_frame.text = block.text


def _draw(slide: Slide, rows: Rows) -> None:
    place = Inches(0.5), Inches(1.7), Inches(9), Inches(0.5 * len(rows))
    table = slide.shapes.add_table(len(rows), len(rows[0]), *place).table
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
            cell.text_frame.paragraphs[0].font.size = Pt(16)


def xlsx(folder: Path) -> bytes:
    """Return a workbook with a sheet for every CSV file; digits become numbers."""
    book = Workbook()
    book.remove(book.active)
    book.properties.creator = COMPANY
    for original in sorted(folder.glob("*.csv"), key=lambda path: path.stem != "Rates"):
        sheet = book.create_sheet(original.stem)
        with original.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                sheet.append([int(cell) if cell.isdigit() else cell for cell in row])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for column, width in zip("ABCDEF", (18, 40, 20, 20, 26, 12), strict=True):
            sheet.column_dimensions[column].width = width
        sheet.freeze_panes = "A2"
    buffer = BytesIO()
    book.save(buffer)
    return timeless(buffer.getvalue())


def timeless(archive: bytes) -> bytes:
    """Rewrite an Office container with one fixed time in it."""
    result = BytesIO()
    stamp = BUILT_AT.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    moment = (BUILT_AT.year, BUILT_AT.month, BUILT_AT.day, BUILT_AT.hour, 0, 0)
    with zipfile.ZipFile(BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":  # openpyxl writes the present moment on saving
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, data)
            target.writestr(zipfile.ZipInfo(name, moment), data, zipfile.ZIP_DEFLATED, 9)
    return result.getvalue()


class Manual(FPDF):
    """The paged manual: footer with page numbers, chapters on new pages, outline, contents."""

    heading = ""

    def footer(self) -> None:
        """Print the document's name and the page number, as fpdf2 asks on every page."""
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.cell(0, 8, self.heading)
        self.set_x(-50)
        self.cell(0, 8, f"Page {self.page_no()}", align="R")

    def cover(self, title: str, imprint: str) -> None:
        """Print the first page."""
        self.heading = title
        self.set_title(title)
        self.add_page()
        self.set_y(90)
        self.set_font("Helvetica", "B", 28)
        self.paragraph(title, line_mm=14)
        self.set_font("Helvetica", size=11)
        self.paragraph(imprint)

    def contents(self) -> None:
        """Leave one page for the table of contents, filled when the chapters are known."""
        self.add_page()
        self.insert_toc_placeholder(_list_chapters, pages=1)

    def paragraph(self, text: str, *, line_mm: float = 6) -> None:
        """Print text across the page in the present font and start a new line."""
        self.multi_cell(0, line_mm, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def block(self, block: Block) -> None:
        """Print one block; a chapter starts on a new page, except the first after the contents."""
        if block.kind == "heading":
            level = block.level - 2
            if level == 0 and self.get_y() > self.t_margin:
                self.add_page()
            self.start_section(block.text, level=level)
        elif block.kind == "table":
            self.set_font("Helvetica", size=10)
            with self.table(line_height=6, text_align="LEFT") as table:
                for row in block.rows:
                    table.row(row)
            self.ln(3)
        else:
            self.set_font("Helvetica", size=11)
            self.paragraph(block.text)


def _list_chapters(manual: FPDF, outline: list[OutlineSection]) -> None:
    manual.set_font("Helvetica", "B", 18)
    manual.cell(0, 12, "Contents", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    manual.set_font("Helvetica", size=11)
    for section in outline:
        if section.level == 0:
            link = manual.add_link(page=section.page_number)
            manual.cell(0, 8, f"{section.name}, page {section.page_number}", link=link)
            manual.ln(8)


def pdf(original: Path) -> bytes:
    """Return a PDF: cover, contents, numbered pages, headings in larger type."""
    cover, imprint, *content = blocks(original.read_text("utf-8"))
    manual = Manual()
    manual.set_creation_date(BUILT_AT)
    manual.set_author(COMPANY)
    manual.set_auto_page_break(auto=True, margin=22)
    manual.set_section_title_styles(
        TextStyle("Helvetica", "B", 18, b_margin=2),
        TextStyle("Helvetica", "B", 13, t_margin=4, b_margin=2),
    )
    manual.cover(cover.text, imprint.text)
    manual.contents()
    for block in content:
        manual.block(block)
    return bytes(manual.output())


TARGETS: Mapping[str, tuple[Callable[[Path], bytes], str]] = MappingProxyType(
    {
        "benefits/pension-and-health-insurance.docx": (docx, "pension-and-health-insurance.md"),
        "money/corporate-card.docx": (docx, "corporate-card.md"),
        "quality/quality-and-safety-manual.pdf": (pdf, "quality-and-safety-manual.md"),
        "travel/per-diem-rates-2026.xlsx": (xlsx, "per-diem-rates-2026"),
        "working-here/your-first-week.pptx": (pptx, "your-first-week.md"),
    }
)


def build(folder: Path) -> list[Path]:
    """Write every target under `folder` and return the paths written."""
    written = []
    for name, (make, original) in TARGETS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(ORIGINALS / original))
        log.info("Built %s", name, extra={"action": "sample_built"})
        written.append(path)
    return written


def main() -> None:
    """Build into the folder named on the command line, by default the sample itself."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "knowledge")


if __name__ == "__main__":
    main()
