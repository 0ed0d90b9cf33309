"""A strict Microsoft Graph with one SharePoint site: the parts that a reader needs.

Written after the public API documentation: sign-in by form, listings and deltas by opaque links,
batches of twenty, downloads by redirect to another host. What it does not know, it refuses.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tests.vendors.server import FileHost, VendorServer, answer

TENANT, CLIENT, SECRET = "tenant-1", "client-1", "graph-secret-c41d"
SITE = "acme.sharepoint.com,11,22"
LOCATION = "https://acme.sharepoint.com/sites/HR"
PAGE_SIZE = 3
Permissions = Sequence[Mapping[str, Any]]


@dataclass
class Item:
    """A file or folder of the library."""

    id: str
    name: str
    raw: bytes = b""
    folder: bool = False
    permissions: Permissions = ()
    version: int = 1
    deleted: bool = False
    sequence: int = 0


@dataclass
class SitePage:
    """A page of the site."""

    id: str
    title: str
    parts: list[dict[str, Any]] = field(default_factory=list)
    permissions: Permissions = ()
    version: int = 1
    level: str = "published"


def person(email: str = "", user_id: str = "u") -> dict[str, Any]:
    """A permission for somebody; without an e-mail it names the id only."""
    user = {"id": user_id, "displayName": user_id, **({"email": email} if email else {})}
    return {"id": "1", "roles": ["read"], "grantedToV2": {"user": user}}


def granted(kind: str, **identity: Any) -> dict[str, Any]:
    """A permission for an identity of a kind: group, siteGroup, siteUser."""
    return {"id": "2", "roles": ["write"], "grantedToV2": {kind: identity}}


def link(scope: str, *people: str) -> dict[str, Any]:
    """A sharing link."""
    told: dict[str, Any] = {"id": "3", "roles": ["read"], "link": {"scope": scope, "type": "view"}}
    if people:
        told["grantedToIdentitiesV2"] = [{"user": {"id": p, "email": p}} for p in people]
    return told


ANYBODY = (person("ann@acme.example", "ann"),)


class GraphServer(VendorServer):
    """Holds a library, pages, people and groups; a test changes them."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, Item] = {}
        self.pages: dict[str, SitePage] = {}
        self.groups: dict[str, list[str]] = {}
        self.people: dict[str, dict[str, Any]] = {}
        """By id: mail, userPrincipalName, accountEnabled."""
        self.libraries = {"drive-1": "Documents"}
        self.expired_before = 0
        """Delta tokens below this are gone."""
        self.throttled_in_batch = 0
        """So many of the next requests within batches are refused with 429."""
        self.signed_in = 0
        self.files = FileHost()
        self._sequence = 0

    async def start(self) -> None:
        await super().start()
        await self.files.start()

    async def close(self) -> None:
        await super().close()
        await self.files.close()

    def put(self, item: Item) -> None:
        """Add an item, or change it."""
        before = self.items.get(item.id)
        self._sequence += 1
        item.sequence = self._sequence
        item.version = before.version + 1 if before else 1
        self.items[item.id] = item

    def delete(self, item_id: str) -> None:
        """Delete an item."""
        self._sequence += 1
        self.items[item_id].deleted, self.items[item_id].sequence = True, self._sequence

    def refusal(self, request: web.Request) -> web.Response | None:
        """Whoever has not signed in is refused."""
        if request.path.endswith("/oauth2/v2.0/token"):
            return None
        if request.headers.get("Authorization") == f"Bearer token-{self.signed_in}":
            return None
        return refused(401, "InvalidAuthenticationToken", "Access token is empty or expired.")

    def routes(self) -> list[web.RouteDef]:
        """Everything under the version's root, and the sign-in."""
        return [
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.post("/v1.0/$batch", self._batch),
            web.post("/v1.0/directoryObjects/getByIds", self._by_ids),
            web.get("/v1.0/drives/{drive}/items/{item}/content", self._content),
            web.get("/v1.0/{path:.*}", self._get),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        expected = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": f"{self.url}/.default",
        }
        if form != expected or request.match_info["tenant"] != TENANT:
            said = "AADSTS7000215: Invalid client secret provided."
            return answer({"error": "invalid_client", "error_description": said}, 401)
        self.signed_in += 1
        token = f"token-{self.signed_in}"
        return answer({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def _batch(self, request: web.Request) -> web.Response:
        requests = (await request.json())["requests"]
        if len(requests) > 20:
            return refused(400, "BadRequest", "At most 20 requests")
        responses = []
        for one in reversed(requests):
            if self.throttled_in_batch:
                self.throttled_in_batch -= 1
                told = {"id": one["id"], "status": 429, "headers": {"Retry-After": "0"}, "body": {}}
                responses.append(told)
                continue
            parts = urlsplit(one["url"])
            given = self.answered(parts.path.strip("/"), parse_qs(parts.query))
            body = json.loads(given.text or "null")
            responses.append({"id": one["id"], "status": given.status, "headers": {}, "body": body})
        return answer({"responses": responses})

    async def _get(self, request: web.Request) -> web.Response:
        query = {key: request.query.getall(key) for key in request.query}
        return self.answered(request.match_info["path"], query)

    def answered(self, path: str, query: Mapping[str, list[str]]) -> web.Response:
        """What GET gives for a path below the root."""
        if path == "sites/acme.sharepoint.com:/sites/HR":
            return answer({"id": SITE, "webUrl": LOCATION})
        if path == f"sites/{SITE}/drives":
            return self._values(
                path, query, [{"id": k, "name": v} for k, v in self.libraries.items()]
            )
        if path == f"sites/{SITE}/lists":
            lists = [("9", "genericList"), ("8", "webPageLibrary")]
            told = [{"id": key, "list": {"template": template}} for key, template in lists]
            return self._values(path, query, told)
        if path == f"sites/{SITE}/pages/microsoft.graph.sitePage":
            return self._values(path, query, [self._page(page) for page in self.pages.values()])
        patterns = {
            r"drives/([\w-]+)/root/delta": self._delta,
            r"drives/[\w-]+/items/([\w-]+)/permissions": self._item_permissions,
            r"drives/[\w-]+/items/([\w-]+)": self._one,
            rf"sites/{SITE}/pages/([\w-]+)/microsoft\.graph\.sitePage": self._whole_page,
            rf"sites/{SITE}/lists/8/items/([\w-]+)/driveItem/permissions": self._page_permissions,
            r"groups/([\w-]+)": self._group,
            r"groups/([\w-]+)/transitiveMembers": self._members,
        }
        for pattern, handler in patterns.items():
            if matched := re.fullmatch(pattern, path):
                return handler(matched[1], path, query)
        return refused(404, "itemNotFound", f"There is no {path}")

    def _values(
        self, path: str, query: Mapping[str, list[str]], every: Sequence[Any]
    ) -> web.Response:
        token = query.get("$skiptoken", ["s0"])[0]
        if not re.fullmatch(r"s\d+", token):
            return refused(400, "BadRequest", "Malformed skiptoken")
        start = int(token[1:])
        body: dict[str, Any] = {"value": every[start : start + PAGE_SIZE]}
        if start + PAGE_SIZE < len(every):
            body["@odata.nextLink"] = f"{self.url}/v1.0/{path}?$skiptoken=s{start + PAGE_SIZE}"
        return answer(body)

    def _delta(self, drive: str, path: str, query: Mapping[str, list[str]]) -> web.Response:
        """Tokens are d<since>-<position>: what has changed since, from a position on."""
        token = query.get("token", ["d0-0"])[0]
        if not (matched := re.fullmatch(r"d(\d+)-(\d+)", token)):
            return refused(400, "invalidRequest", "The delta token is malformed")
        since, position = int(matched[1]), int(matched[2])
        if 0 < since < self.expired_before:
            return refused(410, "resyncRequired", "Resync required")
        owned = self.items.values() if drive == "drive-1" else ()
        root = [] if since else [{"id": "root", "name": "root", "root": {}, "folder": {}}]
        changed = sorted((i for i in owned if i.sequence > since), key=lambda i: i.sequence)
        told = root + [self._item(item) for item in changed if since or not item.deleted]
        body: dict[str, Any] = {"value": told[position : position + PAGE_SIZE]}
        base = f"{self.url}/v1.0/{path}?token=d"
        if position + PAGE_SIZE < len(told):
            body["@odata.nextLink"] = f"{base}{since}-{position + PAGE_SIZE}"
        else:
            body["@odata.deltaLink"] = f"{base}{max(self._sequence, 1)}-0"
        return answer(body)

    def _item(self, item: Item) -> dict[str, Any]:
        kind: dict[str, Any] = {"folder": {}} if item.folder else {"file": {"mimeType": "x/y"}}
        told = {"id": item.id, "name": item.name, **kind}
        if item.deleted:
            return {**told, "deleted": {"state": "deleted"}}
        return {
            **told,
            "size": len(item.raw),
            "webUrl": f"{LOCATION}/Shared%20Documents/{item.name}",
            "cTag": f'"c:{{{item.id}}},{item.version}"',
            "eTag": f'"{{{item.id}}},{item.version + 7}"',
            "lastModifiedDateTime": "2026-05-04T10:00:00Z",
        }

    def _one(self, item_id: str, _path: str, _query: Mapping[str, list[str]]) -> web.Response:
        item = self.items.get(item_id)
        if item is None or item.deleted:
            return refused(404, "itemNotFound", "Item not found")
        return answer(self._item(item))

    def _item_permissions(
        self, item_id: str, path: str, query: Mapping[str, list[str]]
    ) -> web.Response:
        item = self.items.get(item_id)
        if item is None or item.deleted:
            return refused(404, "itemNotFound", "Item not found")
        return self._values(path, query, list(item.permissions))

    def _page_permissions(
        self, page_id: str, path: str, query: Mapping[str, list[str]]
    ) -> web.Response:
        return self._values(path, query, list(self.pages[page_id].permissions))

    def _page(self, page: SitePage) -> dict[str, Any]:
        return {
            "@odata.type": "#microsoft.graph.sitePage",
            "id": page.id,
            "name": f"{page.title}.aspx",
            "title": page.title,
            "webUrl": f"{LOCATION}/SitePages/{page.id}.aspx",
            "eTag": f'"{{{page.id}}},{page.version}"',
            "lastModifiedDateTime": datetime(2026, 5, 4, tzinfo=UTC).isoformat(),
            "publishingState": {"level": page.level, "versionId": "1.0"},
        }

    def _whole_page(self, page_id: str, _path: str, query: Mapping[str, list[str]]) -> web.Response:
        page = self.pages.get(page_id)
        if page is None or query.get("$expand") != ["canvasLayout"]:
            return refused(404, "itemNotFound", "Page not found")
        column = {"id": "1", "width": 12, "webparts": page.parts}
        layout = {"horizontalSections": [{"layout": "oneColumn", "columns": [column]}]}
        return answer({**self._page(page), "canvasLayout": layout})

    def _group(self, group_id: str, _path: str, _query: Mapping[str, list[str]]) -> web.Response:
        known = group_id in self.groups
        return answer({"id": group_id}) if known else refused(404, "NotFound", "No group")

    def _members(self, group_id: str, path: str, query: Mapping[str, list[str]]) -> web.Response:
        told: list[dict[str, Any]] = [{"@odata.type": "#microsoft.graph.device", "id": "phone"}]
        told += [self._directory(member) for member in self.groups[group_id]]
        return self._values(path, query, told)

    def _directory(self, user_id: str) -> dict[str, Any]:
        return {"@odata.type": "#microsoft.graph.user", "id": user_id, **self.people[user_id]}

    async def _by_ids(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["types"] != ["user"] or len(body["ids"]) > 1000:
            return refused(400, "BadRequest", "Too many ids")
        return answer({"value": [self._directory(i) for i in body["ids"] if i in self.people]})

    async def _content(self, request: web.Request) -> web.Response:
        item = self.items.get(request.match_info["item"])
        if item is None or item.deleted:
            return refused(404, "itemNotFound", "Item not found")
        self.files.files[item.id] = item.raw
        raise web.HTTPFound(f"{self.files.url}/{item.id}")


def refused(status: int, code: str, message: str) -> web.Response:
    """A refusal in Graph's form."""
    return answer({"error": {"code": code, "message": message}}, status)
