"""Word documents and presentations."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from knowledge.errors import ParsingError
from knowledge.parsing.document import (
    Page,
    ParsedDocument,
    escape_markdown,
    table_markdown,
    title_of_name,
)
from knowledge.parsing.html import html_markdown

_OLE = b"\xd0\xcf\x11\xe0"  # the container of encrypted and of old Office files
_LARGEST_UNPACKED_BYTES = 500 * 2**20
_LARGEST_PART_BYTES = 100 * 2**20  # of XML, which takes many times that once it is read
_MOST_FILES = 20_000


def parse_docx(raw: bytes, name: str) -> ParsedDocument:
    """A Word document. It has no page numbers: Word makes pages when it shows them."""
    import mammoth

    check_package(raw, name)
    try:
        converted = mammoth.convert_to_html(
            io.BytesIO(raw),
            style_map="p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh",
            convert_image=mammoth.images.img_element(lambda _image: {"src": ""}),
        )
    except Exception as error:  # mammoth raises whatever its XML reader meets
        raise ParsingError(f"{name} is a broken Word document: save it again.") from error
    markdown = html_markdown(converted.value)
    heading = re.search(r"^# +(.+)$", markdown, re.MULTILINE)
    title = re.sub(r"\\(.)|[*`]+", r"\1", heading[1]) if heading else title_of_name(name)
    return ParsedDocument(title, (Page(None, markdown),))


def parse_pptx(raw: bytes, name: str) -> ParsedDocument:
    """A presentation; a slide is a page, its title a heading, its notes follow its text."""
    import pptx

    check_package(raw, name)
    try:
        slides = list(pptx.Presentation(io.BytesIO(raw)).slides)
        pages = [Page(number, _slide(slide)) for number, slide in enumerate(slides, start=1)]
        titles = [text for slide in slides if (text := _title(slide))]
    except Exception as error:  # python-pptx raises whatever its XML reader meets
        raise ParsingError(f"{name} is a broken presentation: save it again.") from error
    return ParsedDocument(titles[0] if titles else title_of_name(name), tuple(pages))


def check_package(raw: bytes, name: str) -> None:
    """Refuse what is no readable Office file before a parser meets it. Raises ParsingError."""
    if raw.startswith(_OLE):
        raise ParsingError(
            f"{name} is encrypted or of an old format: save it without a password, "
            "as .docx, .pptx or .xlsx."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as package:
            files = package.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise ParsingError(f"{name} is broken (no whole zip file): save it again.") from error
    # What a zip file says of its sizes is what Python unpacks at the most.
    unpacked = sum(file.file_size for file in files)
    part = max((f.file_size for f in files if f.filename.endswith((".xml", ".rels"))), default=0)
    if unpacked > _LARGEST_UNPACKED_BYTES or part > _LARGEST_PART_BYTES:
        raise ParsingError(f"{name} unpacks to {unpacked // 2**20} MB: split it.")
    if len(files) > _MOST_FILES:
        raise ParsingError(f"{name} holds {len(files)} files: split it.")


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    return " ".join(shape.text_frame.text.split()) if shape is not None else ""


def _slide(slide: Any) -> str:
    title = _title(slide)
    parts = [f"## {escape_markdown(title)}"] if title else []
    shapes = sorted(_flat(slide.shapes), key=lambda shape: (shape.top or 0, shape.left or 0))
    for shape in shapes:
        if title and shape.shape_id == slide.shapes.title.shape_id:
            continue
        parts += _shape(shape)
    if slide.has_notes_slide:
        notes = slide.notes_slide.notes_text_frame
        if notes is not None and notes.text.strip():
            parts.append("Notes: " + escape_markdown(" ".join(notes.text.split())))
    return "\n\n".join(parts)


def _flat(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _shape(shape: Any) -> Iterator[str]:
    if shape.has_text_frame:
        paragraphs = [p for p in shape.text_frame.paragraphs if p.text.strip()]
        if len(paragraphs) == 1:
            yield escape_markdown(paragraphs[0].text.replace("\v", " "))
        elif paragraphs:
            yield "\n".join(
                "  " * p.level + "- " + escape_markdown(" ".join(p.text.split()))
                for p in paragraphs
            )
    elif getattr(shape, "has_table", False) and shape.has_table:
        yield table_markdown([[cell.text for cell in row.cells] for row in shape.table.rows])
