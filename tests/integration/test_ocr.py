"""Text in scans and pictures, recognised by a real Tesseract, against the text that was drawn."""

import difflib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing import Ocr, ParsedDocument, parse
from knowledge.parsing.process import ParserProcess
from knowledge.sources import FolderSource, Skipped, SourceDocument
from knowledge.structure import Heading, Paragraph, read_blocks
from tests import documents
from tests.scans import Written, joined, saved, scan, scanned_pdf

EXPENSES: Sequence[Written] = (
    (24, "Expense policy"),
    (11, ""),
    (11, "Employees claim expenses within thirty days of the purchase."),
    (11, "Receipts are needed for every amount above 20 euros, also for taxis."),
    (11, ""),
    (17, "Approval"),
    (11, ""),
    (11, "The manager approves within one week. Payment follows with the"),
    (11, "salary of the next month."),
)
WANTED = [
    (1, "Expense policy"),
    (
        "Employees claim expenses within thirty days of the purchase. Receipts are needed for "
        "every amount above 20 euros, also for taxis."
    ),
    (2, "Approval"),
    "The manager approves within one week. Payment follows with the salary of the next month.",
]
GERMAN: Sequence[Written] = (
    (11, "Für größere Möbel prüft die Geschäftsführung jeden Antrag einzeln."),
    (11, "Über Ausnahmen entscheidet sie höchstens zweimal jährlich."),
)
PDF = "application/pdf"


def blocks(document: ParsedDocument) -> list[object]:
    """Headings as (level, text), paragraphs as text."""
    found: list[object] = []
    for block in read_blocks(document.pages):
        if isinstance(block, Heading):
            found.append((block.level, block.text))
        elif isinstance(block, Paragraph):
            found.append(block.text)
    return found


def likeness(document: ParsedDocument, lines: Sequence[Written]) -> float:
    """How much of the drawn text was recognised, from 0 to 1."""
    drawn = " ".join(text for _, text in lines if text)
    read = " ".join(" ".join(page.markdown for page in document.pages).replace("#", "").split())
    return difflib.SequenceMatcher(None, drawn, read, autojunk=False).ratio()


@pytest.mark.ocr
def test_a_scan_becomes_headings_and_paragraphs() -> None:
    document = parse(scanned_pdf(scan(EXPENSES)), "expenses.pdf", PDF, Ocr())
    assert blocks(document) == WANTED
    assert document.title == "Expense policy"
    assert document.note is None


@pytest.mark.ocr
@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_page_that_lies_on_its_side_or_head_is_read_upright(turned: int) -> None:
    document = parse(scanned_pdf(scan(EXPENSES, turned=turned)), "a.pdf", PDF, Ocr())
    assert blocks(document) == WANTED


@pytest.mark.ocr
def test_only_the_pages_without_text_are_recognised() -> None:
    typed = documents.pdf([[(11, 72, 700, "A page with letters.")]])
    pages: list[str] = []
    whole = joined(typed, scanned_pdf(scan(EXPENSES)), documents.pdf([[]]), typed)
    ocr = Ocr(alive=lambda: pages.append("recognised"))
    document = parse(whole, "mixed.pdf", PDF, ocr)
    assert [page.number for page in document.pages] == [1, 2, 4]
    assert document.pages[0].markdown == "A page with letters."
    assert "thirty days" in document.pages[1].markdown
    assert pages == ["recognised"]


@pytest.mark.ocr
def test_a_scan_with_a_stamp_of_letters_is_recognised_all_the_same(tmp_path: Path) -> None:
    from fpdf import FPDF

    picture = tmp_path / "scan.png"
    scan(EXPENSES).save(picture)
    paper = FPDF(format="A4")
    paper.add_page()
    paper.image(str(picture), 0, 0, 210, 297)
    paper.set_font("Helvetica", size=8)
    paper.text(10, 292, "Scanned by OfficeCopy 3000")
    document = parse(bytes(paper.output()), "a.pdf", PDF, Ocr())
    assert likeness(document, EXPENSES) > 0.9


@pytest.mark.ocr
@pytest.mark.parametrize(
    ("kind", "media_type", "options"),
    [
        ("PNG", "image/png", {"dpi": (200, 200)}),
        ("PNG", "image/png", {}),
        ("JPEG", "image/jpeg", {"quality": 60}),
        ("TIFF", "image/tiff", {"compression": "group4", "dpi": (200, 200)}),
        ("WEBP", "image/webp", {"quality": 80}),
        ("GIF", "image/gif", {}),
        ("BMP", "image/bmp", {}),
    ],
)
def test_pictures_of_every_format_are_read(
    kind: str, media_type: str, options: dict[str, object]
) -> None:
    picture = scan(EXPENSES)
    if options.get("compression") == "group4":
        picture = picture.point(lambda grey: 255 * (grey > 128)).convert("1")
    document = parse(saved(picture, kind, **options), "note.x", media_type, Ocr())
    assert likeness(document, EXPENSES) > 0.98
    assert document.pages[0].number is None


@pytest.mark.ocr
def test_each_picture_of_a_tiff_is_a_page() -> None:
    second = scan([(11, "The second page is about travel and hotels.")])
    raw = saved(scan(EXPENSES), "TIFF", second, dpi=(200, 200))
    document = parse(raw, "fax.tif", "image/tiff", Ocr())
    assert [page.number for page in document.pages] == [1, 2]
    assert document.pages[1].markdown == "The second page is about travel and hotels."


@pytest.mark.ocr
def test_small_letters_of_a_screenshot_and_light_text_on_nothing_are_read() -> None:
    lines: Sequence[Written] = [(9, "The printer on the second floor prints in colour.")]
    small = scan(lines, dpi=96)
    assert likeness(parse(saved(small, "PNG"), "a.png", "image/png", Ocr()), lines) > 0.95
    clear = Image.new("RGBA", small.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=small.point(lambda grey: 255 - grey))
    assert likeness(parse(saved(clear, "PNG"), "a.png", "image/png", Ocr()), lines) > 0.95


@pytest.mark.ocr
def test_a_picture_without_text_is_empty_and_not_broken() -> None:
    from tests.scans import DPI

    noise = Image.effect_noise((4 * DPI, 3 * DPI), 60)
    with pytest.raises(EmptyDocumentError, match=r"photo\.jpg"):
        parse(saved(noise, "JPEG"), "photo.jpg", "image/jpeg", Ocr())
    with pytest.raises(EmptyDocumentError, match=r"photo\.pdf"):
        parse(scanned_pdf(noise), "photo.pdf", PDF, Ocr())


def packs() -> list[str]:
    """The language packs that are installed."""
    command = ["tesseract", "--list-langs"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return listed.stdout.split()


@pytest.mark.ocr
@pytest.mark.parametrize("languages", ["deu", "eng+deu", "deu, eng", "auto"])
def test_another_language_is_read_with_its_pack(languages: str) -> None:
    if "deu" not in packs():
        pytest.skip("the German pack is missing: apt-get install tesseract-ocr-deu")
    document = parse(scanned_pdf(scan(GERMAN)), "antrag.pdf", PDF, Ocr(languages))
    assert likeness(document, GERMAN) > 0.98


@pytest.mark.ocr
def test_a_language_without_a_pack_says_what_to_install() -> None:
    with pytest.raises(ParsingError, match="apt-get install tesseract-ocr-xx-vert, or change"):
        parse(scanned_pdf(scan(GERMAN)), "a.pdf", PDF, Ocr("eng+xx_vert"))


@pytest.mark.ocr
def test_a_page_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(ParsingError, match=r"within 0\.05 s"):
        parse(scanned_pdf(scan(EXPENSES)), "a.pdf", PDF, Ocr(page_seconds=0.05))


@pytest.mark.ocr
async def test_a_folder_takes_pictures_where_they_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "note.PNG").write_bytes(saved(scan(EXPENSES), "PNG"))
    told = [change async for change in FolderSource(str(tmp_path)).changes(None)]
    (document,) = (change for change in told if isinstance(change, SourceDocument))
    assert document.media_type == "image/png"
    left = [change async for change in FolderSource(str(tmp_path), pictures=False).changes(None)]
    assert any(isinstance(change, Skipped) and "pictures=no" in change.reason for change in left)


# the process, with a Tesseract that takes its time


@pytest.fixture
def slow_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[float], Path]:
    """Puts a Tesseract into the PATH that reads one word and takes some seconds a page.

    It leaves its process's number in the file that is given back.
    """

    def put(seconds: float) -> Path:
        note = tmp_path / "number"
        program = tmp_path / "bin" / "tesseract"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            'if [ "$1" = --list-langs ]; then echo "List of languages:"; echo eng; exit; fi\n'
            f"cat >/dev/null; echo $$ >{note}; sleep {seconds}\n"
            'echo \'<html><body><span class="ocr_line" title="bbox 9 9 99 19; x_size 10">'
            '<span class="ocrx_word" title="x_wconf 99">Word</span></span></body></html>\'\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return note

    return put


async def test_a_long_scan_is_no_hang(slow_tesseract: Callable[[float], Path]) -> None:
    slow_tesseract(1.0)
    page = scan(EXPENSES, dpi=72)
    async with ParserProcess(timeout_seconds=4.0) as parser:
        await parser.parse(b"Warm.", "a.txt", "text/plain")
        began = time.monotonic()
        document = await parser.parse(scanned_pdf(*[page] * 5), "long.pdf", PDF)
        assert time.monotonic() - began > 4.0
    assert [page.markdown for page in document.pages] == ["Word"] * 5


async def test_a_recogniser_that_hangs_ends_with_its_process(
    slow_tesseract: Callable[[float], Path],
) -> None:
    note = slow_tesseract(600)
    async with ParserProcess(timeout_seconds=4.0) as parser:
        with pytest.raises(ParsingError, match="was not read within 4 s"):
            await parser.parse(scanned_pdf(scan(EXPENSES)), "scan.pdf", PDF)
        number = int(note.read_text())
        assert (
            not Path(f"/proc/{number}").exists() or "Z" in Path(f"/proc/{number}/stat").read_text()
        )


# where Tesseract is not installed


@pytest.fixture
def without_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose PATH leads to no tesseract."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


@pytest.mark.usefixtures("without_tesseract")
async def test_without_tesseract_a_scan_says_what_to_install() -> None:
    async with ParserProcess() as parser:
        for raw, name, kind in (
            (scanned_pdf(scan(EXPENSES)), "scan.pdf", PDF),
            (saved(scan(EXPENSES), "PNG"), "scan.png", "image/png"),
        ):
            with pytest.raises(ParsingError, match=f"{name} .*apt-get install tesseract-ocr"):
                await parser.parse(raw, name, kind)


@pytest.mark.usefixtures("without_tesseract")
async def test_without_tesseract_the_pages_with_letters_are_read_and_the_others_named() -> None:
    typed = documents.pdf([[(11, 72, 700, "A page with letters, and with some more words on it.")]])
    async with ParserProcess() as parser:
        document = await parser.parse(joined(typed, scanned_pdf(scan(EXPENSES))), "a.pdf", PDF)
    assert [page.number for page in document.pages] == [1]
    assert document.note is not None
    assert "1 of its 2 pages" in document.note


@pytest.mark.usefixtures("without_tesseract")
async def test_without_tesseract_a_folder_skips_pictures_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_bytes(b"")
    told = [change async for change in FolderSource(str(tmp_path)).changes(None)]
    assert isinstance(told[0], Skipped)
    assert "apt-get install tesseract-ocr" in told[0].reason
