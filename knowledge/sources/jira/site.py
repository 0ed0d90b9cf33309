"""Jira's REST API: projects, issues by JQL, comments, people, permissions."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.atlassian import Json
from knowledge.sources.vendor_api import VendorApi

LISTED_AT_ONCE = 100
BODIES_AT_ONCE = 50
COMMENTS_AT_ONCE = 100
_LISTED = "summary,updated,project,security,reporter,assignee,attachment"
_BODY = (
    "summary,description,comment,issuetype,status,resolution,priority,assignee,reporter,labels,"
    "components,fixVersions"
)
Query = Mapping[str, str | int | Sequence[str]]


@dataclass(frozen=True, slots=True)
class JiraSite:
    """A Jira, in the Cloud or not."""

    api: VendorApi
    cloud: bool

    def _path(self, path: str) -> str:
        return f"rest/api/{3 if self.cloud else 2}/{path}"

    async def projects(self) -> list[Json]:
        """All projects that the token sees: id, key, name, lead."""
        if self.cloud:
            values = self._paged("project/search", {"expand": "lead"}, "values", 50)
            found = [project async for project in values]
        else:
            found = list(await self.api.get(self._path("project"), {"expand": "lead"}) or ())
        return sorted(found, key=lambda project: str(project.get("key")))

    async def listing(self, jql: str) -> AsyncIterator[Json]:
        """Issues that a query finds, without what they say."""
        async for issue in self._search(jql, {"fields": _LISTED}, LISTED_AT_ONCE):
            yield issue

    async def bodies(self, ids: Sequence[str]) -> list[tuple[Json, list[Json]]]:
        """Issues with what they say, and all their comments; those that are gone are missing."""
        query: dict[str, str | int] = {"fields": _BODY}
        if not self.cloud:
            query["expand"] = "renderedFields"
        found = self._search(f"id in ({','.join(ids)})", query, BODIES_AT_ONCE)
        return [(issue, await self._comments(issue)) async for issue in found]

    async def _comments(self, issue: Json) -> list[Json]:
        """Those that came with the issue, and the others where there are more."""
        inside = (issue.get("fields") or {}).get("comment") or {}
        comments = list(inside.get("comments") or ())
        if len(comments) < int(inside.get("total") or 0):
            path = f"issue/{quote(str(issue['id']), safe='')}/comment"
            expand = {} if self.cloud else {"expand": "renderedBody"}
            every = self._paged(
                path, {"orderBy": "created", **expand}, "comments", COMMENTS_AT_ONCE
            )
            return [comment async for comment in every]
        rendered = ((issue.get("renderedFields") or {}).get("comment") or {}).get("comments") or ()
        bodies = {str(each.get("id")): each.get("body") for each in rendered}
        return [{**each, "renderedBody": bodies.get(str(each.get("id")))} for each in comments]

    async def _search(self, jql: str, query: Query, size: int) -> AsyncIterator[Json]:
        if not self.cloud:
            async for issue in self._paged("search", {"jql": jql, **query}, "issues", size):
                yield issue
            return
        token: str | None = None
        seen: set[str] = set()
        while True:
            given: dict[str, Any] = {"jql": jql, "maxResults": size, **query}
            answer = await self.api.get(
                self._path("search/jql"), {**given, "nextPageToken": token} if token else given
            )
            for issue in answer.get("issues") or ():
                yield issue
            token = answer.get("nextPageToken")
            if not token:
                return
            if token in seen:
                raise SourceError("Jira repeats a page of its listing. Index it again later.")
            seen.add(token)

    async def _paged(
        self, path: str, query: Query, name: str, size: int, *, missing_ok: bool = False
    ) -> AsyncIterator[Json]:
        """The items of a listing that counts from `startAt`; an empty page ends it too."""
        allow = {404} if missing_ok else ()
        start = 0
        while True:
            given: dict[str, Any] = {**query, "startAt": start, "maxResults": size}
            reply = await self.api.ask("GET", self._path(path), given, allow=allow)
            answer = reply.data if reply.status != 404 else {}
            items = list(answer.get(name) or ())
            for item in items:
                yield item
            start += len(items)
            total = answer.get("total")
            ended = answer.get("isLast") or (total is not None and start >= int(total))
            if not items or ended:
                return

    async def members(self, name: str, group_id: str | None) -> AsyncIterator[Json]:
        """The active members of a group; a deleted one, that is still named somewhere, has none."""
        query = {"groupId": group_id} if self.cloud and group_id else {"groupname": name}
        found = self._paged("group/member", query, "values", 50, missing_ok=True)
        async for member in found:
            yield member

    async def accounts(self, ids: Sequence[str]) -> Iterable[Json]:
        """People of the Cloud by account id."""
        if not self.cloud:
            return ()
        found = self._paged("user/bulk", {"accountId": list(ids)}, "values", len(ids))
        return [user async for user in found]

    async def user(self, key: str, value: str) -> Json:
        """Somebody of a Data Center by key or username; nothing where there is no such person."""
        answer = await self.api.ask("GET", self._path("user"), {key: value}, allow={404})
        found: Json = answer.data if answer.status == 200 else {}
        return found

    async def permissions(self, project: str) -> list[Json] | None:
        """The grants of a project's permission scheme; None: it has none (team-managed)."""
        path = self._path(f"project/{quote(project, safe='')}/permissionscheme")
        answer = await self.api.ask("GET", path, {"expand": "all"}, allow={404})
        return list(answer.data.get("permissions") or ()) if answer.status == 200 else None

    async def role(self, project: str, role_id: str) -> list[Json]:
        """The actors of a role in a project."""
        path = f"project/{quote(project, safe='')}/role/{quote(role_id, safe='')}"
        answer = await self.api.ask("GET", self._path(path), allow={404})
        return list(answer.data.get("actors") or ()) if answer.status == 200 else []

    async def level(self, level_id: str) -> list[Json]:
        """The holders of an issue security level; a Data Center does not tell them."""
        if not self.cloud:
            return []
        path = "issuesecurityschemes/level/member"
        found = self._paged(path, {"levelId": level_id, "expand": "all"}, "values", 50)
        return [member.get("holder") or {} async for member in found]
