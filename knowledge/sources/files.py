"""Which files are documents, by their names: for every kind of source that has files."""

from collections.abc import Iterator
from pathlib import PurePath

from knowledge.errors import SourceError
from knowledge.parsing.ocr import installed
from knowledge.sources.kind import Options

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".htm": "text/html",
    ".html": "text/html",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".mdx": "text/markdown",
    ".pdf": "application/pdf",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rst": "text/plain",
    ".text": "text/plain",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PICTURE_TYPES = {
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}
"""Taken where the text in pictures can be recognised."""
SUCCESSORS = {".doc": ".docx", ".odt": ".docx", ".ppt": ".pptx", ".rtf": ".docx", ".xls": ".xlsx"}
JUNK = {"Thumbs.db", "desktop.ini", "node_modules", "__pycache__", "__MACOSX", "$RECYCLE.BIN"}
LARGEST_BYTES = 50 * 2**20


def media_type_of(path: PurePath) -> str | None:
    """The type by which a file is parsed; None: it is not read."""
    return MEDIA_TYPES.get(path.suffix.lower())


def picture_type_of(path: PurePath) -> str | None:
    """The type of a picture, whose text may be recognised; None: it is none."""
    return PICTURE_TYPES.get(path.suffix.lower())


def why_not_taken(
    path: PurePath, size_bytes: int | None, *, pictures: bool | None = None
) -> str | None:
    """Why a file is not taken, or None. `pictures`: whether they are wanted, where they can be."""
    if pictures is not None and picture_type_of(path):
        if reason := why_no_picture(pictures):
            return reason
    elif media_type_of(path) is None:
        successor = SUCCESSORS.get(path.suffix.lower())
        if successor:
            return f"is of an old format: save it as {successor}"
        return f"is of a type that is not read ({path.suffix or 'no suffix'})"
    if size_bytes is not None and size_bytes > LARGEST_BYTES:
        return f"is larger than {LARGEST_BYTES // 2**20} MB"
    return None


def why_no_picture(wanted: bool) -> str | None:
    """Why pictures are not taken, or None."""
    if not wanted:
        return "is a picture (pictures=no)"
    if not installed():
        return "is a picture, and text recognition is not installed (apt-get install tesseract-ocr)"
    return None


def pictures_wanted(options: Options) -> bool:
    """The option `pictures`. Raises SourceError."""
    pictures = str(options.get("pictures", "yes"))
    if pictures not in {"yes", "no"}:
        raise SourceError(f"pictures is yes or no, not {pictures!r}.")
    return pictures == "yes"


def not_entered(path: PurePath) -> tuple[str, str] | None:
    """The first part of a path that is not looked into, or the name that is not taken; and why."""
    for place, part in _places(path):
        if part.startswith((".", "~$")):
            return place, "is hidden"
        if not part.isprintable():  # broken UTF-8 shows as a lone surrogate
            return ascii(place)[1:-1], "has a name with control characters or broken UTF-8"
        if part in JUNK:
            return place, "is known not to be a document"
    return None


def _places(path: PurePath) -> Iterator[tuple[str, str]]:
    for depth, part in enumerate(path.parts, start=1):
        yield "/".join(path.parts[:depth]), part
