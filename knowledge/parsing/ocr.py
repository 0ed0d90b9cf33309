"""Text out of pictures, by Tesseract where it is installed."""

import functools
import io
import os
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knowledge.errors import ParsingError
from knowledge.parsing.characters import visible
from knowledge.parsing.layout import Line

if TYPE_CHECKING:
    from PIL.Image import Image

COMMAND = "tesseract"
DPI = 300  # what Tesseract's models were trained on
LARGEST_PIXELS = 100_000_000  # of a picture; an A0 poster at 300 dpi is larger
_LARGEST_RECOGNISED_PIXELS = 40_000_000  # A3 at 300 dpi is half of it
_SURE = 40  # of 100: a line that is less certain is a smudge, a logo or a photograph
_HEADING_RATIO = 1.3  # of the text's size; what is recognised varies by a tenth
_LINES = {"ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat"}
_PROPERTY = re.compile(r"(\w+) ([^;]+)")


@dataclass(frozen=True, slots=True)
class Ocr:
    """How text is recognised."""

    languages: str = "eng"
    """Tesseract's names, by "+" or commas; "auto": all that are installed."""
    page_seconds: float = 60.0
    alive: Callable[[], None] = lambda: None
    """Called after each page: a long scan takes minutes, and that is no sign of a hang."""

    def lines(self, picture: "Image", name: str, dpi: float) -> list[Line]:
        """The lines of a page, in reading order, turned upright.

        Raises:
            ParsingError: it took too long, or the installation lacks something.
        """
        scale = min(1.0, (_LARGEST_RECOGNISED_PIXELS / max(1, _pixels(picture))) ** 0.5)
        if scale < 1.0:
            size = (int(picture.width * scale), int(picture.height * scale))
            picture, dpi = picture.resize(size), dpi * scale
        page = _recognised(picture, name, dpi, self)
        self.alive()
        return list(_lines(page, picture.size, dpi))


def installed() -> bool:
    """Whether Tesseract is there."""
    return shutil.which(COMMAND) is not None


def ocr_recipe(languages: str) -> tuple[str, ...]:
    """What decides, beside its bytes, what is read of a picture; empty: nothing is read of it."""
    return (f"ocr {languages}",) if installed() else ()


def how_to_install(name: str) -> ParsingError:
    """The error of a picture where text is not recognised."""
    return ParsingError(
        f"{name} holds pictures of text, and text recognition is not installed: "
        "apt-get install tesseract-ocr, or export the document with its text."
    )


def _recognised(picture: "Image", name: str, dpi: float, ocr: Ocr) -> Any:
    """The page in hOCR: HTML whose titles say where everything stands."""
    from lxml import html

    packs, osd = _packs(ocr.languages)
    raw = io.BytesIO()
    picture.convert("L").save(raw, "PPM")
    # 1: layout with the page's orientation, where its model is there; 3: layout only.
    layout = ["--psm", "1" if osd else "3", "--dpi", str(round(min(max(dpi, 70), 2400)))]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and packs that are installed
            [COMMAND, "stdin", "stdout", *layout, "-l", packs, "hocr"],
            input=raw.getvalue(),
            capture_output=True,
            timeout=ocr.page_seconds,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ParsingError(
            f"A page of {name} was not recognised within {ocr.page_seconds:g} s: scan it at 300 "
            "dpi, in black and white."
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ParsingError(
            f"{name} cannot be recognised ({said[-1] if said else done.returncode}): scan it anew."
        )
    return html.document_fromstring(done.stdout, parser=html.HTMLParser(encoding="utf-8"))


@functools.cache
def _packs(languages: str) -> tuple[str, bool]:
    """The packs of `languages` as Tesseract takes them, and whether it can turn pages upright."""
    listed = subprocess.run(  # noqa: S603
        [COMMAND, "--list-langs"], capture_output=True, text=True, timeout=30, check=False
    )
    there = set(listed.stdout.split("\n")[1:]) - {""}
    wanted = list(filter(None, re.split(r"[+,\s]+", languages)))
    if wanted == ["auto"]:
        wanted = sorted(there - {"osd", "equ", "snum"}, key=lambda pack: (pack != "eng", pack))
    missing = [pack for pack in wanted if pack not in there]
    if missing or not wanted:
        names = missing or ["eng"]
        packages = " ".join(f"tesseract-ocr-{pack.lower().replace('_', '-')}" for pack in names)
        raise ParsingError(
            f"Text recognition has no language pack {', '.join(names)}: apt-get install "
            f"{packages}, or change LOREWISE_OCR_LANGUAGES."
        )
    return "+".join(wanted), "osd" in there


@dataclass(frozen=True, slots=True)
class _Found:
    """A line as recognised, in pixels of the upright page, from its top."""

    text: str
    size: float
    left: float
    top: float
    right: float
    base: float


def _lines(page: Any, size: tuple[int, int], dpi: float) -> Iterator[Line]:
    found = [line for element in page.iter("span") if (line := _found(element, size))]
    if not found:
        return
    points = 72 / dpi
    usual = statistics.median([line.size for line in found for _ in line.text])
    for line in found:
        ratio = line.size / usual
        steps = 1.0 if 1 / _HEADING_RATIO < ratio < _HEADING_RATIO else round(ratio * 4) / 4
        yield Line(
            text=line.text,
            size=max(1.0, round(usual * points) * steps),
            bold=False,
            left=line.left * points,
            bottom=-line.base * points,  # below the page's upper edge: only distances matter
            right=line.right * points,
            top=-line.top * points,
        )


def _found(element: Any, size: tuple[int, int]) -> _Found | None:
    if element.get("class") not in _LINES:
        return None
    words = [(word, _properties(word)) for word in element.iter("span") if word is not element]
    text = " ".join(visible(" ".join(word.text_content() for word, _ in words)).split())
    sure = [float(properties.get("x_wconf", 0)) for _, properties in words]
    if not any(c.isalnum() for c in text) or statistics.fmean(sure) < _SURE:
        return None
    properties = _properties(element)
    left, top, right, bottom = _upright(properties, size)
    height = float(properties.get("x_size", bottom - top))
    baseline = properties.get("baseline")
    if baseline:
        base = bottom + float(baseline.split()[1])
    else:  # of a turned page: letters below the line make it higher
        base = bottom - (
            float(properties.get("x_descenders", 0)) if bottom - top > height * 0.9 else 0
        )
    return _Found(text, height, left, top, right, base)


def _properties(element: Any) -> dict[str, str]:
    return dict(_PROPERTY.findall(element.get("title") or ""))


def _upright(
    properties: dict[str, str], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """A line's box on the page as it is read; `textangle` says how it stands on the scan."""
    left, top, right, bottom = map(float, properties["bbox"].split())
    width, height = size
    match round(float(properties.get("textangle", 0))) % 360:
        case 90:
            return height - bottom, left, height - top, right
        case 180:
            return width - right, height - bottom, width - left, height - top
        case 270:
            return top, width - right, bottom, width - left
    return left, top, right, bottom


def _pixels(picture: "Image") -> int:
    return picture.width * picture.height
