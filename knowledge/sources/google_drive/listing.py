"""All files below a folder of Google Drive, or of a whole shared drive."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.google_drive.api import GoogleApi, Json
from knowledge.sources.google_drive.files import FIELDS, FOLDER, SHORTCUT
from knowledge.sources.source import Skipped

PAGE_SIZE = 1000  # the most that Google gives at once
PARENTS = 40  # folders in one question; Google bounds the length of a question
_UNSEEN = {403, 404}


async def file_of(api: GoogleApi, file_id: str) -> Json | None:
    """A file or folder; None: there is none, or it is not shared with the account."""
    response = await api.ask(
        f"/drive/v3/files/{quote(file_id, safe='')}",
        {"fields": FIELDS, "supportsAllDrives": True},
        allow=_UNSEEN,
    )
    found: Json | None = None if response.status_code in _UNSEEN else response.json()
    return found


async def root_of(api: GoogleApi, folder_id: str) -> Json:
    """The folder itself. Raises SourceError: it is gone, or not shared, or no folder."""
    root = await file_of(api, folder_id)
    if root is None or root.get("trashed"):
        raise SourceError(
            f"There is no folder or shared drive {folder_id}, or it is not shared with "
            f"{api.account}: share it with this account. Nothing was removed."
        )
    if root["mimeType"] != FOLDER:
        raise SourceError(f"{root['name']} is not a folder: name the folder that it is in.")
    return root


@dataclass(slots=True)
class Listing:
    """One walk over a tree; afterwards it knows which folders and shortcuts the tree has."""

    api: GoogleApi
    root: Json
    folders: set[str] = field(default_factory=set)
    shortcuts: dict[str, str] = field(default_factory=dict)
    """Target by shortcut."""
    complete: bool = True
    """False: Google says that it has not told all."""
    _told: set[str] = field(default_factory=set)
    _found: set[str] = field(default_factory=set)
    """Folders that were found and not yet walked."""

    async def all(self) -> AsyncIterator[Json | Skipped]:
        """Every file once; behind them what is in it by a shortcut only."""
        if self.root.get("driveId") == self.root["id"]:
            async for file in self._listed("trashed = false", self.root["id"]):
                yield file
            self.folders |= {self.root["id"], *self._found}
        else:
            self._found = {self.root["id"]}
            async for file in self._walked():
                yield file
        async for item in self._by_shortcut():
            yield item

    async def _walked(self) -> AsyncIterator[Json]:
        while self._found - self.folders:
            level = sorted(self._found - self.folders)
            self.folders |= set(level)
            for start in range(0, len(level), PARENTS):
                parents = level[start : start + PARENTS]
                inside = " or ".join(f"'{folder}' in parents" for folder in parents)
                async for file in self._listed(f"({inside}) and trashed = false"):
                    yield file

    async def _listed(self, question: str, drive: str | None = None) -> AsyncIterator[Json]:
        drive = drive or self.root.get("driveId")
        params: dict[str, str | int | bool | None] = {
            "q": question,
            "orderBy": "createdTime",
            "pageSize": PAGE_SIZE,
            "fields": f"nextPageToken,incompleteSearch,files({FIELDS})",
            "supportsAllDrives": True,
            "includeItemsFromAllDrives": True,
            "corpora": "drive" if drive else None,
            "driveId": drive,
        }
        async for page in self.api.pages("/drive/v3/files", params):
            self.complete = self.complete and not page.get("incompleteSearch")
            for file in page["files"]:
                if self._is_document(file):
                    yield file

    def _is_document(self, file: Json) -> bool:
        if file["mimeType"] == FOLDER:
            self._found.add(file["id"])
        elif file["mimeType"] == SHORTCUT:
            self.shortcuts[file["id"]] = file["shortcutDetails"]["targetId"]
        elif file["id"] not in self._told:
            self._told.add(file["id"])
            return True
        return False

    async def _by_shortcut(self) -> AsyncIterator[Json | Skipped]:
        seen: set[str] = set()
        while waiting := sorted(self.shortcuts.keys() - seen):
            seen |= set(waiting)
            for shortcut in waiting:
                target = self.shortcuts[shortcut]
                if target in self._told or target in self.folders:
                    continue
                file = await file_of(self.api, target)
                if file is None or file.get("trashed"):
                    yield Skipped(
                        shortcut,
                        f"is a shortcut to what is gone or not shared with {self.api.account}",
                    )
                elif self._is_document(file):
                    yield file
            # A folder may be in any drive, and may hold shortcuts of its own.
            elsewhere = self._elsewhere()
            async for file in Listing._walked(elsewhere):
                yield file
            self.complete = elsewhere.complete

    def _elsewhere(self) -> "Listing":
        """The same walk, not bound to the drive of the root."""
        return Listing(
            self.api,
            {"id": self.root["id"]},
            self.folders,
            self.shortcuts,
            self.complete,
            self._told,
            self._found,
        )
