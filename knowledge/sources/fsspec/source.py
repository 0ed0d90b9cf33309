"""A place that fsspec can read, as a source."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from knowledge.sources.files import media_type_of, not_entered, picture_type_of, why_not_taken
from knowledge.sources.fsspec.entries import Entry, entries_in, entries_of_listing
from knowledge.sources.fsspec.place import Place
from knowledge.sources.source import Change, Checkpoint, Skipped, SourceDocument

_DEEPEST = 50  # a server may invent folders without end
_AT_ONCE = 8  # files of a listing that are asked for their size and version


@dataclass(frozen=True, slots=True)
class FsspecSource:
    """All readable files at and below an address; a key is the path below it.

    It is told folder by folder, so no more than the folders on the way down are held.
    """

    location: str
    storage: Mapping[str, Mapping[str, Any]] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    base_url: str | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    pictures: bool = True
    kind: str = "fsspec"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Every file in the order of its path: such places remember nothing about the past."""
        del cursor
        place = Place(self.location, self.storage, self.secrets)
        try:
            single, entries = await self._begin(place)
        except PermissionError as error:
            raise place.refused(error) from error
        if single:
            yield self._file(place, PurePosixPath(entries[0].name), entries[0])
        else:
            async for change in self._folder(place, PurePosixPath(), entries):
                yield change
        yield Checkpoint()

    @property
    def _is_listing(self) -> bool:
        return self.location.startswith(("http://", "https://"))

    async def _begin(self, place: Place) -> tuple[bool, list[Entry]]:
        """What is at the address: one file, or what is in a folder."""
        await place.open()
        name = PurePosixPath(unquote(place.root)).name
        if self._is_listing:
            if not place.root.endswith("/") and why_not_taken(PurePosixPath(name), None) is None:
                await place.page(place.root)  # a wrong address must be an error
                entry = Entry(name, place.root, folder=False, file=True, info={})
                return True, await self._looked_up(place, [entry])
            return False, await self._list(place, f"{place.root.rstrip('/')}/")
        info = {"type": "directory"} if not name else await place.info(place.root)
        if info.get("type") == "file":
            return True, [Entry(name, place.root, folder=False, file=True, info=info)]
        return False, await self._list(place, place.root)

    async def _list(self, place: Place, path: str) -> list[Entry]:
        if self._is_listing:
            return entries_of_listing(path, await place.page(path))
        return entries_in(path, await place.ls(path))

    async def _folder(
        self, place: Place, folder: PurePosixPath, entries: Sequence[Entry]
    ) -> AsyncIterator[Change]:
        for start in range(0, len(entries), _AT_ONCE):
            for entry in await self._looked_up(place, entries[start : start + _AT_ONCE]):
                async for change in self._one(place, folder / entry.name, entry):
                    yield change

    async def _one(self, place: Place, path: PurePosixPath, entry: Entry) -> AsyncIterator[Change]:
        if hidden := not_entered(path):
            yield Skipped(*hidden)
        elif not entry.folder:
            yield self._file(place, path, entry)
        elif self._excluded(f"{path}/"):
            yield Skipped(f"{path}/", "is left out by the option exclude")
        elif len(path.parts) > _DEEPEST:
            yield Skipped(f"{path}/", f"lies deeper than {_DEEPEST} folders")
        else:
            try:
                entries = await self._list(place, entry.path)
            except PermissionError as error:
                yield Skipped(f"{path}/", f"cannot be listed: {error}", unreadable=True)
                return
            async for change in self._folder(place, path, entries):
                yield change

    async def _looked_up(self, place: Place, entries: Sequence[Entry]) -> list[Entry]:
        """A listing tells names only: ask for the sizes and versions of what will be taken."""
        if not self._is_listing:
            return list(entries)

        async def one(entry: Entry) -> Entry:
            name = PurePosixPath(entry.name)
            if entry.folder or why_not_taken(name, None, pictures=self.pictures):
                return entry
            try:
                return replace(entry, info=await place.info(entry.path))
            except PermissionError:  # told without a version: loading it says what is wrong
                return entry

        return list(await asyncio.gather(*map(one, entries)))

    def _file(self, place: Place, path: PurePosixPath, entry: Entry) -> Change:
        key = str(path)
        if reason := self._why_not(path, entry):
            return Skipped(key, reason)
        return SourceDocument(
            key=key,
            media_type=media_type_of(path) or picture_type_of(path) or "",
            load=partial(place.read, entry.path),
            url=self._url(key, entry),
            base_url=self.base_url,
            modified_at=entry.modified_at,
            fingerprint=entry.fingerprint(datetime.now(UTC)),
        )

    def _why_not(self, path: PurePosixPath, entry: Entry) -> str | None:
        if not entry.file:
            return "is a link or not a file"
        if self._excluded(str(path)):
            return "is left out by the option exclude"
        if self.include and not any(fnmatchcase(str(path), each) for each in self.include):
            return "is left out by the option include"
        return why_not_taken(path, entry.size_bytes, pictures=self.pictures)

    def _excluded(self, key: str) -> bool:
        return any(fnmatchcase(key, pattern) for pattern in self.exclude)

    def _url(self, key: str, entry: Entry) -> str:
        if self.base_url:
            return f"{self.base_url.rstrip('/')}/{quote(key)}"
        return entry.path if self._is_listing else key
