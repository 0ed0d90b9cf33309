"""Small real documents, built for tests of reading and indexing."""

import io
from collections.abc import Mapping, Sequence

import pptx
from openpyxl import Workbook
from pptx.util import Inches

Placed = tuple[float, float, float, str]
"""Size, left, bottom (points from the lower left corner), text."""


def pdf(
    pages: Sequence[Sequence[Placed]],
    *,
    boxes: Sequence[tuple[float, float, float, float]] = (),
    encrypted: bool = False,
) -> bytes:
    """A PDF in Helvetica; `boxes` (left, bottom, width, height) are drawn on the first page."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, lines in enumerate(pages):
        drawn = "".join(
            f"BT /F1 {size} Tf {left} {bottom} Td ({text}) Tj ET\n"
            for size, left, bottom, text in lines
        )
        if number == 0:
            drawn += "".join(f"{' '.join(map(str, box))} re S\n" for box in boxes)
        fonts = "/Resources << /Font << /F1 3 0 R >> >>"
        place = "/Parent 2 0 R /MediaBox [0 0 595 842]"
        objects += [
            f"<< /Type /Page {place} {fonts} /Contents {5 + 2 * number} 0 R >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}endstream",
        ]
    return _pdf_file(objects, encrypted=encrypted)


def _pdf_file(objects: Sequence[str], *, encrypted: bool) -> bytes:
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode())
    start = out.tell()
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> "
    lock += f"/ID [<{'43' * 16}> <{'43' * 16}>] "
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out.write(
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< "
        f"{lock if encrypted else ''}/Size {len(objects) + 1} /Root 1 0 R >>\n"
        f"startxref\n{start}\n%%EOF\n".encode()
    )
    return out.getvalue()


def docx(body: str) -> bytes:
    """A Word document whose body is the given WordprocessingML."""
    import zipfile

    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}">'
        f'<w:name w:val="{name}"/></w:style>'
        for name in ("Title", "heading 1", "heading 2")
    )
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{kind}.document.main+xml"/>'
        f'<Override PartName="/word/styles.xml" ContentType="{kind}.styles+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{relation}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{relation}/styles" Target="styles.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {word}>{styles}</w:styles>",
        "word/document.xml": f"<w:document {word}><w:body>{body}</w:body></w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package_file:
        for name, content in files.items():
            package_file.writestr(name, content)
    return out.getvalue()


def word_paragraph(text: str, style: str = "") -> str:
    """A paragraph for `docx`."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: Sequence[Sequence[str]]) -> str:
    """A table for `docx`."""
    cells = "".join(
        "<w:tr>" + "".join(f"<w:tc>{word_paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>"
        for row in rows
    )
    return f"<w:tbl>{cells}</w:tbl>"


def slides(pages: Sequence[tuple[str, Sequence[str]]], notes: str = "") -> bytes:
    """A presentation of titles with bullets; the last slide has a table and the notes."""
    deck = pptx.Presentation()
    for title, bullets in pages:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(bullets)
    frame = slide.shapes.add_table(2, 2, Inches(1), Inches(6), Inches(4), Inches(1))
    for place, text in zip(
        [(0, 0), (0, 1), (1, 0), (1, 1)], ["Day", "Who", "1", "Buddy"], strict=True
    ):
        frame.table.cell(*place).text = text
    if notes:
        slide.notes_slide.notes_text_frame.text = notes
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: str = "") -> bytes:
    """A workbook; the sheet of the name `hidden` is hidden."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        if name == hidden:
            sheet.sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
