"""Pictures of known text, as a scanner or a camera makes them."""

import io
from collections.abc import Sequence

import pypdfium2
from PIL import Image, ImageDraw, ImageFont

DPI = 200
Written = tuple[float, str]
"""Size in points, text; an empty text is a gap."""


def scan(lines: Sequence[Written], *, dpi: int = DPI, turned: int = 0) -> Image.Image:
    """The upper part of an A4 page in grey, turned by some degrees against the clock."""
    page = Image.new("L", (round(8.27 * dpi), round(11.69 * dpi)), 250)
    draw = ImageDraw.Draw(page)
    top = dpi
    for size, text in lines:
        pixels = size / 72 * dpi
        draw.text((dpi, top), text, font=ImageFont.truetype("DejaVuSans.ttf", pixels), fill=20)
        top += round(pixels * 1.35)
    page = page.crop((0, 0, page.width, min(page.height, top + dpi)))
    return page.rotate(turned, expand=True, fillcolor=250)


def saved(page: Image.Image, kind: str, *others: Image.Image, **options: object) -> bytes:
    """A picture in a format of Pillow's; `others` are its further pages."""
    out = io.BytesIO()
    if others:
        options |= {"save_all": True, "append_images": list(others)}
    page.save(out, kind, **options)
    return out.getvalue()


def scanned_pdf(*pages: Image.Image, dpi: int = DPI) -> bytes:
    """A PDF of pictures."""
    return saved(pages[0], "PDF", *pages[1:], resolution=dpi)


def joined(*files: bytes) -> bytes:
    """The pages of some PDFs in one."""
    whole = pypdfium2.PdfDocument.new()
    for file in files:
        part = pypdfium2.PdfDocument(file)
        whole.import_pages(part)
        part.close()
    out = io.BytesIO()
    whole.save(out)
    whole.close()
    return out.getvalue()
