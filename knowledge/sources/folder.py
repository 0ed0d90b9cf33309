"""A folder of files."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.files import (
    JUNK,
    LARGEST_BYTES,
    media_type_of,
    picture_type_of,
    pictures_wanted,
    why_not_taken,
)
from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Change, Checkpoint, Skipped, SourceDocument


@dataclass(frozen=True, slots=True)
class FolderSource:
    """All readable files of a folder and of the folders in it; a key is the path within it."""

    location: str
    base_url: str | None = None
    """Where the same files are served; else a document's URL is its path within the folder."""
    largest_bytes: int = LARGEST_BYTES
    pictures: bool = True
    """Whether pictures are taken, where their text can be recognised."""
    kind: str = "folder"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Every file in the order of its path: a folder remembers nothing about the past."""
        del cursor
        for change in await asyncio.to_thread(self._list):
            yield change
        yield Checkpoint()

    def _list(self) -> list[Change]:
        root = Path(self.location)
        if root.is_file():
            return [self._file(root.parent, root)]
        try:
            return list(self._walk(root, root))
        except OSError as error:
            raise SourceError(
                f"The folder {root} cannot be read: {error.strerror}. Check its path and rights; "
                "nothing was removed from the index."
            ) from error

    def _walk(self, root: Path, folder: Path) -> Iterator[Change]:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            key = path.relative_to(root).as_posix()
            reason = _why_not(root, path)
            if reason:
                yield Skipped(ascii(key)[1:-1] if not key.isprintable() else key, reason)
            elif entry.is_dir():
                try:
                    yield from self._walk(root, path)
                except OSError as error:
                    yield Skipped(f"{key}/", f"cannot be read: {error.strerror}", unreadable=True)
            else:
                yield self._file(root, path)

    def _file(self, root: Path, path: Path) -> Change:
        key = path.relative_to(root).as_posix()
        if reason := why_not_taken(path, None, pictures=self.pictures):
            return Skipped(key, reason)
        media_type = media_type_of(path) or picture_type_of(path)
        assert media_type is not None  # else there was a reason
        try:
            found = path.stat()
        except OSError as error:
            return Skipped(key, f"cannot be read: {error.strerror}", unreadable=True)
        if not stat.S_ISREG(found.st_mode):
            return Skipped(key, "is not a file")
        if found.st_size > self.largest_bytes:
            return Skipped(key, f"is larger than {self.largest_bytes // 2**20} MB")
        return SourceDocument(
            key=key,
            media_type=media_type,
            load=lambda: asyncio.to_thread(_load, path),
            url=f"{self.base_url.rstrip('/')}/{quote(key)}" if self.base_url else key,
            base_url=self.base_url,
            modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
        )


def _load(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}. Check the file's rights.") from error


def _why_not(root: Path, path: Path) -> str | None:
    if path.name.startswith((".", "~$")):
        return "is hidden"
    if not path.name.isprintable():  # broken UTF-8 shows as a lone surrogate
        return "has a name with control characters or broken UTF-8"
    if path.name in JUNK:
        return "is known not to be a document"
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        return "is a link that leads out of the folder"
    if path.is_symlink() and path.is_dir():
        return "is a link to a folder that is read in its own place"
    return None


def _open(location: str, options: Options) -> FolderSource:
    path = Path(location).expanduser()
    if not path.exists():
        raise SourceError(f"There is no file or folder {location}. Check the path.")
    return FolderSource(
        str(path.resolve()),
        base_url=options.get("base_url"),
        pictures=pictures_wanted(options),
    )


FOLDER = Kind(
    name="folder",
    location="a folder",
    open=_open,
    options={
        "base_url": "URL under which the folder's files can be opened",
        "pictures": "yes (the default: where Tesseract is installed, their text is read) or no",
    },
)
