"""A file that unpacks to far more than it is costs one document, and neither memory nor time."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from knowledge.errors import ParsingError
from knowledge.parsing.process import ParserProcess
from tests import documents

OFFICE = "application/vnd.openxmlformats-officedocument"
WORD = f"{OFFICE}.wordprocessingml.document"
SLIDES = f"{OFFICE}.presentationml.presentation"
SHEET = f"{OFFICE}.spreadsheetml.sheet"
MEGABYTE = 2**20


def package(files: Mapping[str, bytes]) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def swollen(raw: bytes, part: str, megabytes: int) -> bytes:
    """An Office file of which one part has grown by white space, which packs to nothing."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[part] = files[part] + b" " * (megabytes * MEGABYTE)
    return package(files)


@pytest.mark.parametrize(
    ("raw", "part", "media_type"),
    [
        (documents.docx(documents.word_paragraph("Text.")), "word/document.xml", WORD),
        (documents.slides([("Title", ["Text."])]), "ppt/slides/slide1.xml", SLIDES),
        (documents.workbook({"One": [["Text."]]}), "xl/worksheets/sheet1.xml", SHEET),
    ],
)
async def test_an_office_file_with_a_part_that_unpacks_too_far_is_refused_unopened(
    raw: bytes, part: str, media_type: str
) -> None:
    bomb = swollen(raw, part, 300)
    assert len(bomb) < MEGABYTE
    async with ParserProcess(memory_bytes=600 * MEGABYTE) as parser:
        with pytest.raises(ParsingError, match="unpacks to 300 MB"):
            await parser.parse(bomb, "bomb", media_type)
        honest = await parser.parse(raw, "honest", media_type)
    assert "Text." in honest.pages[-1].markdown


async def test_a_package_of_very_many_files_is_refused() -> None:
    many = package({f"word/{number}.xml": b"" for number in range(20_001)})
    async with ParserProcess() as parser:
        with pytest.raises(ParsingError, match="20001 files"):
            await parser.parse(many, "many.docx", WORD)


async def test_a_package_that_lies_about_its_size_unpacks_no_further_than_it_says() -> None:
    raw = documents.docx(documents.word_paragraph("Text."))
    bomb = bytearray(swollen(raw, "word/document.xml", 300))
    honest_size, small = (300 * MEGABYTE).to_bytes(4, "little"), b"\x10\x00\x00\x00"
    with zipfile.ZipFile(io.BytesIO(bytes(bomb))) as archive:
        size = archive.getinfo("word/document.xml").file_size.to_bytes(4, "little")
    assert honest_size[3] == size[3]
    while (place := bomb.find(size)) >= 0:
        bomb[place : place + 4] = small
    async with ParserProcess(memory_bytes=600 * MEGABYTE) as parser:
        with pytest.raises(ParsingError, match="broken Word document"):
            await parser.parse(bytes(bomb), "liar.docx", WORD)


async def test_entities_that_multiply_are_refused() -> None:
    levels = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' if n else '<!ENTITY e0 "lol">' for n in range(10)
    )
    with zipfile.ZipFile(io.BytesIO(documents.docx(""))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    body = (
        files["word/document.xml"]
        .decode()
        .replace("<w:body>", "<w:body><w:p><w:r><w:t>&e9;</w:t></w:r></w:p>")
    )
    files["word/document.xml"] = f"<!DOCTYPE x [{levels}]>{body}".encode()
    async with ParserProcess(memory_bytes=1000 * MEGABYTE) as parser:
        with pytest.raises(ParsingError):
            await parser.parse(package(files), "lol.docx", WORD)


async def test_a_document_that_takes_too_much_memory_costs_only_itself() -> None:
    wide = b"," * 50_000_000
    async with ParserProcess(memory_bytes=500 * MEGABYTE) as parser:
        with pytest.raises(ParsingError, match="more memory"):
            await parser.parse(wide, "wide.csv", "text/csv")
        after = await parser.parse(b"# Still here", "a.md", "text/markdown")
    assert after.title == "Still here"
