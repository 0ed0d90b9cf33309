"""Google's token endpoint, Drive API v3 and Directory API, strict about what they are asked."""

import functools
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.vendors.server import VendorServer, answer

Json = dict[str, Any]
EMAIL = "lorewise@acme-project.iam.gserviceaccount.com"
READ = "https://www.googleapis.com/auth/drive.readonly"
READ_MEMBERS = "https://www.googleapis.com/auth/admin.directory.group.member.readonly"
GOOGLE = "application/vnd.google-apps."
FOLDER = f"{GOOGLE}folder"
ROOT = "1RootFolderOfTheHandbook"
DRIVE = "0ASharedDriveOfAcmeUk9PVA"
_QUESTION = re.compile(
    r"(?:\((?P<parents>'[\w-]+' in parents(?: or '[\w-]+' in parents)*)\) and )?trashed = false"
)


@functools.cache
def private_key() -> str:
    """A key of a service account, made once: it takes a while."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def credentials(url: str) -> str:
    """The JSON key of the service account, whose tokens come from `url`."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "acme-project",
            "private_key_id": "0123456789abcdef",
            "private_key": private_key(),
            "client_email": EMAIL,
            "client_id": "104000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"{url}/token",
            "universe_domain": "googleapis.com",
        }
    )


def user(address: str, **more: Any) -> Json:
    """A permission of one person."""
    return permission("user", address, emailAddress=address, **more)


def group(address: str) -> Json:
    """A permission of a group."""
    return permission("group", address, emailAddress=address)


def domain(name: str, *, found: bool = True) -> Json:
    """A permission of everybody in a domain, or of those there who have the link."""
    return permission("domain", name + str(found), domain=name, allowFileDiscovery=found)


def anyone(*, found: bool = False) -> Json:
    """A permission of everybody who has the link, or of the whole web."""
    return permission("anyone", "anyone" + str(found), allowFileDiscovery=found)


def permission(kind: str, who: str, **more: Any) -> Json:
    """A permission; its id stands for whom it is given to."""
    number = int(hashlib.sha256(who.encode()).hexdigest()[:15], 16)
    return {
        "kind": "drive#permission",
        "id": f"{number:020}",
        "type": kind,
        "role": "reader",
    } | more


class GoogleServer(VendorServer):
    """A Drive with files, and a directory with groups."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, Json] = {}
        self.content: dict[str, bytes] = {}
        self.exports: dict[str, dict[str, bytes]] = {}
        self.permissions: dict[str, list[Json]] = {}
        self.large: set[str] = set()
        """Google documents that are too large to export."""
        self.unshared: set[str] = set()
        self.groups: dict[str, list[Json]] = {}
        self.delegated: set[str] = {READ, READ_MEMBERS}
        """Scopes in which the service account may act for users."""
        self.shows_permissions = True
        self.largest_page = 1000
        self.first_token = 0
        """Changes before this one are forgotten."""
        self.incomplete = False
        self.subjects: list[str | None] = []
        self._log: list[tuple[str, str]] = []
        self._tokens: dict[str, str] = {}
        self._now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
        self.put_folder(ROOT, "Handbook", parent="")
        self.put_folder(DRIVE, "Drive", parent="", drive=DRIVE)

    # what people do in Drive

    def put_folder(self, key: str, name: str, *, parent: str = ROOT, drive: str = "") -> None:
        """Make a folder, or change its name or place."""
        self._put(key, name, FOLDER, parent, drive)

    def put_file(
        self,
        key: str,
        name: str,
        content: bytes,
        *,
        kind: str = "text/markdown",
        parent: str = ROOT,
        permissions: Sequence[Json] = (),
        drive: str = "",
    ) -> None:
        """Upload a file, or another version of it."""
        self._put(key, name, kind, parent, drive)
        self.content[key] = content
        self.files[key] |= {
            "md5Checksum": hashlib.md5(content).hexdigest(),
            "size": str(len(content)),
        }
        self.permissions[key] = list(permissions)

    def put_document(
        self,
        key: str,
        name: str,
        kind: str,
        exports: dict[str, bytes],
        *,
        permissions: Sequence[Json] = (),
    ) -> None:
        """Write one of Google's own documents."""
        self._put(key, name, f"{GOOGLE}{kind}", ROOT, "")
        self.exports[key] = exports
        self.permissions[key] = list(permissions)

    def put_shortcut(self, key: str, target: str, *, parent: str = ROOT) -> None:
        """Put a shortcut somewhere."""
        kind = self.files[target]["mimeType"] if target in self.files else "text/plain"
        self._put(key, "Shortcut", f"{GOOGLE}shortcut", parent, "")
        self.files[key]["shortcutDetails"] = {"targetId": target, "targetMimeType": kind}

    def touch(self, key: str, **fields: Any) -> None:
        """Change something about a file; whoever follows the changes is told."""
        self.files[key] |= fields
        self._log.append(("file", key))

    def delete(self, key: str) -> None:
        """Delete a file for ever."""
        del self.files[key]
        self._log.append(("file", key))

    def change_drive(self) -> None:
        """Change the members of a shared drive."""
        self._log.append(("drive", DRIVE))

    def _put(self, key: str, name: str, kind: str, parent: str, drive: str) -> None:
        self._now += timedelta(seconds=1)
        before = self.files.get(key, {})
        moment = self._now.strftime("%Y-%m-%dT%H:%M:%S.123Z")
        self.files[key] = {
            "kind": "drive#file",
            "id": key,
            "name": name,
            "mimeType": kind,
            "createdTime": before.get("createdTime", moment),
            "modifiedTime": moment,
            "trashed": False,
            "webViewLink": f"https://drive.google.com/file/d/{key}/view",
            "capabilities": {"canDownload": True},
        }
        if parent:
            self.files[key]["parents"] = [parent]
        if drive:
            self.files[key]["driveId"] = drive
        self._log.append(("file", key))

    # what Google answers

    def routes(self) -> list[web.RouteDef]:
        drive = "/drive/v3"
        return [
            web.post("/token", self._token),
            web.get(f"{drive}/files", self._list),
            web.get(f"{drive}/files/{{id}}", self._get),
            web.get(f"{drive}/files/{{id}}/export", self._export),
            web.get(f"{drive}/files/{{id}}/permissions", self._list_permissions),
            web.get(f"{drive}/changes/startPageToken", self._start),
            web.get(f"{drive}/changes", self._changes),
            web.get("/feeds/download/{id}", self._download),
            web.get("/admin/directory/v1/groups/{group}/members", self._members),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        if request.path == "/token":
            return None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        wanted = READ_MEMBERS if request.path.startswith("/admin/") else READ
        if token not in self._tokens:
            return error(401, "authError", "Request had invalid authentication credentials.")
        if self._tokens[token] != wanted:
            return error(403, "insufficientPermissions", "Insufficient Permission")
        return None

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        key = serialization.load_pem_private_key(private_key().encode(), None)
        claims = jwt.decode(
            str(form["assertion"]),
            key.public_key(),  # type: ignore[arg-type]
            algorithms=["RS256"],
            audience="https://oauth2.googleapis.com/token",
        )
        subject = claims.get("sub")
        if claims["iss"] != EMAIL:
            return answer({"error": "invalid_grant", "error_description": "Unknown account"}, 400)
        if subject and claims["scope"] not in self.delegated:
            said = "Client is unauthorized to retrieve access tokens using this method."
            return answer({"error": "unauthorized_client", "error_description": said}, 401)
        self.subjects.append(subject)
        token = f"ya29.{len(self._tokens)}"
        self._tokens[token] = claims["scope"]
        return answer({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        question = _QUESTION.fullmatch(query["q"])
        size = int(query.get("pageSize", 100))
        if not question or not 1 <= size <= 1000:
            return error(400, "invalid", "Invalid Value")
        if query.get("orderBy") not in {None, "createdTime", "name", "modifiedTime"}:
            return error(400, "invalid", "Sorting by this is not supported")
        if bool(query.get("driveId")) != (query.get("corpora") == "drive"):
            return error(400, "teamDrivesParentParameterMismatch", "driveId and corpora")
        if question["parents"]:
            parents = set(re.findall(r"'([\w-]+)'", question["parents"]))
            if lost := [key for key in parents if not self._seen(key)]:
                return missing(lost[0])
            found = [f for f in self._all(query) if parents & set(f.get("parents", ()))]
        else:
            found = [file for file in self._all(query) if file.get("parents")]
        found = [file for file in found if not file["trashed"] and self._seen(file["id"])]
        found.sort(key=lambda file: file["createdTime"])
        start = int(query.get("pageToken", "~0").removeprefix("~"))
        end = start + min(size, self.largest_page)
        page: Json = {
            "kind": "drive#fileList",
            "incompleteSearch": self.incomplete,
            "files": [self._shown(file) for file in found[start:end]],
        }
        if end < len(found):
            page["nextPageToken"] = f"~{end}"
        return answer(selected(page, query["fields"]))

    def _all(self, query: Any) -> list[Json]:
        if query.get("includeItemsFromAllDrives") != "true":
            return [file for file in self.files.values() if "driveId" not in file]
        drive = query.get("driveId")
        return [file for file in self.files.values() if not drive or file.get("driveId") == drive]

    async def _get(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        if not self._seen(key) or self._needs_drives(request):
            return missing(key)
        if request.query.get("alt") == "media":
            if key not in self.content:
                return error(403, "fileNotDownloadable", "Only files with binary content")
            return web.Response(body=self.content[key], content_type="application/octet-stream")
        shown = self._shown(self.files[key])
        if key in self.exports:
            links = {
                mime: f"{self.url}/feeds/download/{key}?exportFormat={mime.split('/')[-1]}"
                for mime in self.exports[key]
            }
            shown["exportLinks"] = links
        return answer(selected(shown, request.query["fields"]))

    async def _export(self, request: web.Request) -> web.Response:
        key, kind = request.match_info["id"], request.query["mimeType"]
        if not self._seen(key):
            return missing(key)
        if key in self.large and kind != "text/plain":
            return error(403, "exportSizeLimitExceeded", "This file is too large to be exported.")
        if kind not in self.exports.get(key, {}):
            return error(400, "badRequest", "The requested conversion is not supported.")
        return web.Response(body=self.exports[key][kind])

    async def _download(self, request: web.Request) -> web.Response:
        exports = self.exports[request.match_info["id"]]
        wanted = request.query["exportFormat"]
        found = next((raw for mime, raw in exports.items() if mime.endswith(wanted)), None)
        if found is None or b"never" in found:
            return web.Response(status=400, text="<html>Sorry, unable to open the file.</html>")
        return web.Response(body=found)

    async def _list_permissions(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        if not self._seen(key) or self._needs_drives(request):
            return missing(key)
        if not self.shows_permissions:
            said = "The user does not have sufficient permissions for this file."
            return error(403, "insufficientFilePermissions", said)
        start, size = int(request.query.get("pageToken", 0)), int(request.query["pageSize"])
        if not 1 <= size <= 100:
            return error(400, "invalid", "Invalid Value")
        end = start + min(size, self.largest_page)
        page: Json = {"permissions": self.permissions[key][start:end]}
        if end < len(self.permissions[key]):
            page["nextPageToken"] = str(end)
        return answer(selected(page, request.query["fields"]))

    async def _start(self, request: web.Request) -> web.Response:
        return answer({"kind": "drive#startPageToken", "startPageToken": str(len(self._log))})

    async def _changes(self, request: web.Request) -> web.Response:
        query = request.query
        if not query["pageToken"].isdigit() or not 1 <= int(query["pageSize"]) <= 1000:
            return error(400, "invalid", "Invalid Value")
        start = int(query["pageToken"])
        if start < self.first_token:
            return error(410, "pageTokenExpired", "The page token is no longer valid.")
        end = min(start + min(int(query["pageSize"]), self.largest_page), len(self._log))
        page: Json = {
            "kind": "drive#changeList",
            "changes": [self._change(kind, key) for kind, key in self._log[start:end]],
        }
        if end < len(self._log):
            page["nextPageToken"] = str(end)
        else:
            page["newStartPageToken"] = str(end)
        return answer(selected(page, query["fields"]))

    def _change(self, kind: str, key: str) -> Json:
        if kind == "drive":
            return {"kind": "drive#change", "changeType": "drive", "driveId": key}
        change: Json = {"kind": "drive#change", "changeType": "file", "fileId": key}
        if self._seen(key):
            return {**change, "removed": False, "file": self._shown(self.files[key])}
        return {**change, "removed": True}

    async def _members(self, request: web.Request) -> web.Response:
        key, query = request.match_info["group"], request.query
        if key not in self.groups:
            return error(404, "notFound", f"Resource Not Found: {key}")
        if not 1 <= int(query["maxResults"]) <= 200:
            return error(400, "invalid", "Invalid Input: maxResults")
        start = int(query.get("pageToken", 0))
        end = start + min(int(query["maxResults"]), self.largest_page)
        page: Json = {"kind": "admin#directory#members", "members": self.groups[key][start:end]}
        if end < len(self.groups[key]):
            page["nextPageToken"] = str(end)
        return answer(page)

    def _shown(self, file: Json) -> Json:
        """A file as a listing shows it: a shared drive's without its permissions."""
        granted = self.permissions.get(file["id"], [])
        shown = {**file, "permissionIds": [one["id"] for one in granted]}
        if "driveId" not in file and self.shows_permissions:
            return {**shown, "permissions": granted}
        if not self.shows_permissions:
            del shown["permissionIds"]
        return shown

    def _seen(self, key: str) -> bool:
        return key in self.files and key not in self.unshared

    def _needs_drives(self, request: web.Request) -> bool:
        file = self.files[request.match_info["id"]]
        return "driveId" in file and request.query.get("supportsAllDrives") != "true"


def selected(value: Any, fields: str) -> Any:
    """What a `fields` parameter leaves of an answer: a(b,c(d)),e."""
    wanted = _parsed(fields)

    def pick(part: Any, names: dict[str, Any]) -> Any:
        if isinstance(part, list):
            return [pick(one, names) for one in part]
        if not names:
            return part
        return {name: pick(part[name], below) for name, below in names.items() if name in part}

    return pick(value, wanted)


def _parsed(fields: str) -> dict[str, Any]:
    root: dict[str, Any] = {}
    stack, last = [root], ""
    for token in re.findall(r"[A-Za-z]+|[(),]", fields):
        if token == "(":
            stack.append(stack[-1][last])
        elif token == ")":
            stack.pop()
        elif token != ",":
            stack[-1][token] = {}
            last = token
    assert len(stack) == 1, fields
    return root


def error(status: int, why: str, message: str) -> web.Response:
    """An error as Google words it."""
    one = {"domain": "global", "reason": why, "message": message}
    return answer({"error": {"code": status, "message": message, "errors": [one]}}, status)


def missing(key: str) -> web.Response:
    """What Google says of a file that is gone, or not shared."""
    return error(404, "notFound", f"File not found: {key}.")
