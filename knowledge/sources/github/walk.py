"""One repository in one run: what has changed in its files and conversations."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.batches import Batches
from knowledge.sources.github.api import GitHub, Json, NotThereError
from knowledge.sources.github.conversations import (
    conversation,
    discussion,
    discussions,
    issue_facts,
    moment,
)
from knowledge.sources.github.files import Files, Place, head, now, told, tree
from knowledge.sources.github.loads import Loads
from knowledge.sources.github.rights import Readers
from knowledge.sources.source import Change, Removed, Skipped, SourceDocument

ISSUES_AT_ONCE = 20  # whose comments one request fetches
OVERLAP = timedelta(minutes=5)  # more than our clock and GitHub's differ


@dataclass(frozen=True, slots=True)
class Past:
    """How far a repository was told."""

    tree: str | None = None
    issues: str | None = None
    """When the last issue or comment that was told was updated."""
    discussions: str | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with its readers."""

    facts: Json
    readers: Readers

    @property
    def name(self) -> str:
        """OWNER/NAME."""
        return str(self.facts["full_name"])

    def branch(self, wanted: str) -> str:
        """The branch whose files are read."""
        return wanted or str(self.facts["default_branch"])


@dataclass(slots=True)
class Walk:
    """One repository in one run."""

    api: GitHub
    loads: Loads
    repository: Repository
    past: Past
    parts: frozenset[str]
    patterns: tuple[str, ...] = ()
    wanted_branch: str = ""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    reached: Past | None = field(default_factory=Past)
    """How far this run has come; None: it could not tell what is gone."""

    async def changes(self) -> AsyncIterator[Change]:
        """Files, then issues and pull requests, then discussions."""
        self.reached = self.past
        if "files" in self.parts:
            for change in await self._files():
                yield change
        if self.parts & {"issues", "pulls"}:
            async for document in self._issues():
                yield document
        if "discussions" in self.parts and self.repository.facts.get("has_discussions"):
            async for document in self._discussions():
                yield document

    async def _files(self) -> list[Change]:
        name, branch = self.repository.name, self.repository.branch(self.wanted_branch)
        sha = await head(self.api, name, branch)
        if sha is None and self.wanted_branch:
            raise SourceError(f"{name} has no branch {branch}: check the option branch.")
        if sha == self.past.tree:
            return []
        files = await self._tree(sha)
        before: Files = {}
        lost = False
        if self.past.tree:
            try:
                before = await tree(self.api, name, self.past.tree)
            except NotThereError:  # rewritten history: what was there is not known any more
                lost = True
        self._reach(tree=sha)
        if lost:
            self.reached = None
        found: list[Change] = told(self._place(), files, before, partial(self.loads.blob, name))
        return found

    async def _tree(self, sha: str | None) -> Files:
        try:
            return await tree(self.api, self.repository.name, sha) if sha else {}
        except NotThereError as error:
            raise SourceError(
                f"{self.repository.name} was rewritten while it was read. Index again."
            ) from error

    def _place(self) -> Place:
        return Place(
            self.repository.name,
            self.repository.facts["html_url"],
            self.repository.branch(self.wanted_branch),
            self.patterns,
            self.repository.readers.principals,
        )

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """Some documents of this repository as they are now."""
        name = self.repository.name
        paths = [key for key in keys if key.startswith(f"{name}/")]
        sha = await head(self.api, name, self._place().branch) if paths else None
        files = await self._tree(sha)
        for key in paths:
            yield now(
                self._place(), files, key.removeprefix(f"{name}/"), partial(self.loads.blob, name)
            )
        batches = Batches(partial(self.loads.comments, name), ISSUES_AT_ONCE)
        for key in keys:
            if not key.startswith(f"{name}/"):
                number = int(key.removeprefix(f"{name}#"))
                yield await self._conversation(number, batches) or Removed(key)

    async def _conversation(self, number: int, batches: Batches) -> SourceDocument | None:
        issue = await self._one(number)
        if issue:
            return self._issue(issue, batches)
        node = await discussion(self.api, self.repository.name, number)
        return self._discussion(node) if node else None

    async def _issues(self) -> AsyncIterator[SourceDocument]:
        batches = Batches(partial(self.loads.comments, self.repository.name), ISSUES_AT_ONCE)
        last = self.past.issues
        seen: set[int] = set()
        async for issue in self._listed("issues?state=all&sort=created&direction=asc"):
            seen.add(issue["number"])
            last = max(last or "", issue["updated_at"])
            if self._wanted(issue):
                yield self._issue(issue, batches)
        if self.past.issues:
            # An edited comment does not touch its issue.
            edited: dict[int, str] = {}
            async for comment in self._listed("issues/comments?sort=created&direction=asc"):
                edited[int(comment["issue_url"].rpartition("/")[2])] = comment["updated_at"]
                last = max(last or "", comment["updated_at"])
            for number in sorted(edited.keys() - seen):
                commented = await self._one(number)
                if commented and self._wanted(commented):
                    yield self._issue(commented, batches, edited[number])
        self._reach(issues=self._until(last))

    async def _listed(self, path: str) -> AsyncIterator[Json]:
        since = f"&since={self.past.issues}" if self.past.issues else ""
        try:
            async for item in self.api.all(
                f"/repos/{self.repository.name}/{path}&per_page=100{since}"
            ):
                yield item
        except NotThereError:  # issues are switched off
            return

    async def _one(self, number: int) -> Json | None:
        try:
            issue: Json = await self.api.one(f"/repos/{self.repository.name}/issues/{number}")
        except NotThereError:
            return None
        return issue

    def _wanted(self, issue: Json) -> bool:
        return ("pulls" if issue.get("pull_request") else "issues") in self.parts

    def _issue(self, issue: Json, batches: Batches, edited: str = "") -> SourceDocument:
        number, count = str(issue["number"]), int(issue["comments"])
        if count:
            batches.expect(number)
        start = conversation(issue["title"], issue_facts(issue), issue.get("body") or "", ())

        async def load() -> bytes:
            said = await batches.load(number) if count else b""
            return b"\n\n".join(filter(None, [start, said]))

        return self._document(
            issue["number"],
            issue["title"],
            issue["html_url"],
            issue["updated_at"],
            load=load,
            fingerprint=f"{issue['updated_at']} {count} {edited}".strip(),
        )

    async def _discussions(self) -> AsyncIterator[SourceDocument]:
        last = since = self.past.discussions or ""
        seen: set[int] = set()
        # By creation nothing moves while all is listed; by update the rest can be left out.
        async for node in discussions(self.api, self.repository.name, by_update=bool(since)):
            if node["updatedAt"] < since:
                break
            last = max(last, node["updatedAt"])
            if node["number"] not in seen:
                seen.add(node["number"])
                yield self._discussion(node)
        self._reach(discussions=self._until(last or None))

    def _discussion(self, node: Json) -> SourceDocument:
        return self._document(
            node["number"],
            node["title"],
            node["url"],
            node["updatedAt"],
            load=partial(self.loads.discussion, self.repository.name, node),
            fingerprint=node["updatedAt"],
        )

    def _document(
        self, number: int, title: str, url: str, updated: str, **more: Any
    ) -> SourceDocument:
        return SourceDocument(
            key=f"{self.repository.name}#{number}",
            media_type="text/markdown",
            title=title,
            url=url,
            modified_at=moment(updated),
            principals=self.repository.readers.principals,
            **more,
        )

    def _until(self, last: str | None) -> str | None:
        """The moment since when the next run lists: what was edited while this one ran is in it."""
        safe = (self.began - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
        return min(last, safe) if last else None

    def _reach(self, **further: str | None) -> None:
        if self.reached:
            self.reached = replace(self.reached, **further)
