"""The issues of a Jira as documents."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.atlassian import Json, People, is_cloud
from knowledge.sources.atlassian_api import atlassian_api
from knowledge.sources.batches import Batches
from knowledge.sources.cursors import Listing, listing_after, told_by_parts
from knowledge.sources.files import LARGEST_BYTES, MEDIA_TYPES, why_not_taken
from knowledge.sources.jira.issue import VERSION, issue_html, title_of
from knowledge.sources.jira.rights import JiraRights
from knowledge.sources.jira.site import BODIES_AT_ONCE, JiraSite
from knowledge.sources.kind import Options
from knowledge.sources.moments import moment_of
from knowledge.sources.readers import NOBODY_RESOLVED, Granting, hours, listed, mapping_of, yes
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument

PROJECTS_AT_ONCE = 40
IDS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class JiraSource:
    """All issues of the chosen projects. A key is the issue's id: moving changes PROJ-1, not it."""

    location: str
    site: JiraSite
    granting: Granting
    projects: tuple[str, ...] = ()
    exclude_projects: tuple[str, ...] = ()
    jql: str = ""
    attachments: bool = False
    username_domain: str | None = None
    full_hours: float = 24.0
    kind: str = "jira"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What was edited since the last run; every `full_hours` everything, with its rights."""
        listing = listing_after(cursor, options=self._choices(), full_hours=self.full_hours)
        async with self.site.api.open():
            chosen = await self._chosen()
            run = _Run(self, {str(project["key"]): project for project in chosen})
            changes = (
                run.lately(listing)
                if listing.since
                else told_by_parts(listing, list(run.projects), run.project)
            )
            async for change in changes:
                yield change

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """These issues and attachments as they are now."""
        async with self.site.api.open():
            chosen = await self._chosen()
            run = _Run(self, {str(project["key"]): project for project in chosen})
            ids = list(dict.fromkeys(key.partition("/")[0] for key in keys))
            found: set[str] = set()
            for start in range(0, len(ids), IDS_AT_ONCE):
                async for change in run.told(
                    f"id in ({','.join(ids[start : start + IDS_AT_ONCE])})"
                ):
                    if change.key in keys:
                        found.add(change.key)
                        yield change
            for key in keys:
                if key not in found:
                    yield Removed(key)

    def _choices(self) -> dict[str, Any]:
        return {
            "projects": self.projects,
            "exclude": self.exclude_projects,
            "jql": self.jql,
            "attachments": self.attachments,
            "vendor": self.granting.vendor,
        }

    async def _chosen(self) -> list[Json]:
        """The projects to read. Raises SourceError where one that was named is not there."""
        found = await self.site.projects()
        missing = sorted(set(self.projects) - {str(project.get("key")) for project in found})
        if missing:
            raise SourceError(
                f"{self.location} has no project {', '.join(missing)} that the token may browse. "
                "Check the option projects; keys are written as before an issue's number."
            )
        return [
            project
            for project in found
            if project.get("key") not in self.exclude_projects
            and (not self.projects or project.get("key") in self.projects)
            and not project.get("archived")
        ]


@dataclass(slots=True)
class _Run:
    """One call of `changes`."""

    source: JiraSource
    projects: Mapping[str, Json]
    rights: JiraRights = field(init=False)
    batches: Batches = field(init=False)
    _told: set[str] = field(default_factory=set)
    """What is edited while it is listed may come twice."""

    def __post_init__(self) -> None:
        site, granting = self.source.site, self.source.granting
        people = People(granting, site.members, site.accounts, self.source.username_domain)
        self.rights = JiraRights(site, people, granting)
        self.batches = Batches(self._bodies, BODIES_AT_ONCE)

    def project(self, key: str) -> AsyncIterator[Change]:
        """The whole of one project."""
        return self.told(f'project = "{key}"')

    async def lately(self, listing: Listing) -> AsyncIterator[Change]:
        """What was edited or made since the last run."""
        assert listing.since is not None
        keys = list(self.projects)
        for start in range(0, len(keys), PROJECTS_AT_ONCE):
            some = ", ".join(f'"{key}"' for key in keys[start : start + PROJECTS_AT_ONCE])
            jql = f'project in ({some}) and updated >= "{listing.since:%Y-%m-%d}"'
            async for change in self.told(jql):
                yield change
        yield Checkpoint(listing.finished(), complete=False)

    async def told(self, jql: str) -> AsyncIterator[SourceDocument | Skipped]:
        """What one query finds."""
        if self.source.jql:
            jql = f"{jql} and ({self.source.jql})"
        async for issue in self.source.site.listing(f"{jql} order by created"):
            fields = issue.get("fields") or {}
            project = self.projects.get(str((fields.get("project") or {}).get("key")))
            key = str(issue["id"])
            if project is None or key in self._told:
                continue
            self._told.add(key)
            async for change in self._issue(issue, project):
                yield change

    async def _issue(self, issue: Json, project: Json) -> AsyncIterator[SourceDocument | Skipped]:
        readers = None
        if self.source.granting.vendor:
            readers = await self.rights.readers(issue, project)
        files = (issue.get("fields") or {}).get("attachment") or ()
        attachments = files if self.source.attachments else ()
        if readers is not None and not readers:
            yield Skipped(str(issue["id"]), f"{title_of(issue)}: {NOBODY_RESOLVED}")
            for each in attachments:
                yield Skipped(_file_key(issue, each), f"{each.get('filename')}: {NOBODY_RESOLVED}")
            return
        yield self._document(issue, readers)
        for each in attachments:
            yield self._attachment(issue, each, readers)

    def _document(self, issue: Json, readers: frozenset[str] | None) -> SourceDocument:
        key = str(issue["id"])
        updated = str((issue.get("fields") or {}).get("updated"))
        self.batches.expect(key)
        return SourceDocument(
            key=key,
            media_type="text/html",
            load=lambda: self.batches.load(key),
            title=title_of(issue),
            url=self._url(issue),
            base_url=self.source.location,
            modified_at=moment_of(updated),
            principals=readers,
            fingerprint=f"{VERSION}:{updated}",
        )

    def _attachment(
        self, issue: Json, file: Json, readers: frozenset[str] | None
    ) -> SourceDocument | Skipped:
        key, name = _file_key(issue, file), str(file.get("filename") or "")
        reason = why_not_taken(PurePosixPath(name), int(file.get("size") or 0))
        if reason:
            return Skipped(key, f"{name}: {reason}")
        return SourceDocument(
            key=key,
            media_type=MEDIA_TYPES[PurePosixPath(name).suffix.lower()],
            load=lambda: self.source.site.api.download(
                self._content(file), largest_bytes=LARGEST_BYTES
            ),
            title=name,
            url=self._url(issue),
            base_url=self.source.location,
            modified_at=moment_of(file.get("created")),
            principals=readers,
            fingerprint=str(file.get("id")),  # it is never changed, only replaced
        )

    def _content(self, file: Json) -> str:
        if self.source.site.cloud:
            return f"rest/api/3/attachment/content/{quote(str(file['id']), safe='')}"
        return str(file.get("content"))

    def _url(self, issue: Json) -> str:
        return f"{self.source.location.rstrip('/')}/browse/{quote(str(issue.get('key')))}"

    async def _bodies(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        async with self.source.site.api.open():
            found = await self.source.site.bodies(ids)
        return {str(issue["id"]): issue_html(issue, comments) for issue, comments in found}


def _file_key(issue: Json, file: Json) -> str:
    return f"{issue['id']}/{file['id']}"


def open_tracker(location: str, options: Options) -> JiraSource:
    """A site as an administrator has named it. Raises SourceError."""
    api = atlassian_api("Jira", location, options)
    return JiraSource(
        location=location.rstrip("/"),
        site=JiraSite(api, is_cloud(location, options)),
        granting=mapping_of(options),
        projects=listed(options, "projects"),
        exclude_projects=listed(options, "exclude_projects"),
        jql=str(options.get("jql", "")),
        attachments=yes(options, "attachments", default=False),
        username_domain=options.get("username_domain"),
        full_hours=hours(options, "full_hours", 24),
    )
