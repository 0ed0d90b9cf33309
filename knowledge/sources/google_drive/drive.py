"""What has changed below a folder of Google Drive since a cursor.

Google keeps a log of changes for an account or a drive. Plain files in it are told one by one.
Anything that may concern other files too (a folder, a shortcut, the members of a group or of the
drive) makes the next telling a whole one; contents are then loaded only where they are others.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from knowledge.errors import SourceError
from knowledge.sources.cursors import digest_of, full_due
from knowledge.sources.google_drive.account import Account, account
from knowledge.sources.google_drive.api import API, DIRECTORY, GoogleApi, Json, google_wait
from knowledge.sources.google_drive.files import (
    FIELDS,
    FOLDER,
    SHORTCUT,
    Reading,
    fingerprint,
    load,
    reading,
    title,
)
from knowledge.sources.google_drive.listing import PAGE_SIZE, Listing, file_of, root_of
from knowledge.sources.google_drive.rights import Rights, checked_domain, reasons
from knowledge.sources.kind import Options
from knowledge.sources.patience import Vendor
from knowledge.sources.readers import Granting, hours, mapping_of
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument

VERSION = 1
READ = "https://www.googleapis.com/auth/drive.readonly"
READ_MEMBERS = "https://www.googleapis.com/auth/admin.directory.group.member.readonly"
_ID = re.compile(r"(?:/(?:folders|drives?)/|[?&]id=|^)([A-Za-z0-9_-]{10,})(?:[/?&#]|$)")
_LOST = {400, 403, 404, 410}
"""Google's answers to a page token of the changes that it does not know any more."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What the last whole telling found, with the place in the log of changes since."""

    token: str
    listed_at: datetime
    folders: frozenset[str]
    shortcuts: frozenset[str]
    """Shortcuts and what they lead to."""
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DriveSource:
    """A folder or shared drive; a key is a file's id, which stays when the file is moved."""

    location: str
    folder_id: str
    reader: Account
    directory: Account | None
    granting: Granting
    domain: str = ""
    links: bool = False
    full_hours: float = 24.0
    base_url: str = API
    directory_url: str = DIRECTORY
    vendor: Vendor = field(
        default_factory=lambda: Vendor("Google", wait=google_wait), repr=False, compare=False
    )
    kind: str = "google_drive"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What the log of changes tells since the cursor, or everything."""
        async with self.vendor.client() as client:
            api, rights = self._apis(client)
            root = await root_of(api, self.folder_id)
            past = self._past(cursor)
            log = await self._log(api, rights, root, past) if past else None
            if past and log is not None:
                for file in log[0]:
                    yield await self._told(rights, file)
                yield Checkpoint(self._cursor(past, log[1]), complete=False)
                return
            async for change in self._everything(api, rights, root):
                yield change

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """Each of these files as it is now."""
        async with self.vendor.client() as client:
            api, rights = self._apis(client)
            for key in keys:
                file = await file_of(api, key)
                gone = file is None or file.get("trashed")
                yield Removed(key) if gone or file is None else await self._told(rights, file)

    async def _everything(
        self, api: GoogleApi, rights: Rights, root: Json
    ) -> AsyncIterator[Change]:
        began = datetime.now(UTC)
        start = {"driveId": root.get("driveId"), "supportsAllDrives": True}
        # Taken first: what changes while the listing runs is told by the next run.
        token = (await api.get("/drive/v3/changes/startPageToken", start))["startPageToken"]
        listing = Listing(api, root)
        async for item in listing.all():
            yield item if isinstance(item, Skipped) else await self._told(rights, item)
        past = _Past(
            token,
            began,
            frozenset(listing.folders),
            frozenset([*listing.shortcuts, *listing.shortcuts.values()]),
            await rights.seen_groups(),
        )
        # Without a cursor the next run lists everything: of folders that Google has left out now,
        # the log would tell every file as gone.
        cursor = self._cursor(past, token) if listing.complete else None
        yield Checkpoint(cursor, complete=listing.complete)

    async def _log(
        self, api: GoogleApi, rights: Rights, root: Json, past: _Past
    ) -> tuple[list[Json | Removed], str] | None:
        """The files that have changed, and the next place in the log; None: all must be told."""
        if await rights.groups(sorted(past.groups)) != past.groups:
            return None
        found: dict[str, Json | Removed] = {}
        token = past.token
        while True:
            page = await self._log_page(api, root, token)
            if page is None:
                return None
            for change in page["changes"]:
                one = _one(change, past)
                if one is None:
                    return None
                found[change["fileId"]] = one
            if "newStartPageToken" in page:
                return list(found.values()), page["newStartPageToken"]
            token = page["nextPageToken"]

    async def _log_page(self, api: GoogleApi, root: Json, token: str) -> Json | None:
        response = await api.ask(
            "/drive/v3/changes",
            {
                "pageToken": token,
                "pageSize": PAGE_SIZE,
                "driveId": root.get("driveId"),
                "includeRemoved": True,
                "supportsAllDrives": True,
                "includeItemsFromAllDrives": True,
                "fields": "nextPageToken,newStartPageToken,"
                f"changes(changeType,fileId,removed,file({FIELDS}))",
            },
            allow=_LOST,
        )
        page: Json | None = None if response.status_code in _LOST else response.json()
        return page

    async def _told(
        self, rights: Rights, file: Json | Removed
    ) -> SourceDocument | Removed | Skipped:
        if isinstance(file, Removed):
            return file
        how = reading(file)
        if isinstance(how, str):
            return Skipped(file["id"], f"{file['name']} {how}")
        principals: frozenset[str] | None = None
        if self.granting.vendor:
            principals = await rights.readers(file)
            reason = reasons(principals, self.reader.email)
            if reason:
                return Skipped(file["id"], f"{file['name']} {reason}")
        return SourceDocument(
            key=file["id"],
            media_type=how.media_type,
            load=partial(self._load, file, how),
            title=title(file),
            url=file.get("webViewLink"),
            modified_at=datetime.fromisoformat(file["modifiedTime"]),
            principals=principals,
            fingerprint=fingerprint(file),
        )

    async def _load(self, file: Json, how: Reading) -> bytes:
        async with self.vendor.client() as client:
            return await load(self._apis(client)[0], file, how)

    def _apis(self, client: httpx.AsyncClient) -> tuple[GoogleApi, Rights]:
        api = GoogleApi(client, self.reader, self.base_url)
        directory = None
        if self.directory:
            directory = GoogleApi(client, self.directory, self.directory_url)
        return api, Rights(api, directory, self.granting, self.domain, self.links)

    def _past(self, cursor: Mapping[str, Any] | None) -> _Past | None:
        if not cursor or cursor.get("version") != VERSION or cursor.get("for") != self._digest():
            return None
        past = _Past(
            cursor["token"],
            datetime.fromisoformat(cursor["listed_at"]),
            frozenset(cursor["folders"]),
            frozenset(cursor["shortcuts"]),
            cursor["groups"],
        )
        due = full_due(past.listed_at, datetime.now(UTC), self.full_hours)
        return None if due else past

    def _cursor(self, past: _Past, token: str) -> dict[str, Any]:
        return {
            "version": VERSION,
            "for": self._digest(),
            "token": token,
            "listed_at": past.listed_at.isoformat(),
            "folders": sorted(past.folders),
            "shortcuts": sorted(past.shortcuts),
            "groups": dict(past.groups),
        }

    def _digest(self) -> str:
        """Other readers by other options: then everything is told anew."""
        granting = self.granting
        return digest_of(
            {
                "folder": self.folder_id,
                "account": self.reader.email,
                "domain": self.domain,
                "links": self.links,
                "directory": self.directory is not None,
                "groups": {name: sorted(to) for name, to in granting.groups.items()},
                "wide": [sorted(granting.public), granting.vendor],
            }
        )


def _one(change: Json, past: _Past) -> Json | Removed | None:
    """What a change means for one file; None: it may mean something for others."""
    if change.get("changeType") == "drive":
        return None
    key, file = change["fileId"], change.get("file")
    if key in past.folders or key in past.shortcuts:
        return None
    if change.get("removed") or not file or file.get("trashed"):
        return Removed(key)
    if past.folders.isdisjoint(file.get("parents", ())):
        return Removed(key)
    return None if file["mimeType"] in {FOLDER, SHORTCUT} else file


def folder_id(location: str) -> str:
    """The id in an address, or the id itself. Raises SourceError: it is neither."""
    found = _ID.search(location.strip())
    if not found:
        raise SourceError(
            f"{location} is not the address of a folder: open the folder in the browser and copy "
            "its address (https://drive.google.com/drive/folders/…)."
        )
    return found[1]


def open_drive(location: str, options: Options) -> DriveSource:
    """See knowledge.sources.google_drive.GOOGLE_DRIVE. Raises SourceError."""
    if "credentials" not in options:
        raise SourceError("The kind google_drive needs credentials=env:NAME_OF_THE_VARIABLE.")
    if options.get("links", "everyone") != "everyone":
        raise SourceError("links can only be everyone; leave it out otherwise.")
    key = str(options["credentials"])
    administrator = options.get("directory_subject")
    base_url = options.get("base_url")
    return DriveSource(
        location,
        folder_id(location),
        account(key, [READ], options.get("subject")),
        account(key, [READ_MEMBERS], str(administrator)) if administrator else None,
        mapping_of(options),
        checked_domain(str(options.get("domain", ""))),
        links="links" in options,
        full_hours=hours(options, "full_hours", 24.0),
        base_url=str(base_url or API).rstrip("/"),
        directory_url=str(base_url or DIRECTORY).rstrip("/"),
    )
