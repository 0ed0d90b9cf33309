"""Confluence's REST API: spaces, content by CQL, people.

Cloud and Data Center share the search and differ in spaces, permissions and people. Content comes
from the search on both: it alone gives content of all types with ancestors and restrictions, many
at once, and is not deprecated on Cloud.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from knowledge.sources.atlassian import Json
from knowledge.sources.atlassian_api import linked, linked_pages
from knowledge.sources.vendor_api import VendorApi

# With a body Data Center gives 50 at most, with anything else expanded 200.
LISTED_AT_ONCE = 100
BODIES_AT_ONCE = 25
_RESTRICTIONS = "restrictions.read.restrictions.user,restrictions.read.restrictions.group"
_LISTED = f"version,space,ancestors,container,metadata.labels,extensions,{_RESTRICTIONS}"


@dataclass(frozen=True, slots=True)
class ConfluenceSite:
    """A Confluence, in the Cloud or not."""

    api: VendorApi
    cloud: bool

    @property
    def context(self) -> str:
        """The path under which it stands on its host."""
        return "/wiki" if self.cloud else urlsplit(self.api.base_url).path.rstrip("/")

    async def spaces(self) -> list[Json]:
        """All spaces that the token sees: id, key, name, type, status."""
        path, limit = ("api/v2/spaces", 250) if self.cloud else ("rest/api/space", 200)
        found = linked(self.api, path, {"limit": limit}, context=self.context)
        return sorted([space async for space in found], key=lambda space: str(space.get("key")))

    async def listing(self, cql: str) -> AsyncIterator[tuple[str, Json]]:
        """Content that a query finds, without bodies: (base of its links, content)."""
        params: dict[str, str | int] = {"cql": cql, "limit": LISTED_AT_ONCE, "expand": _LISTED}
        found = linked_pages(self.api, "rest/api/content/search", params, context=self.context)
        async for answer in found:
            base = str((answer.get("_links") or {}).get("base") or self.api.base_url)
            for content in answer.get("results") or ():
                yield base, content

    async def bodies(self, ids: Sequence[str]) -> list[Json]:
        """Pages with their bodies in storage format; those that are gone are missing."""
        params: dict[str, str | int] = {
            "cql": f"id in ({','.join(ids)})",
            "limit": BODIES_AT_ONCE,
            "expand": "body.storage,metadata.labels",
        }
        found = linked(self.api, "rest/api/content/search", params, context=self.context)
        return [content async for content in found]

    async def content(self, content_id: str) -> Json | None:
        """One page's ancestors and restrictions; None where it cannot be had."""
        answer = await self.api.ask(
            "GET",
            f"rest/api/content/{quote(content_id, safe='')}",
            {"expand": f"ancestors,{_RESTRICTIONS}"},
            allow={403, 404},
        )
        return answer.data if answer.status == 200 else None

    async def restriction(self, content_id: str) -> Json | None:
        """Who may read content that is no page (a folder); None where it cannot be had."""
        answer = await self.api.ask(
            "GET",
            f"rest/api/content/{quote(content_id, safe='')}/restriction/byOperation/read",
            {"expand": "restrictions.user,restrictions.group"},
            allow={400, 403, 404},
        )
        return answer.data if answer.status == 200 else None

    async def permissions(self, space: Json) -> list[Json]:
        """The permissions of a space as the API tells them; their form differs."""
        if self.cloud:
            path = f"api/v2/spaces/{quote(str(space['id']), safe='')}/permissions"
            found = linked(self.api, path, {"limit": 250}, context=self.context)
            return [permission async for permission in found]
        path = f"rest/api/space/{quote(str(space['key']), safe='')}/permissions"
        answer = await self.api.ask("GET", path, allow={404, 405})
        if answer.status == 200:
            return _items(answer.data)
        return await self._permission_sets(str(space["key"]))

    async def _permission_sets(self, key: str) -> list[Json]:
        """The same from a Data Center older than 9, over its JSON-RPC interface."""
        path = "rpc/json-rpc/confluenceservice-v2/getSpacePermissionSets"
        return _items((await self.api.ask("POST", path, body=[key])).data)

    async def members(self, name: str, group_id: str | None) -> AsyncIterator[Json]:
        """The members of a group; a deleted one, that is still named somewhere, has none."""
        if self.cloud:
            path = f"rest/api/group/{quote(str(group_id), safe='')}/membersByGroupId"
        else:
            path = f"rest/api/group/{quote(name, safe='')}/member"
        params: dict[str, str | int] = {"limit": 200}
        found = linked(self.api, path, params, context=self.context, missing_ok=True)
        async for member in found:
            yield member

    async def group_name(self, group_id: str) -> str:
        """The name of a group of the Cloud, for the option map; empty where it is not told."""
        answer = await self.api.ask(
            "GET", "rest/api/group/by-id", {"id": group_id}, allow={400, 403, 404}
        )
        return str((answer.data or {}).get("name") or "") if answer.status == 200 else ""

    async def accounts(self, ids: Sequence[str]) -> Iterable[Json]:
        """People of the Cloud by account id; none of a Data Center."""
        if not self.cloud:
            return ()
        found: list[Json] = []
        params: dict[str, Any] = {"accountId": list(ids), "limit": len(ids)}
        answer = await self.api.get("rest/api/user/bulk", params)
        found += answer.get("results") or ()
        return found


def _items(data: Any) -> list[Json]:
    results = data.get("results") if isinstance(data, dict) else data
    return list(results or ())
