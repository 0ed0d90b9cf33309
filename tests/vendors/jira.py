"""A strict Jira, Cloud or Data Center: the parts of its REST API that a reader needs.

Written after the public API documentation: Cloud searches by page tokens and answers with document
trees, Data Center counts from `startAt` and renders its markup. What it does not know, it refuses.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.vendors.server import FileHost, VendorServer, answer

EMAIL, TOKEN = "reader@acme.example", "jira-token-77ac"
PAGE_SIZE = 3  # the server's own limit, below what is asked for
INCLUDED_COMMENTS = 2  # what comes with an issue
FIELDS = {
    "summary", "updated", "project", "security", "reporter", "assignee", "attachment", "comment",
    "description", "issuetype", "status", "resolution", "priority", "labels", "components",
    "fixVersions",
}  # fmt: skip
_CONDITION = re.compile(
    r'project = "(?P<one>\w+)"|project in \((?P<many>[^)]+)\)|id in \((?P<ids>[\d,]+)\)|'
    r'updated >= "(?P<since>\d{4}-\d\d-\d\d)"|\(labels = (?P<label>\w+)\)'
)


@dataclass
class Comment:
    """What somebody said."""

    text: str
    author: str = "ann"
    visibility: str | None = None
    internal: bool = False


@dataclass
class Issue:
    """An issue; its id stays when its key changes."""

    id: str
    key: str
    summary: str
    text: str = ""
    reporter: str = "ann"
    assignee: str | None = None
    level: str | None = None
    labels: Sequence[str] = ()
    comments: list[Comment] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def project(self) -> str:
        return self.key.partition("-")[0]


def paragraph(text: str) -> dict[str, Any]:
    """A document of one paragraph, as Cloud keeps it."""
    inner = [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]
    return {"type": "doc", "version": 1, "content": inner}


class JiraServer(VendorServer):
    """Holds projects, issues, people and rights; a test changes them."""

    def __init__(self, *, cloud: bool = True) -> None:
        super().__init__()
        self.cloud = cloud
        self.at = f"/rest/api/{3 if cloud else 2}"
        self.issues: dict[str, Issue] = {}
        self.projects: dict[str, str] = {"OPS": "bob"}
        """The lead of each."""
        self.browse: dict[str, list[dict[str, Any]]] = {"OPS": [self.group_holder("staff")]}
        """Who holds Browse Projects; a project without an entry has no permission scheme."""
        self.roles: dict[str, list[tuple[str, str]]] = {}
        """By role id: ("user" | "group", name)."""
        self.levels: dict[str, list[dict[str, Any]]] = {}
        self.groups: dict[str, list[str]] = {"staff": ["ann", "bob", "cat"]}
        self.emails = {name: f"{name}@acme.example" for name in ("ann", "bob", "cat")}
        self.media = FileHost()
        basic = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        self.expected_authorization = f"Basic {basic}" if cloud else f"Bearer {TOKEN}"

    async def start(self) -> None:
        await super().start()
        await self.media.start()

    async def close(self) -> None:
        await super().close()
        await self.media.close()

    def put(self, issue: Issue) -> None:
        """Add an issue, or change it."""
        self.issues[issue.id] = issue

    def group_holder(self, name: str) -> dict[str, Any]:
        """A holder that is a group."""
        told = {"type": "group", "parameter": name}
        return {**told, "value": f"id-{name}"} if self.cloud else told

    def refusal(self, request: web.Request) -> web.Response | None:
        """Whoever is not the reader is refused."""
        if request.headers.get("Authorization") == self.expected_authorization:
            return None
        return refused(401, "You are not authenticated.")

    def routes(self) -> list[web.RouteDef]:
        """The parts that both have, and those of one."""
        at = self.at
        both = [
            web.get(f"{at}/issue/{{id}}/comment", self._comments),
            web.get(f"{at}/group/member", self._members),
            web.get(f"{at}/project/{{key}}/permissionscheme", self._scheme),
            web.get(f"{at}/project/{{key}}/role/{{id}}", self._role),
        ]
        if self.cloud:
            return [
                *both,
                web.get(f"{at}/search/jql", self._search_cloud),
                web.get(f"{at}/project/search", self._project_search),
                web.get(f"{at}/user/bulk", self._bulk),
                web.get(f"{at}/issuesecurityschemes/level/member", self._level),
                web.get(f"{at}/attachment/content/{{id}}", self._content),
            ]
        return [
            *both,
            web.get(f"{at}/search", self._search_data_center),
            web.get(f"{at}/project", self._project_list),
            web.get(f"{at}/user", self._user_one),
            web.get("/secure/attachment/{id}/{name}", self._file),
        ]

    # issues

    def _chosen(self, request: web.Request) -> list[Issue] | web.Response:
        conditions, _, order = request.query.get("jql", "").partition(" order by ")
        found = sorted(self.issues.values(), key=lambda issue: int(issue.id))
        if set(request.query.get("fields", "").split(",")) - FIELDS or order not in {"", "created"}:
            return refused(400, "Unknown field or order")
        for condition in conditions.split(" and "):
            matched = _CONDITION.fullmatch(condition)
            if matched is None:
                return refused(400, f"Error in the JQL Query: {condition}")
            keeps = _keeps(matched)
            found = [issue for issue in found if keeps(issue)]
        return found

    async def _search_cloud(self, request: web.Request) -> web.Response:
        found = self._chosen(request)
        if isinstance(found, web.Response):
            return found
        token = request.query.get("nextPageToken", "page-0")
        if not re.fullmatch(r"page-\d+", token):
            return refused(400, "The nextPageToken is invalid")
        start = int(token.removeprefix("page-"))
        size = min(int(request.query["maxResults"]), PAGE_SIZE)
        told = [self._told(issue, request) for issue in found[start : start + size]]
        ended = start + size >= len(found)
        body: dict[str, Any] = {"issues": told, "isLast": ended}
        return answer(body if ended else {**body, "nextPageToken": f"page-{start + size}"})

    async def _search_data_center(self, request: web.Request) -> web.Response:
        found = self._chosen(request)
        if isinstance(found, web.Response):
            return found
        return self._page(request, [self._told(issue, request) for issue in found], "issues")

    def _page(self, request: web.Request, every: Sequence[Any], name: str) -> web.Response:
        if not re.fullmatch(r"\d+", request.query.get("startAt", "")):
            return refused(400, "startAt is not a number")
        start, size = (
            int(request.query["startAt"]),
            min(int(request.query["maxResults"]), PAGE_SIZE),
        )
        body = {"startAt": start, "maxResults": size, "total": len(every)}
        if name == "values":
            body |= {"isLast": start + size >= len(every)}
        return answer({**body, name: every[start : start + size]})

    def _told(self, issue: Issue, request: web.Request) -> dict[str, Any]:
        every = {
            "summary": issue.summary,
            "updated": issue.updated.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            "project": {"key": issue.project},
            "security": {"id": issue.level, "name": f"Level {issue.level}"}
            if issue.level
            else None,
            "reporter": self._user(issue.reporter),
            "assignee": self._user(issue.assignee) if issue.assignee else None,
            "attachment": [self._attachment(name, raw) for name, raw in issue.files.items()],
            "description": paragraph(issue.text) if self.cloud else f"h1. {issue.text}",
            "comment": {
                "comments": [self._comment(n, c) for n, c in enumerate(issue.comments)][
                    :INCLUDED_COMMENTS
                ],
                "total": len(issue.comments),
            },
            "issuetype": {"name": "Task"},
            "status": {"name": "Done"},
            "labels": list(issue.labels),
            "components": [{"name": "Billing"}, {"name": "Mail"}],
        }
        asked = request.query.get("fields", "").split(",")
        told: dict[str, Any] = {"id": issue.id, "key": issue.key}
        told["fields"] = {name: every.get(name) for name in asked}
        if request.query.get("expand") == "renderedFields" and not self.cloud:
            rendered = [
                {"id": str(n), "body": f"<p>{comment.text}</p>"}
                for n, comment in enumerate(issue.comments)
            ]
            told["renderedFields"] = {
                "description": f"<p>{issue.text}</p>",
                "comment": {"comments": rendered[:INCLUDED_COMMENTS]},
            }
        return told

    def _comment(self, number: int, comment: Comment) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": str(number),
            "author": {"displayName": comment.author.title()},
            "body": paragraph(comment.text) if self.cloud else f"*{comment.text}*",
            "created": "2026-05-04T10:00:00.000+0000",
            "jsdPublic": not comment.internal,
        }
        if comment.visibility:
            told["visibility"] = {"type": "role", "value": comment.visibility}
        return told

    async def _comments(self, request: web.Request) -> web.Response:
        comments = [
            self._comment(n, c)
            for n, c in enumerate(self.issues[request.match_info["id"]].comments)
        ]
        if request.query.get("expand") == "renderedBody":
            texts = [c.text for c in self.issues[request.match_info["id"]].comments]
            comments = [
                {**each, "renderedBody": f"<p>{text}</p>"}
                for each, text in zip(comments, texts, strict=True)
            ]
        return self._page(request, comments, "comments")

    def _attachment(self, name: str, raw: bytes) -> dict[str, Any]:
        self.media.files[name] = raw
        content = f"{self.url}/secure/attachment/1/{name}"
        return {
            "id": f"7{len(name)}",
            "filename": name,
            "size": len(raw),
            "created": "2026-05-04T10:00:00.000+0000",
            "content": content,
        }

    async def _content(self, request: web.Request) -> web.Response:
        names = {f"7{len(name)}": name for name in self.media.files}
        raise web.HTTPSeeOther(f"{self.media.url}/{names[request.match_info['id']]}")

    async def _file(self, request: web.Request) -> web.Response:
        return web.Response(body=self.media.files[request.match_info["name"]])

    # projects, people, rights

    def _project_told(self, key: str) -> dict[str, Any]:
        return {"id": "1", "key": key, "name": key, "lead": self._user(self.projects[key])}

    async def _project_search(self, request: web.Request) -> web.Response:
        return self._page(request, [self._project_told(key) for key in self.projects], "values")

    async def _project_list(self, _: web.Request) -> web.Response:
        return answer([self._project_told(key) for key in self.projects])

    def _user(self, name: str) -> dict[str, Any]:
        email = self.emails.get(name)
        shown = {"emailAddress": email} if email else {}
        if self.cloud:
            known = {"accountId": name, "accountType": "atlassian"}
            return {**known, "displayName": name.title(), "active": True, **shown}
        return {
            "name": name,
            "key": f"key-{name}",
            "displayName": name.title(),
            "active": True,
            **shown,
        }

    async def _members(self, request: web.Request) -> web.Response:
        name = request.query.get("groupname") or request.query["groupId"].removeprefix("id-")
        if name not in self.groups:
            return refused(404, "The group does not exist.")
        return self._page(request, [self._user(each) for each in self.groups[name]], "values")

    async def _bulk(self, request: web.Request) -> web.Response:
        accounts = request.query.getall("accountId")
        return self._page(request, [self._user(each) for each in accounts], "values")

    async def _user_one(self, request: web.Request) -> web.Response:
        name = request.query.get("username") or request.query["key"].removeprefix("key-")
        known = name in self.emails
        return answer(self._user(name)) if known else refused(404, "The user does not exist")

    async def _scheme(self, request: web.Request) -> web.Response:
        if request.query.get("expand") != "all":
            return refused(400, "Nothing is expanded")
        holders = self.browse.get(request.match_info["key"])
        if holders is None:
            return refused(404, "No permission scheme")
        grants = [
            {"id": 1, "holder": holder, "permission": "BROWSE_PROJECTS"} for holder in holders
        ]
        other = {"type": "user", "parameter": "eve"}
        grants.append({"id": 2, "holder": other, "permission": "CREATE_ISSUES"})
        return answer({"id": 1, "permissions": grants})

    async def _role(self, request: web.Request) -> web.Response:
        actors = self.roles.get(request.match_info["id"])
        if actors is None:
            return refused(404, "The role does not exist")
        return answer({"id": 1, "actors": [self._actor(kind, name) for kind, name in actors]})

    def _actor(self, kind: str, name: str) -> dict[str, Any]:
        told: dict[str, Any] = {"type": f"atlassian-{kind}-role-actor", "name": name}
        if kind == "user" and self.cloud:
            return {"type": told["type"], "actorUser": {"accountId": name}}
        if kind == "group":
            told["actorGroup"] = {"name": name, **({"groupId": f"id-{name}"} if self.cloud else {})}
        return told

    async def _level(self, request: web.Request) -> web.Response:
        holders = self.levels.get(request.query["levelId"], [])
        return self._page(request, [{"id": "1", "holder": each} for each in holders], "values")


def _keeps(condition: re.Match[str]) -> Callable[[Issue], bool]:
    """The test that a condition of JQL is."""
    if condition["one"]:
        return lambda issue: issue.project == condition["one"]
    if condition["many"]:
        projects = [part.strip().strip('"') for part in condition["many"].split(",")]
        return lambda issue: issue.project in projects
    if condition["ids"]:
        return lambda issue: issue.id in condition["ids"].split(",")
    if condition["label"]:
        return lambda issue: condition["label"] in issue.labels
    since = datetime.fromisoformat(condition["since"]).replace(tzinfo=UTC)
    return lambda issue: issue.updated >= since


def refused(status: int, message: str) -> web.Response:
    """A refusal in Jira's form."""
    return answer({"errorMessages": [message], "errors": {}}, status)
