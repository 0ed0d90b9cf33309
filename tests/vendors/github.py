"""GitHub's REST API of 2022-11-28 and its GraphQL API, strict about what they are asked."""

import base64
import functools
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import graphql
from aiohttp import web

from tests.vendors.server import VendorServer, answer

Json = dict[str, Any]
TOKEN = "ghp_strictly-secret"
_DOCS = "https://docs.github.com/rest"


@functools.cache
def schema() -> graphql.GraphQLSchema:
    """The part of GitHub's schema that is asked."""
    return graphql.build_schema(Path(__file__).with_suffix(".graphql").read_text())


@dataclass
class Repository:
    """What is in a repository."""

    name: str
    visibility: str = "private"
    fork: bool = False
    disabled: bool = False
    has_issues: bool = True
    has_discussions: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)
    discussions: dict[int, Json] = field(default_factory=dict)
    collaborators: list[Json] | None = field(default_factory=list)
    """None: the token may not see them."""
    teams: list[Json] = field(default_factory=list)


class GitHubServer(VendorServer):
    """An organisation with repositories."""

    def __init__(self) -> None:
        super().__init__()
        self.repositories: dict[str, Repository] = {}
        self.organisations = {"acme"}
        self.user = "robot"
        """Whose token it is; empty: an app's."""
        self.largest_page = 100
        self.largest_tree = 1000
        self.remaining = 5000
        self.trees: dict[str, list[Json]] = {}
        self.blobs: dict[str, bytes] = {}
        self._now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    # what people do on GitHub

    def now(self) -> str:
        """A second later than before."""
        self._now += timedelta(seconds=1)
        return self._now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def create(self, name: str, **more: Any) -> Repository:
        """Make a repository."""
        self.repositories[name] = Repository(name, **more)
        return self.repositories[name]

    def open_issue(
        self, repository: str, number: int, title: str, body: str | None, **more: Any
    ) -> None:
        """Open an issue, or a pull request with `pull_request`."""
        self.repositories[repository].comments.setdefault(number, [])
        moment = self.now()
        self.repositories[repository].issues[number] = {
            "id": 10_000 + number,
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "user": {"login": "ada", "type": "User"},
            "labels": [],
            "comments": 0,
            "created_at": moment,
            "updated_at": moment,
            "closed_at": None,
            "html_url": f"https://github.com/{repository}/issues/{number}",
            **more,
        }

    def comment(self, repository: str, number: int, body: str, author: str | None = "bob") -> None:
        """Comment on an issue."""
        place, moment = self.repositories[repository], self.now()
        place.comments[number].append(
            {
                "id": 90_000 + sum(map(len, place.comments.values())),
                "author": {"__typename": "User", "login": author} if author else None,
                "body": body,
                "createdAt": moment,
                "updatedAt": moment,
            }
        )
        place.issues[number] |= {
            "comments": len(place.comments[number]),
            "updated_at": moment,
        }

    def edit_comment(self, repository: str, number: int, body: str) -> None:
        """Edit an issue's last comment; the issue's own time stays."""
        self.repositories[repository].comments[number][-1] |= {
            "body": body,
            "updatedAt": self.now(),
        }

    def discuss(
        self, repository: str, number: int, title: str, body: str, comments: Sequence[Json] = ()
    ) -> None:
        """Open a discussion, or write another version of it."""
        moment = self.now()
        before = self.repositories[repository].discussions.get(number, {})
        self.repositories[repository].discussions[number] = {
            "id": f"D_{number}",
            "number": number,
            "title": title,
            "body": body,
            "url": f"https://github.com/{repository}/discussions/{number}",
            "author": {"__typename": "User", "login": "ada"},
            "answer": None,
            "category": {"name": "Q&A"},
            "createdAt": before.get("createdAt", moment),
            "updatedAt": moment,
            "all_comments": list(comments),
        }

    def said(self, body: str, replies: Sequence[str] = ()) -> Json:
        """A comment of a discussion."""
        author = {"__typename": "User", "login": "eve"}
        common = {"author": author, "createdAt": self.now()}
        return {
            **common,
            "body": body,
            "all_replies": [{**common, "body": one, "all_replies": []} for one in replies],
        }

    # what GitHub answers

    def routes(self) -> list[web.RouteDef]:
        repository = "/repos/{owner}/{name}"
        return [
            web.get(repository, self._repository),
            web.get("/users/{owner}", self._account),
            web.get("/orgs/{owner}/repos", self._list_repositories),
            web.get("/users/{owner}/repos", self._list_repositories),
            web.get("/user/repos", self._list_own),
            web.get("/user", self._self),
            web.get(f"{repository}/branches/{{branch}}", self._branch),
            web.get(f"{repository}/git/trees/{{sha}}", self._tree),
            web.get(f"{repository}/git/blobs/{{sha}}", self._blob),
            web.get(f"{repository}/issues", self._list_issues),
            web.get(f"{repository}/issues/comments", self._list_comments),
            web.get(f"{repository}/issues/{{number}}", self._issue),
            web.get(f"{repository}/teams", self._list_teams),
            web.post("/graphql", self._graphql),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() not in {"token", "bearer"} or token != TOKEN:
            return self.answer({"message": "Bad credentials", "documentation_url": _DOCS}, 401)
        if not request.headers.get("user-agent"):
            return self.answer({"message": "Request forbidden: no user agent"}, 403)
        if self.remaining <= 0:
            said = "API rate limit exceeded for user ID 1."
            return self.answer({"message": said, "documentation_url": _DOCS}, 403)
        self.remaining -= 1
        return None

    def answer(
        self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """A response with GitHub's rate limit."""
        limits = {
            "x-ratelimit-limit": "5000",
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(int(time.time()) + 1800),
            "x-ratelimit-used": str(5000 - self.remaining),
            "x-ratelimit-resource": "core",
        }
        return answer(body, status, {**limits, **(headers or {})})

    def missing(self) -> web.Response:
        """What GitHub says of a thing that is not there, or hidden."""
        return self.answer(
            {"message": "Not Found", "documentation_url": _DOCS, "status": "404"}, 404
        )

    def _named(self, request: web.Request) -> Repository | None:
        match = request.match_info
        return self.repositories.get(f"{match['owner']}/{match['name']}")

    async def _repository(self, request: web.Request) -> web.Response:
        found = self._named(request)
        return self.answer(self._facts(found)) if found else self.missing()

    def _facts(self, found: Repository) -> Json:
        owner = found.name.split("/")[0]
        kind = "Organization" if owner in self.organisations else "User"
        return {
            "id": 1,
            "name": found.name.split("/")[1],
            "full_name": found.name,
            "private": found.visibility != "public",
            "visibility": found.visibility,
            "owner": {"login": owner, "type": kind},
            "html_url": f"https://github.com/{found.name}",
            "fork": found.fork,
            "disabled": found.disabled,
            "archived": False,
            "default_branch": "main",
            "has_issues": found.has_issues,
            "has_discussions": found.has_discussions,
            "size": len(found.files),
        }

    async def _account(self, request: web.Request) -> web.Response:
        owner = request.match_info["owner"]
        if not any(name.startswith(f"{owner}/") for name in self.repositories):
            return self.missing()
        kind = "Organization" if owner in self.organisations else "User"
        return self.answer({"login": owner, "type": kind, "id": 1})

    async def _self(self, request: web.Request) -> web.Response:
        if not self.user:
            return self.answer({"message": "Resource not accessible by integration"}, 403)
        return self.answer({"login": self.user, "type": "User"})

    async def _list_own(self, request: web.Request) -> web.Response:
        assert request.query["affiliation"] == "owner"
        return self._page(request, [self._facts(found) for found in self._of(self.user)])

    def _of(self, owner: str) -> list[Repository]:
        found = sorted(self.repositories.items())
        return [repository for name, repository in found if name.startswith(f"{owner}/")]

    async def _list_repositories(self, request: web.Request) -> web.Response:
        owner = request.match_info["owner"]
        found = self._of(owner)
        if request.path.startswith("/users/"):
            found = [repository for repository in found if repository.visibility == "public"]
        return self._page(request, [self._facts(repository) for repository in found])

    async def _branch(self, request: web.Request) -> web.Response:
        found = self._named(request)
        if not found or request.match_info["branch"] != "main" or not found.files:
            return self.missing()
        sha = self._write_tree(found, "")
        commit = {"sha": _sha(b"commit" + sha.encode()), "commit": {"tree": {"sha": sha}}}
        return self.answer({"name": "main", "commit": commit, "protected": True})

    def _write_tree(self, found: Repository, folder: str) -> str:
        entries: dict[str, Json] = {}
        for path, raw in sorted(found.files.items()):
            if not path.startswith(folder):
                continue
            name, slash, _ = path.removeprefix(folder).partition("/")
            if slash:
                if name not in entries:
                    sha = self._write_tree(found, f"{folder}{name}/")
                    entries[name] = {"path": name, "mode": "040000", "type": "tree", "sha": sha}
                continue
            sha = _sha(b"blob" + raw)
            self.blobs[sha] = raw
            mode = found.modes.get(path, "100644")
            kind = "commit" if mode == "160000" else "blob"
            entries[name] = {"path": name, "mode": mode, "type": kind, "sha": sha}
            if kind == "blob":
                entries[name]["size"] = len(raw)
        listed = list(entries.values())
        sha = _sha(json.dumps(listed).encode())
        self.trees[sha] = listed
        return sha

    async def _tree(self, request: web.Request) -> web.Response:
        sha = request.match_info["sha"]
        if sha not in self.trees:
            return self.missing()
        listed = self.trees[sha]
        if request.query.get("recursive"):
            listed = self._flat(sha, "")
        body = {"sha": sha, "tree": listed[: self.largest_tree]}
        return self.answer({**body, "truncated": len(listed) > self.largest_tree})

    def _flat(self, sha: str, folder: str) -> list[Json]:
        found = []
        for entry in self.trees[sha]:
            found.append({**entry, "path": f"{folder}{entry['path']}"})
            if entry["type"] == "tree":
                found += self._flat(entry["sha"], f"{folder}{entry['path']}/")
        return found

    async def _blob(self, request: web.Request) -> web.Response:
        sha = request.match_info["sha"]
        if sha not in self.blobs:
            return self.missing()
        content = base64.encodebytes(self.blobs[sha]).decode()
        size = len(self.blobs[sha])
        return self.answer({"sha": sha, "size": size, "content": content, "encoding": "base64"})

    async def _list_issues(self, request: web.Request) -> web.Response:
        found, query = self._named(request), request.query
        if not found:
            return self.missing()
        if not found.has_issues:
            return self.answer({"message": "Issues has been disabled in this repository."}, 410)
        if (query.get("state"), query.get("sort"), query.get("direction")) != (
            "all",
            "created",
            "asc",
        ):
            return self.answer({"message": "Validation Failed"}, 422)
        issues = sorted(found.issues.values(), key=lambda issue: str(issue["created_at"]))
        since = query.get("since", "")
        return self._page(request, [issue for issue in issues if issue["updated_at"] >= since])

    async def _list_comments(self, request: web.Request) -> web.Response:
        found = self._named(request)
        if not found:
            return self.missing()
        since = request.query.get("since", "")
        comments = [
            {
                "id": one["id"],
                "issue_url": f"{self.url}/repos/{found.name}/issues/{number}",
                "body": one["body"],
                "created_at": one["createdAt"],
                "updated_at": one["updatedAt"],
            }
            for number, all_ in found.comments.items()
            for one in all_
            if one["updatedAt"] >= since
        ]
        return self._page(request, sorted(comments, key=lambda one: str(one["created_at"])))

    async def _issue(self, request: web.Request) -> web.Response:
        found = self._named(request)
        issue = found and found.issues.get(int(request.match_info["number"]))
        return self.answer(issue) if issue else self.missing()

    async def _list_teams(self, request: web.Request) -> web.Response:
        found = self._named(request)
        return self._page(request, found.teams) if found else self.missing()

    def _page(self, request: web.Request, found: Sequence[Json]) -> web.Response:
        size = min(int(request.query.get("per_page", 30)), 100, self.largest_page)
        number = int(request.query.get("page", 1))
        part = list(found[(number - 1) * size : number * size])
        headers = {"etag": f'W/"{_sha(json.dumps(part).encode())}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            self.remaining += 1  # GitHub counts only what it sends
            return web.Response(status=304, headers=headers)
        if number * size < len(found):
            following = request.url.update_query(page=str(number + 1))
            headers["link"] = f'<{following}>; rel="next", <{following}>; rel="last"'
        return self.answer(part, headers=headers)

    async def _graphql(self, request: web.Request) -> web.Response:
        body = await request.json()
        result = graphql.graphql_sync(
            schema(), body["query"], self._root(), variable_values=body.get("variables")
        )
        answered: Json = {"data": result.data}
        if result.errors:
            answered["errors"] = [
                {
                    "type": (error.extensions or {}).get("type"),
                    "path": error.path,
                    "message": error.message,
                }
                for error in result.errors
            ]
        return self.answer(answered)

    def _root(self) -> Json:
        def repository(_: Any, owner: str, name: str) -> Json:
            found = self.repositories.get(f"{owner}/{name}")
            if not found:
                raise graphql.GraphQLError(
                    f"Could not resolve to a Repository with the name '{owner}/{name}'.",
                    extensions={"type": "NOT_FOUND"},
                )
            return {
                "nameWithOwner": found.name,
                "collaborators": lambda _, **more: self._collaborators(found, **more),
                "issueOrPullRequest": lambda _, number: self._with_comments(found, number),
                "discussion": lambda _, number: self._discussion(found, number),
                "discussions": lambda _, **more: self._discussions(found, **more),
            }

        return {"repository": repository}

    def _collaborators(self, found: Repository, affiliation: str, **more: Any) -> Json:
        assert affiliation == "ALL"
        if found.collaborators is None:
            raise graphql.GraphQLError(
                "You do not have permission to view repository collaborators.",
                extensions={"type": "FORBIDDEN"},
            )
        people = [
            {
                "login": person["login"],
                "email": person.get("email", ""),
                "organizationVerifiedDomainEmails": lambda _, login, p=person: p.get(
                    "verified", []
                ),
            }
            for person in found.collaborators
        ]
        return self._connection(people, **more)

    def _with_comments(self, found: Repository, number: int) -> Json:
        issue = found.issues.get(number)
        if not issue:
            raise graphql.GraphQLError(
                f"Could not resolve to an issue or pull request with the number of {number}.",
                extensions={"type": "NOT_FOUND"},
            )
        kind = "PullRequest" if issue.get("pull_request") else "Issue"
        return {
            "__typename": kind,
            "comments": lambda _, **more: self._connection(found.comments[number], **more),
        }

    def _discussion(self, found: Repository, number: int) -> Json:
        node = found.discussions.get(number)
        if not node:
            raise graphql.GraphQLError(
                f"Could not resolve to a Discussion with the number of {number}.",
                extensions={"type": "NOT_FOUND"},
            )
        return self._shown(node)

    def _discussions(self, found: Repository, orderBy: Json, **more: Any) -> Json:  # noqa: N803
        field = {"CREATED_AT": "createdAt", "UPDATED_AT": "updatedAt"}[orderBy["field"]]
        last_first = orderBy["direction"] == "DESC"
        nodes = sorted(found.discussions.values(), key=lambda one: one[field], reverse=last_first)
        return self._connection([self._shown(node) for node in nodes], **more)

    def _shown(self, node: Json) -> Json:
        return {
            **node,
            "comments": lambda _, **more: self._connection(
                [self._shown_comment(one) for one in node["all_comments"]], **more
            ),
        }

    def _shown_comment(self, node: Json) -> Json:
        replies = [{**one, "replies": None} for one in node["all_replies"]]
        return {**node, "replies": lambda _, **more: self._connection(replies, **more)}

    def _connection(
        self, nodes: Sequence[Json], first: int | None = None, after: str | None = None
    ) -> Json:
        if not first or not 1 <= first <= 100:
            raise graphql.GraphQLError(
                "Requesting records on the connection exceeds the `first` limit of 100 records.",
                extensions={"type": "EXCESSIVE_PAGINATION"},
            )
        start = int(after or 0)
        end = start + min(first, self.largest_page)
        page = {"hasNextPage": end < len(nodes), "endCursor": str(end), "hasPreviousPage": False}
        return {"nodes": nodes[start:end], "pageInfo": page, "totalCount": len(nodes)}


def _sha(raw: bytes) -> str:
    return hashlib.sha1(raw).hexdigest()
