"""Which files are documents, by their names: for every kind of source that has files."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from knowledge.sources.folder import (
    JUNK,
    LARGEST_BYTES,
    MEDIA_TYPES,
    PICTURE_TYPES,
    SUCCESSORS,
    why_no_picture,
)


def media_type_of(path: PurePosixPath) -> str | None:
    """The type by which a file is parsed; None: it is not read."""
    return MEDIA_TYPES.get(path.suffix.lower())


def picture_type_of(path: PurePosixPath) -> str | None:
    """The type of a picture, whose text may be recognised; None: it is none."""
    return PICTURE_TYPES.get(path.suffix.lower())


def why_not_taken(
    path: PurePosixPath, size_bytes: int | None, *, pictures: bool | None = None
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


def not_entered(path: PurePosixPath) -> tuple[str, str] | None:
    """The first part of a path that is not looked into, or the name that is not taken; and why."""
    for place, part in _places(path):
        if part.startswith((".", "~$")):
            return place, "is hidden"
        if not part.isprintable():  # broken UTF-8 shows as a lone surrogate
            return ascii(place)[1:-1], "has a name with control characters or broken UTF-8"
        if part in JUNK:
            return place, "is known not to be a document"
    return None


def _places(path: PurePosixPath) -> Iterator[tuple[str, str]]:
    for depth, part in enumerate(path.parts, start=1):
        yield "/".join(path.parts[:depth]), part
