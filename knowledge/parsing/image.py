"""Pictures of text: photographs and scans."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing import ocr as recognition
from knowledge.parsing.document import Page, ParsedDocument, title_of_name
from knowledge.parsing.layout import Line, body_of, largest_heading, lines_markdown
from knowledge.parsing.ocr import Ocr

_MOST_PAGES = 500  # of a TIFF
_PAPER_INCHES = 8.27  # the width of A4, where a picture does not say its resolution
_SCREEN_DPI = 96
_ENOUGH_PIXELS = 9_000_000  # A4 at 300 dpi
_WIDEST_SCREEN = 2000  # pixels; a wider picture without a resolution is a scan or a photograph


def parse_image(raw: bytes, name: str, ocr: Ocr | None) -> ParsedDocument:
    """The text of a picture; each picture of a TIFF is a page."""
    if ocr is None:
        raise recognition.how_to_install(name)
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            pages = _pages(picture, name, ocr)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ParsingError(f"{name} is a broken picture ({error}): save it again.") from error
    if not any(pages):
        raise EmptyDocumentError(f"{name} is a picture without text that can be recognised.")
    body = body_of(pages)
    numbers = range(1, len(pages) + 1) if len(pages) > 1 else [None]
    return ParsedDocument(
        largest_heading(pages, body) or title_of_name(name),
        tuple(
            Page(number, lines_markdown(lines, body))
            for number, lines in zip(numbers, pages, strict=True)
        ),
    )


def _pages(picture: Image.Image, name: str, ocr: Ocr) -> list[list[Line]]:
    count = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    if count > _MOST_PAGES:
        raise ParsingError(f"{name} has {count} pages: split it.")
    found = []
    for number in range(count):
        picture.seek(number)
        if picture.width * picture.height > recognition.LARGEST_PIXELS:
            raise ParsingError(
                f"{name} is too large ({picture.width} x {picture.height} pixels): make it smaller."
            )
        page, dpi = _readable(picture)
        found.append(ocr.lines(page, name, dpi))
    return found


def _readable(picture: Image.Image) -> tuple[Image.Image, float]:
    """The picture upright, in grey on white, and large enough; with its dots per inch."""
    dpi = _dpi(picture)
    page = ImageOps.exif_transpose(picture)
    if page.has_transparency_data:
        white = Image.new("RGBA", page.size, "white")
        page = Image.alpha_composite(white, page.convert("RGBA"))
    page = page.convert("L")
    scale = min(recognition.DPI / dpi, (_ENOUGH_PIXELS / (page.width * page.height)) ** 0.5)
    if scale > 1.2:  # small letters are recognised badly
        page = page.resize(
            (round(page.width * scale), round(page.height * scale)), Image.Resampling.BICUBIC
        )
        dpi *= scale
    return page, dpi


def _dpi(picture: Image.Image) -> float:
    said = float(picture.info.get("dpi", (0, 0))[0])
    if said > _SCREEN_DPI and picture.width / said > 2:
        return min(said, 1200.0)
    if picture.width <= _WIDEST_SCREEN:
        return _SCREEN_DPI
    return picture.width / _PAPER_INCHES
