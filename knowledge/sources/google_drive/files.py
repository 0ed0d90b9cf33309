"""What a file of Google Drive becomes: read as it is, exported, or skipped with a reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

import httpx

from knowledge.errors import SourceError
from knowledge.parsing.document import title_of_name
from knowledge.sources.files import LARGEST_BYTES, MEDIA_TYPES, SUCCESSORS
from knowledge.sources.google_drive.api import GoogleApi, Json, explained, reason

GOOGLE = "application/vnd.google-apps."
FOLDER = f"{GOOGLE}folder"
SHORTCUT = f"{GOOGLE}shortcut"
FIELDS = (
    "id,name,mimeType,md5Checksum,modifiedTime,size,parents,trashed,webViewLink,driveId,"
    "permissionIds,permissions(id,type,emailAddress,domain,allowFileDiscovery,deleted,"
    "expirationTime,view),shortcutDetails(targetId,targetMimeType),capabilities(canDownload)"
)
EXPORTS: Mapping[str, str] = {
    f"{GOOGLE}document": "text/markdown",
    f"{GOOGLE}spreadsheet": MEDIA_TYPES[".xlsx"],
    f"{GOOGLE}presentation": MEDIA_TYPES[".pptx"],
}
_NO_TEXT = {"drawing", "form", "jam", "map", "script", "site", "fusiontable", "vid", "mail-layout"}
_IMAGE = re.compile(rb"^\[[^\]\n]+\]:\s*<data:image/[^>\n]*>[ \t]*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read."""

    media_type: str
    exported: bool


def reading(file: Json) -> Reading | str:
    """How a file is read, or why it is not."""
    kind = str(file["mimeType"])
    suffix = PurePosixPath(file["name"]).suffix.lower()
    found: Reading | str
    if kind in EXPORTS:
        found = Reading(EXPORTS[kind], exported=True)
    elif kind.startswith(GOOGLE):
        what = kind.removeprefix(GOOGLE)
        found = f"is of a type without text ({what if what in _NO_TEXT else 'of Google'})"
    elif suffix in SUCCESSORS:
        found = f"is of an old format: save it as {SUCCESSORS[suffix]}"
    elif suffix in MEDIA_TYPES or kind in MEDIA_TYPES.values():
        found = Reading(MEDIA_TYPES.get(suffix, kind), exported=False)
    else:
        return f"is of a type that is not read ({suffix or kind})"
    if int(file.get("size") or 0) > LARGEST_BYTES and kind not in EXPORTS:
        return f"is larger than {LARGEST_BYTES // 2**20} MB"
    if (file.get("capabilities") or {}).get("canDownload") is False:
        return "may not be downloaded: its owner has forbidden it for viewers"
    return found


def fingerprint(file: Json) -> str:
    """Changes with the bytes; Google's own formats have only the time of the last edit."""
    return str(file.get("md5Checksum") or file["modifiedTime"])


def title(file: Json) -> str:
    """A file's name without its suffix; a Google document's name as it is."""
    name = str(file["name"])
    known = PurePosixPath(name).suffix.lower() in MEDIA_TYPES
    return title_of_name(name) if known else name


async def load(api: GoogleApi, file: Json, how: Reading) -> bytes:
    """The bytes of a file. Raises SourceError."""
    path = f"/drive/v3/files/{quote(file['id'], safe='')}"
    if not how.exported:
        response = await api.ask(path, {"alt": "media", "supportsAllDrives": True})
        return response.content
    response = await api.ask(f"{path}/export", {"mimeType": how.media_type}, allow={403})
    if response.status_code == 403:
        response = await _large(api, path, how, response)
    raw = response.content
    return _IMAGE.sub(b"", raw) if how.media_type == "text/markdown" else raw


async def _large(
    api: GoogleApi, path: str, how: Reading, refused: httpx.Response
) -> httpx.Response:
    """Google exports 10 MB at the most; its editors' own export has no such limit."""
    if reason(refused) != "exportSizeLimitExceeded":
        raise explained(refused, api.account)
    links = (await api.get(path, {"fields": "exportLinks", "supportsAllDrives": True})).get(
        "exportLinks", {}
    )
    response = await api.follow(links[how.media_type]) if how.media_type in links else refused
    if response.status_code >= 400 and how.media_type == "text/markdown":
        response = await api.ask(f"{path}/export", {"mimeType": "text/plain"}, allow={403})
    if response.status_code >= 400:
        raise SourceError(
            "is larger than the 10 MB that Google exports: split it, or upload it as a file."
        )
    if len(response.content) > LARGEST_BYTES:
        raise SourceError(f"is larger than {LARGEST_BYTES // 2**20} MB when exported: split it.")
    return response
