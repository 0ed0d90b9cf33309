"""A strict Confluence, Cloud or Data Center: the parts of its REST API that a reader needs.

Written after the public API documentation: paths, parameters, shapes, paging by links (a cursor on
Cloud, a start on Data Center) and limits. What it does not know, it refuses.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.vendors.server import FileHost, VendorServer, answer

EMAIL, TOKEN = "reader@acme.example", "confluence-token-9b1f"
PAGE_SIZE = 3  # the server's own limit, below what is asked for, so that all listings are paged
EXPANDABLE = {
    "version", "space", "ancestors", "container", "metadata.labels", "extensions", "body.storage",
    "restrictions.read.restrictions.user", "restrictions.read.restrictions.group",
}  # fmt: skip
_CONDITION = re.compile(
    r'(?P<space>space = "(?P<one>[^"]+)")|(?P<spaces>space in \((?P<many>[^)]+)\))|'
    r"(?P<type>type in \((?P<types>[a-z, ]+)\))|(?P<id>id in \((?P<ids>[\w,]+)\))|"
    r'(?P<since>lastmodified >= "(?P<date>\d{4}-\d\d-\d\d)")'
)


@dataclass
class Content:
    """A page, blog post or attachment."""

    id: str
    title: str
    space: str
    storage: str = ""
    type: str = "page"
    parent: str | None = None
    users: Sequence[str] = ()
    """Who alone may read it: accounts."""
    groups: Sequence[str] = ()
    labels: Sequence[str] = ()
    file: bytes = b""
    version: int = 1
    when: datetime = field(default_factory=lambda: datetime.now(UTC))


class ConfluenceServer(VendorServer):
    """Holds content, spaces, people and groups; a test changes them."""

    def __init__(self, *, cloud: bool = True) -> None:
        super().__init__()
        self.cloud = cloud
        self.prefix = "/wiki" if cloud else "/confluence"
        self.contents: dict[str, Content] = {}
        self.spaces: dict[str, str] = {"ENG": "global"}
        self.viewers: dict[str, list[tuple[str, str]]] = {"ENG": [("group", "staff")]}
        """By space: ("user" | "group" | "anonymous", name)."""
        self.groups: dict[str, list[str]] = {"staff": ["ann", "bob"]}
        self.emails: dict[str, str] = {"ann": "ann@acme.example", "bob": "bob@acme.example"}
        """By account; an empty one is hidden."""
        self.folders: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
        """Restrictions of content that is no page, by id."""
        self.rest_permissions = True
        """False: a Data Center that knows the JSON-RPC interface only."""
        self.media = FileHost()
        basic = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        self.expected_authorization = f"Basic {basic}" if cloud else f"Bearer {TOKEN}"

    @property
    def location(self) -> str:
        return self.url + self.prefix

    async def start(self) -> None:
        await super().start()
        await self.media.start()

    async def close(self) -> None:
        await super().close()
        await self.media.close()

    def put(self, content: Content) -> None:
        """Add content, or a new version of it."""
        before = self.contents.get(content.id)
        content.version = before.version + 1 if before else 1
        self.contents[content.id] = content

    def refusal(self, request: web.Request) -> web.Response | None:
        """Whoever is not the reader is refused."""
        if request.headers.get("Authorization") == self.expected_authorization:
            return None
        return refused(401, "Client must be authenticated to access this resource.")

    def routes(self) -> list[web.RouteDef]:
        """The parts that both have, and those of one."""
        at = self.prefix
        return [
            web.get(f"{at}/rest/api/content/search", self._search),
            web.get(f"{at}/rest/api/content/{{id}}", self._content),
            web.get(
                f"{at}/rest/api/content/{{id}}/restriction/byOperation/read", self._restriction
            ),
            *(self._cloud_routes(at) if self.cloud else self._data_center_routes(at)),
        ]

    def _cloud_routes(self, at: str) -> list[web.RouteDef]:
        file = "/rest/api/content/{page}/child/attachment/{id}/download"
        return [
            web.get(f"{at}/api/v2/spaces", self._spaces),
            web.get(f"{at}/api/v2/spaces/{{id}}/permissions", self._permissions),
            web.get(f"{at}/rest/api/group/by-id", self._group),
            web.get(f"{at}/rest/api/group/{{id}}/membersByGroupId", self._members),
            web.get(f"{at}/rest/api/user/bulk", self._bulk),
            web.get(at + file, self._media),
        ]

    def _data_center_routes(self, at: str) -> list[web.RouteDef]:
        rpc = "/rpc/json-rpc/confluenceservice-v2/getSpacePermissionSets"
        return [
            web.get(f"{at}/rest/api/space", self._spaces),
            web.get(f"{at}/rest/api/space/{{id}}/permissions", self._permissions),
            web.get(f"{at}/rest/api/group/{{id}}/member", self._members),
            web.get(f"{at}/download/attachments/{{id}}/{{name}}", self._download),
            web.post(at + rpc, self._rpc),
        ]

    # listings

    def _page(self, request: web.Request, every: list[Any], limit: int) -> web.Response:
        """One page of a listing, with the link to the next one."""
        key = "cursor" if self.cloud else "start"
        given = request.query.get(key, "" if self.cloud else "0")
        prefix = "after-" if self.cloud else ""
        if given and not re.fullmatch(rf"{prefix}\d+", given):
            return refused(400, f"Malformed {key}: {given}")
        start = int(given.removeprefix(prefix) or 0)
        size = min(int(request.query.get("limit", "25")), limit)
        body: dict[str, Any] = {"results": every[start : start + size], "limit": size}
        body["_links"] = {"base": self.location, "context": self.prefix, "self": str(request.url)}
        if start + size < len(every):
            query = {**request.query, key: f"{prefix}{start + size}"}
            following = str(request.url.with_query(query).relative())
            if "/api/v2/" not in following:
                following = following.removeprefix(self.prefix)
            body["_links"]["next"] = following
        return web.json_response(body)

    async def _search(self, request: web.Request) -> web.Response:
        expand = request.query.get("expand", "").split(",")
        if set(expand) - EXPANDABLE:
            return refused(400, f"Cannot expand {sorted(set(expand) - EXPANDABLE)}")
        chosen = self._chosen(request.query.get("cql", ""))
        if chosen is None:
            return refused(400, f"Could not parse cql: {request.query.get('cql')}")
        return self._page(request, [self._told(each, expand) for each in chosen], PAGE_SIZE)

    def _chosen(self, cql: str) -> list[Content] | None:
        conditions, _, order = cql.partition(" order by ")
        found = sorted(self.contents.values(), key=lambda content: content.id)
        if order not in {"", "created"}:
            return None
        for condition in conditions.split(" and "):
            matched = _CONDITION.fullmatch(condition)
            if matched is None:
                return None
            keeps = _keeps(matched)
            found = [content for content in found if keeps(content)]
        return found

    def _told(self, content: Content, expand: Sequence[str]) -> dict[str, Any]:
        web_path = f"/spaces/{content.space}/pages/{content.id}"
        told: dict[str, Any] = {
            "id": content.id,
            "type": content.type,
            "status": "current",
            "title": content.title,
            "_links": {"webui": web_path, "self": f"{self.location}/rest/api/content/{content.id}"},
            "_expandable": {},
        }
        parts: dict[str, Callable[[], Any]] = {
            "version": lambda: {"number": content.version, "when": content.when.isoformat()},
            "space": lambda: {"key": content.space, "name": content.space},
            "ancestors": lambda: [{"id": each, "type": "page"} for each in self._above(content)],
        }
        told |= {name: parts[name]() for name in expand if name in parts}
        if content.type == "attachment":
            told["metadata"] = {"mediaType": "application/octet-stream"}
            told["extensions"] = {"mediaType": "", "fileSize": len(content.file)}
            told["container"] = {"id": content.parent, "type": "page"}
            told["_links"]["download"] = f"/download/attachments/{content.id}/{content.title}"
        if "metadata.labels" in expand:
            labels = [{"prefix": "global", "name": name} for name in content.labels]
            told.setdefault("metadata", {})["labels"] = {"results": labels, "size": len(labels)}
        if "body.storage" in expand:
            told["body"] = {"storage": {"value": content.storage, "representation": "storage"}}
        if "restrictions.read.restrictions.user" in expand:
            told["restrictions"] = {"read": self._read(content.users, content.groups)}
        return told

    def _above(self, content: Content) -> list[str]:
        """The ids of the ancestors, the topmost first. An attachment has none."""
        found: list[str] = []
        parent = content.parent if content.type != "attachment" else None
        while parent:
            found.insert(0, parent)
            above = self.contents.get(parent)
            parent = above.parent if above else None
        return found

    def _read(self, users: Sequence[str], groups: Sequence[str]) -> dict[str, Any]:
        return {
            "operation": "read",
            "restrictions": {
                "user": {"results": [self._user(name) for name in users], "size": len(users)},
                "group": {"results": [self._group_told(name) for name in groups]},
            },
        }

    def _user(self, account: str) -> dict[str, Any]:
        if self.cloud:
            email = self.emails.get(account, "")
            kind = {"type": "known", "accountId": account, "accountType": "atlassian"}
            return {**kind, "email": email, "publicName": account.title(), "displayName": account}
        return {"type": "known", "username": account, "userKey": f"key-{account}"}

    def _group_told(self, name: str) -> dict[str, Any]:
        told = {"type": "group", "name": name}
        return {**told, "id": f"id-{name}"} if self.cloud else told

    # the others

    async def _content(self, request: web.Request) -> web.Response:
        content = self.contents.get(request.match_info["id"])
        if content is None:
            return refused(404, "No content found")
        return web.json_response(self._told(content, request.query["expand"].split(",")))

    async def _restriction(self, request: web.Request) -> web.Response:
        folder = self.folders.get(request.match_info["id"])
        content = self.contents.get(request.match_info["id"])
        if folder is None and content is None:
            return refused(404, "No content found")
        users, groups = folder or (content.users, content.groups)  # type: ignore[union-attr]
        return web.json_response(self._read(users, groups))

    async def _spaces(self, request: web.Request) -> web.Response:
        spaces = [
            {"id": f"9{n}", "key": key, "name": key, "type": kind, "status": "current"}
            for n, (key, kind) in enumerate(self.spaces.items())
        ]
        return self._page(request, spaces, PAGE_SIZE)

    async def _permissions(self, request: web.Request) -> web.Response:
        asked = request.match_info["id"]
        if not self.cloud:
            if not self.rest_permissions:
                return refused(404, "null for uri")
            return web.json_response([self._subject(*each) for each in self.viewers[asked]])
        key = list(self.spaces)[int(asked) - 90] if asked.isdigit() else ""
        if not key:
            return refused(404, "Space not found")
        told = [
            {
                "id": str(n),
                "principal": {"type": kind, "id": f"id-{name}" if kind == "group" else name},
                "operation": {"key": operation, "targetType": "space"},
            }
            for n, (kind, name) in enumerate(self.viewers[key])
            for operation in ("administer", "read")
        ]
        told.append(
            {  # may make pages, and may not view the space
                "id": "99",
                "principal": {"type": "user", "id": "eve"},
                "operation": {"key": "create", "targetType": "page"},
            }
        )
        return self._page(request, told, PAGE_SIZE)

    def _subject(self, kind: str, name: str) -> dict[str, Any]:
        operation = {"operationKey": "read", "targetType": "space"}
        if kind == "anonymous":
            return {"operation": operation, "subject": {"type": "anonymous"}}
        if kind == "user":
            return {"operation": operation, "subject": {"type": "known", "username": name}}
        return {"operation": operation, "subject": {"type": "group", "name": name}}

    async def _rpc(self, request: web.Request) -> web.Response:
        (key,) = await request.json()
        sets = []
        for kind, name in self.viewers[key]:
            user, group = name if kind == "user" else None, name if kind == "group" else None
            sets.append({"type": "VIEWSPACE", "userName": user, "groupName": group})
        other = [{"type": "EDITSPACE", "userName": "eve", "groupName": None}]
        return web.json_response(
            [
                {"type": "VIEWSPACE", "spacePermissions": sets},
                {"type": "EDITSPACE", "spacePermissions": other},
            ]
        )

    async def _members(self, request: web.Request) -> web.Response:
        name = request.match_info["id"].removeprefix("id-" if self.cloud else "")
        if name not in self.groups:
            return refused(404, f"No group {name}")
        return self._page(request, [self._user(each) for each in self.groups[name]], 2)

    async def _group(self, request: web.Request) -> web.Response:
        name = request.query["id"].removeprefix("id-")
        return web.json_response(self._group_told(name))

    async def _bulk(self, request: web.Request) -> web.Response:
        accounts = request.query.getall("accountId")
        known = [self._user(each) for each in accounts if each in self.emails]
        return web.json_response({"results": known})

    async def _media(self, request: web.Request) -> web.Response:
        content = self.contents.get(request.match_info["id"])
        if content is None or content.parent != request.match_info["page"]:
            return refused(404, "No attachment")
        self.media.files[content.id] = content.file
        raise web.HTTPFound(f"{self.media.url}/{content.id}")

    async def _download(self, request: web.Request) -> web.Response:
        content = self.contents.get(request.match_info["id"])
        return web.Response(body=content.file) if content else refused(404, "No attachment")


def _keeps(condition: re.Match[str]) -> Callable[[Content], bool]:
    """The test that a condition of CQL is."""
    if condition["space"]:
        return lambda content: content.space == condition["one"]
    if condition["spaces"]:
        spaces = [part.strip().strip('"') for part in condition["many"].split(",")]
        return lambda content: content.space in spaces
    if condition["type"]:
        types = [part.strip() for part in condition["types"].split(",")]
        return lambda content: content.type in types
    if condition["id"]:
        return lambda content: content.id in condition["ids"].split(",")
    since = datetime.fromisoformat(condition["date"]).replace(tzinfo=UTC)
    return lambda content: content.when >= since


def refused(status: int, message: str) -> web.Response:
    """A refusal in the form of the Atlassian products."""
    return answer({"statusCode": status, "message": message}, status)
