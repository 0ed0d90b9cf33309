"""What has changed in a repository, or in all of an owner's, since a cursor.

Files are compared by the tree of the last run; issues, pull requests and discussions are listed
since the last time that one was updated. Everything is listed anew when the repositories or their
readers are others, and now and then, because GitHub tells nobody what was deleted.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from knowledge.errors import SourceError
from knowledge.sources.cursors import digest_of, full_due
from knowledge.sources.github.api import (
    API,
    GitHub,
    Json,
    Marks,
    NotThereError,
    forbids,
    github_wait,
)
from knowledge.sources.github.loads import Loads
from knowledge.sources.github.rights import readers
from knowledge.sources.github.walk import Past, Repository, Walk
from knowledge.sources.kind import Options
from knowledge.sources.patience import Patience, Vendor
from knowledge.sources.readers import Granting, hours, listed, mapping_of, yes
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument

VERSION = 1
PARTS = ("files", "issues", "pulls", "discussions")
REQUESTS_PER_SECOND = 10.0  # GitHub counts 900 points a minute at the most, a reading as one


@dataclass(frozen=True, slots=True)
class GitHubSource:
    """Repositories; a key is OWNER/NAME/PATH of a file, or OWNER/NAME#NUMBER."""

    location: str
    owner: str
    name: str
    loads: Loads
    granting: Granting
    parts: frozenset[str] = frozenset(PARTS)
    patterns: tuple[str, ...] = ()
    branch: str = ""
    forks: bool = False
    full_hours: float = 24.0
    kind: str = "github"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What was committed, said or edited since the cursor, or everything."""
        async with self.loads.vendor.client() as client:
            marks = Marks(known=dict((cursor or {}).get("marks") or {}))
            api = self.loads.api(client, marks)
            found = [item async for item in self._repositories(api)]
            repositories = [item for item in found if isinstance(item, Repository)]
            digest, now = self._digest(found), datetime.now(UTC)
            past, listed_at = self._past(cursor, digest, now)
            told_until: dict[str, Past | None] = {}
            if not past:
                for item in found:
                    if isinstance(item, Skipped):
                        yield item
            for repository in repositories:
                walk = self._walk(api, repository, past.get(repository.name, Past()))
                async for change in walk.changes():
                    yield change
                told_until[repository.name] = walk.reached
            lost = any(reached is None for reached in told_until.values())
            following = {
                "version": VERSION,
                "for": "" if lost else digest,  # another one: the next run lists everything
                "listed_at": listed_at.isoformat(),
                "told": {
                    name: [reached.tree, reached.issues, reached.discussions]
                    for name, reached in told_until.items()
                    if reached
                },
                "marks": dict(marks.met),
            }
            yield Checkpoint(following, complete=not past and not lost)

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """Each of these documents as it is now."""
        names: dict[str, list[str]] = {}
        for key in keys:
            names.setdefault("/".join(key.partition("#")[0].split("/")[:2]), []).append(key)
        async with self.loads.vendor.client() as client:
            api = self.loads.api(client)
            for name, wanted in names.items():
                try:
                    facts = await api.one(f"/repos/{name}")
                except NotThereError:
                    facts = None
                if facts and facts["full_name"] != name:  # renamed: its documents have other keys
                    facts = None
                found = facts and await readers(api, facts, self.granting)
                if found and not found.reason:
                    walk = self._walk(api, Repository(facts, found), Past())
                    async for change in walk.again(wanted):
                        yield change
                    continue
                for key in wanted:
                    yield Skipped(key, found.reason) if found else Removed(key)

    def _walk(self, api: GitHub, repository: Repository, past: Past) -> Walk:
        return Walk(api, self.loads, repository, past, self.parts, self.patterns, self.branch)

    async def _repositories(self, api: GitHub) -> AsyncIterator[Repository | Skipped]:
        """Each repository with its readers, or why it is left out."""
        async for facts in self._named(api):
            if self.name or not (reason := self._why_not(facts)):
                found = await readers(api, facts, self.granting)
                reason = found.reason
                if not reason:
                    yield Repository(facts, found)
                    continue
            yield Skipped(facts["full_name"], reason)

    def _why_not(self, facts: Json) -> str:
        if facts.get("disabled"):
            return "is disabled by GitHub"
        return "is a fork" if facts.get("fork") and not self.forks else ""

    async def _named(self, api: GitHub) -> AsyncIterator[Json]:
        try:
            if self.name:
                yield await api.one(f"/repos/{self.owner}/{self.name}")
                return
            async for facts in api.all(await self._listing(api)):
                yield facts
        except NotThereError as error:
            raise SourceError(
                f"GitHub has no {self.location}, or the token may not see it: check the name, and "
                "give the token access to it. Nothing was removed."
            ) from error

    async def _listing(self, api: GitHub) -> str:
        """Where an owner's repositories are listed; a user's private ones only under their own."""
        account = await api.one(f"/users/{self.owner}")
        if account["type"] == "Organization":
            return f"/orgs/{self.owner}/repos?sort=full_name&per_page=100"
        try:
            itself = (await api.one("/user"))["login"] == account["login"]
        except SourceError as error:
            if not forbids(error):  # the token of an app is no user's
                raise
            itself = False
        place = (
            "/user/repos?affiliation=owner" if itself else f"/users/{self.owner}/repos?type=owner"
        )
        return f"{place}&sort=full_name&per_page=100"

    def _past(
        self, cursor: Mapping[str, Any] | None, digest: str, now: datetime
    ) -> tuple[Mapping[str, Past], datetime]:
        """How far each repository was told, none where all is to be told, and when all was."""
        if not cursor or cursor.get("version") != VERSION or cursor.get("for") != digest:
            return {}, now
        listed_at = datetime.fromisoformat(cursor["listed_at"])
        if full_due(listed_at, now, self.full_hours):
            return {}, now
        return {name: Past(*reached) for name, reached in cursor["told"].items()}, listed_at

    def _digest(self, found: Sequence[Repository | Skipped]) -> str:
        """Other repositories, readers or options: then everything is told anew."""
        return digest_of(
            {
                "repositories": [
                    [item.name, item.branch(self.branch), sorted(item.readers.principals or ())]
                    if isinstance(item, Repository)
                    else [item.key, item.reason]
                    for item in found
                ],
                "parts": sorted(self.parts),
                "paths": self.patterns,
                "vendor": self.granting.vendor,
            }
        )


def open_repositories(location: str, options: Options) -> GitHubSource:
    """See knowledge.sources.github.GITHUB. Raises SourceError."""
    if "token" not in options:
        raise SourceError("The kind github needs token=env:NAME_OF_THE_VARIABLE.")
    path = urlsplit(location).path if "://" in location else location
    owner, name, *more = [*path.strip("/").removesuffix(".git").split("/"), ""]
    if not owner or any(more):
        raise SourceError(
            f"{location} is not the address of a repository or of an owner: write "
            "https://github.com/OWNER/NAME or https://github.com/OWNER."
        )
    parts = frozenset(listed(options, "parts") or PARTS)
    if unknown := sorted(parts - set(PARTS)):
        raise SourceError(f"parts has no {', '.join(unknown)}. It has: {', '.join(PARTS)}.")
    patience = Patience(requests_per_second=REQUESTS_PER_SECOND, burst=20)
    vendor = Vendor("GitHub", patience=patience, wait=github_wait)
    return GitHubSource(
        location,
        owner,
        name,
        Loads(vendor, str(options["token"]), str(options.get("base_url") or API).rstrip("/")),
        mapping_of(options),
        parts,
        listed(options, "paths"),
        str(options.get("branch", "")),
        yes(options, "forks", default=False),
        hours(options, "full_hours", 24.0),
    )
