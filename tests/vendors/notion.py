"""Notion's API as its reference describes version 2025-09-03, strict about what it is asked."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.vendors.server import VendorServer, answer

TOKEN = "ntn_strictly-secret"
Json = dict[str, Any]
_PLAIN = {
    "bold": False,
    "italic": False,
    "strikethrough": False,
    "underline": False,
    "code": False,
    "color": "default",
}


def text(content: str, href: str | None = None, **annotations: bool) -> Json:
    """A piece of rich text."""
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": href} if href else None},
        "annotations": {**_PLAIN, **annotations},
        "plain_text": content,
        "href": href,
    }


def identity(name: str) -> str:
    """The id of a name, the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


class NotionServer(VendorServer):
    """A workspace with pages, data sources and blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, Json] = {}
        self.unshared: set[str] = set()
        self.late: set[str] = set()
        """What the search does not find yet."""
        self.blocks: dict[str, list[Json]] = {}
        self.incomplete = False
        self._minute = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
        self._cursors: dict[str, int] = {}

    # what people do in Notion

    def now(self) -> str:
        """A minute later than before: edit times are whole minutes."""
        self._minute += timedelta(minutes=1)
        return self._minute.strftime("%Y-%m-%dT%H:%M:00.000Z")

    def put_page(
        self,
        name: str,
        title: str,
        blocks: Sequence[Json],
        *,
        parent: Json | None = None,
        properties: Json | None = None,
    ) -> str:
        """Write a page, or another text into it."""
        key = identity(name)
        title_property = {"id": "title", "type": "title", "title": [text(title)] if title else []}
        self.items[key] = {
            "object": "page",
            "id": key,
            "created_time": "2026-02-01T08:00:00.000Z",
            "last_edited_time": self.now(),
            "archived": False,
            "in_trash": False,
            "parent": parent or {"type": "workspace", "workspace": True},
            "properties": {**(properties or {}), "Name" if properties else "title": title_property},
            "url": f"https://www.notion.so/{key.replace('-', '')}",
            "public_url": None,
        }
        self.blocks[key] = list(blocks)
        return key

    def put_data_source(self, name: str, title: str, description: str, properties: Json) -> str:
        """Make a database's data source."""
        key = identity(name)
        self.items[key] = {
            "object": "data_source",
            "id": key,
            "created_time": "2026-02-01T08:00:00.000Z",
            "last_edited_time": self.now(),
            "archived": False,
            "in_trash": False,
            "parent": {"type": "database_id", "database_id": identity(f"{name} database")},
            "title": [text(title)],
            "description": [text(description)] if description else [],
            "properties": properties,
            "url": f"https://www.notion.so/{key.replace('-', '')}",
        }
        return key

    def block(self, kind: str, value: Json, children: Sequence[Json] = ()) -> Json:
        """A block; with children it gets an id under which they are listed."""
        key = str(uuid.uuid4())
        self.blocks[key] = list(children)
        return {
            "object": "block",
            "id": key,
            "type": kind,
            "has_children": bool(children),
            "archived": False,
            "in_trash": False,
            kind: value,
        }

    def words(self, kind: str, content: str, children: Sequence[Json] = (), **more: Any) -> Json:
        """A block of text."""
        value = {"rich_text": [text(content)], "color": "default", **more}
        return self.block(kind, value, children)

    # what Notion answers

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/search", self._search),
            web.post("/v1/data_sources/{id}/query", self._query),
            web.get("/v1/blocks/{id}/children", self._children),
            web.get("/v1/pages/{id}", self._page_now),
            web.get("/v1/data_sources/{id}", self._page_now),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(401, "unauthorized", "API token is invalid.")
        if request.headers.get("notion-version") != "2025-09-03":
            return error(400, "missing_version", "Notion-Version header should be defined.")
        return None

    async def _search(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.keys() - {"query", "sort", "filter", "start_cursor", "page_size"}:
            return invalid(f"body failed validation: {sorted(body)}")
        sort = body.get("sort") or {"direction": "descending", "timestamp": "last_edited_time"}
        if sort.get("timestamp") != "last_edited_time":
            return invalid("body.sort.timestamp should be last_edited_time")
        found = [item for item in self._shared() if item["id"] not in self.late]
        found.sort(key=lambda item: item["last_edited_time"])
        if sort["direction"] == "descending":
            found.reverse()
        return self._page(found, body.get("start_cursor"), body.get("page_size", 100))

    async def _query(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        body = await request.json()
        if body.keys() - {"sorts", "filter", "start_cursor", "page_size", "in_trash"}:
            return invalid(f"body failed validation: {sorted(body)}")
        if key not in self.items or key in self.unshared:
            return missing(key)
        rows = [item for item in self._shared() if item["parent"].get("data_source_id") == key]
        return self._page(rows, body.get("start_cursor"), body.get("page_size", 100))

    async def _page_now(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        return (
            missing(key)
            if key not in self.items or key in self.unshared
            else answer(self.items[key])
        )

    async def _children(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        if key not in self.blocks or key in self.unshared or self._trashed(key):
            return missing(key)
        query = request.query
        return self._page(
            self.blocks[key], query.get("start_cursor"), int(query.get("page_size", 100)), "block"
        )

    def _shared(self) -> list[Json]:
        return [
            item
            for item in self.items.values()
            if item["id"] not in self.unshared and not item["in_trash"]
        ]

    def _trashed(self, key: str) -> bool:
        return bool(self.items.get(key, {}).get("in_trash"))

    def _page(
        self,
        found: Sequence[Json],
        cursor: str | None,
        size: int,
        kind: str = "page_or_data_source",
    ) -> web.Response:
        if not 1 <= size <= 100:
            return invalid("page_size should be ≤ `100`")
        if cursor is not None and cursor not in self._cursors:
            return invalid(f"start_cursor {cursor} is invalid")
        start = self._cursors[cursor] if cursor else 0
        more = start + size < len(found)
        following = None
        if more:
            following = str(uuid.uuid4())
            self._cursors[following] = start + size
        body: Json = {
            "object": "list",
            "results": list(found[start : start + size]),
            "next_cursor": following,
            "has_more": more,
            "type": kind,
            kind: {},
        }
        if self.incomplete:
            body["request_status"] = {"type": "incomplete"}
        return answer(body)


def error(status: int, code: str, message: str) -> web.Response:
    """An error as Notion words it."""
    body = {"object": "error", "status": status, "code": code, "message": message}
    return answer({**body, "request_id": str(uuid.uuid4())}, status)


def invalid(message: str) -> web.Response:
    """What Notion says to a request that it does not understand."""
    return error(400, "validation_error", message)


def missing(key: str) -> web.Response:
    """What Notion says of a thing that is gone, or not shared."""
    said = f"Could not find block with ID: {key}. Make sure the relevant pages and databases are "
    return error(404, "object_not_found", f"{said}shared with your integration.")
