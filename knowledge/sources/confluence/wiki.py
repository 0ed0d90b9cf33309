"""The content of a Confluence as documents."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.atlassian import Json, People, is_cloud
from knowledge.sources.atlassian_api import atlassian_api
from knowledge.sources.batches import Batches
from knowledge.sources.confluence.rights import ConfluenceRights
from knowledge.sources.confluence.site import BODIES_AT_ONCE, ConfluenceSite
from knowledge.sources.confluence.storage import VERSION, account_ids, page_html
from knowledge.sources.cursors import Listing, listing_after, told_by_parts
from knowledge.sources.files import LARGEST_BYTES, MEDIA_TYPES, why_not_taken
from knowledge.sources.kind import Options
from knowledge.sources.moments import moment_of
from knowledge.sources.readers import NOBODY_RESOLVED, Granting, hours, listed, mapping_of, yes
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument

SPACES_AT_ONCE = 40
IDS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class ConfluenceSource:
    """All content of the chosen spaces; a key is the content's id, so moving changes no key."""

    location: str
    site: ConfluenceSite
    granting: Granting
    spaces: tuple[str, ...] = ()
    exclude_spaces: tuple[str, ...] = ()
    personal: bool = False
    attachments: bool = True
    exclude_labels: frozenset[str] = frozenset()
    username_domain: str | None = None
    full_hours: float = 24.0
    kind: str = "confluence"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What was edited since the last run; every `full_hours` everything, with its rights."""
        listing = listing_after(cursor, options=self._choices(), full_hours=self.full_hours)
        async with self.site.api.open():
            run = _Run(self)
            chosen = await self._chosen()
            changes = (
                run.lately(chosen, listing)
                if listing.since
                else told_by_parts(listing, [str(s["key"]) for s in chosen], run.space_of(chosen))
            )
            async for change in changes:
                yield change

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """These pages and attachments as they are now."""
        async with self.site.api.open():
            run = _Run(self)
            chosen = await self._chosen()
            found: set[str] = set()
            for start in range(0, len(keys), IDS_AT_ONCE):
                cql = f"id in ({','.join(keys[start : start + IDS_AT_ONCE])})"
                async for change in run.told(cql, chosen):
                    found.add(change.key)
                    yield change
            for key in keys:
                if key not in found:
                    yield Removed(key)

    def _choices(self) -> dict[str, Any]:
        return {
            "spaces": self.spaces,
            "exclude": self.exclude_spaces,
            "personal": self.personal,
            "attachments": self.attachments,
            "labels": sorted(self.exclude_labels),
            "vendor": self.granting.vendor,
        }

    async def _chosen(self) -> list[Json]:
        """The spaces to read. Raises SourceError where one that was named is not there."""
        found = await self.site.spaces()
        missing = sorted(set(self.spaces) - {str(space.get("key")) for space in found})
        if missing:
            raise SourceError(
                f"{self.location} has no space {', '.join(missing)} that the token may view. "
                "Check the option spaces; keys are written as in the space's URL."
            )
        return [space for space in found if self._is_chosen(space)]

    def _is_chosen(self, space: Json) -> bool:
        key = str(space.get("key"))
        if key in self.exclude_spaces:
            return False
        if self.spaces:
            return key in self.spaces
        is_personal = key.startswith("~") or space.get("type") == "personal"
        return space.get("status", "current") == "current" and (self.personal or not is_personal)

    @property
    def types(self) -> str:
        """The content types that are listed, in CQL."""
        return "page, blogpost, attachment" if self.attachments else "page, blogpost"


@dataclass(slots=True)
class _Run:
    """One call of `changes`."""

    source: ConfluenceSource
    rights: ConfluenceRights = field(init=False)
    batches: Batches = field(init=False)
    _names: dict[str, str] = field(default_factory=dict)
    """Of people who are mentioned, by account id."""
    _told: set[str] = field(default_factory=set)
    """What is edited while it is listed may come twice."""

    def __post_init__(self) -> None:
        site, granting = self.source.site, self.source.granting
        people = People(granting, site.members, site.accounts, self.source.username_domain)
        self.rights = ConfluenceRights(site, people, granting)
        self.batches = Batches(self._bodies, BODIES_AT_ONCE)

    def space_of(self, spaces: Sequence[Json]) -> Callable[[str], AsyncIterator[Change]]:
        """Tells the whole of one of these spaces by its key."""

        def tell(key: str) -> AsyncIterator[Change]:
            cql = f'space = "{key}" and type in ({self.source.types}) order by created'
            return self.told(cql, [space for space in spaces if space["key"] == key])

        return tell

    async def lately(self, spaces: Sequence[Json], listing: Listing) -> AsyncIterator[Change]:
        """What was edited or made since the last run."""
        assert listing.since is not None
        for start in range(0, len(spaces), SPACES_AT_ONCE):
            some = spaces[start : start + SPACES_AT_ONCE]
            keys = ", ".join(f'"{space["key"]}"' for space in some)
            cql = (
                f"space in ({keys}) and type in ({self.source.types}) and "
                f'lastmodified >= "{listing.since:%Y-%m-%d}" order by created'
            )
            async for change in self.told(cql, some):
                yield change
        yield Checkpoint(listing.finished(), complete=False)

    async def told(
        self, cql: str, spaces: Sequence[Json]
    ) -> AsyncIterator[SourceDocument | Skipped]:
        """What one query finds; the rights of pages come before those of their attachments."""
        found = [each async for each in self.source.site.listing(cql)]
        by_key = {str(space["key"]): space for space in spaces}
        if self.source.granting.vendor:
            await self.rights.learn(content for _, content in found)
        for base, content in found:
            space = by_key.get(str((content.get("space") or {}).get("key")))
            key = str(content["id"])
            if space is not None and key not in self._told:
                self._told.add(key)
                yield await self._change(base, content, space)

    async def _change(self, base: str, content: Json, space: Json) -> SourceDocument | Skipped:
        key, title = str(content["id"]), str(content.get("title") or "")
        reason = self._why_not(content)
        if reason:
            return Skipped(key, f"{title}: {reason}")
        readers = None
        if self.source.granting.vendor:
            readers = await self.rights.readers(content, space)
            if not readers:
                return Skipped(key, f"{title}: {NOBODY_RESOLVED}")
        if content.get("type") == "attachment":
            return self._attachment(base, content, readers)
        return self._page(base, content, readers)

    def _why_not(self, content: Json) -> str | None:
        labels = self.source.exclude_labels & set(_labels(content))
        if labels:
            return f"has the label {', '.join(sorted(labels))}"
        if content.get("type") != "attachment":
            return None
        return why_not_taken(PurePosixPath(str(content.get("title") or "")), _size(content))

    def _page(self, base: str, content: Json, readers: frozenset[str] | None) -> SourceDocument:
        key = str(content["id"])
        version = content.get("version") or {}
        self.batches.expect(key)
        labels = ",".join(_labels(content))
        return SourceDocument(
            key=key,
            media_type="text/html",
            load=lambda: self.batches.load(key),
            title=str(content.get("title") or key),
            url=_web(base, content),
            base_url=base,
            modified_at=moment_of(version.get("when")),
            principals=readers,
            fingerprint=f"{VERSION}:{version.get('number')}:{labels}",
        )

    def _attachment(
        self, base: str, content: Json, readers: frozenset[str] | None
    ) -> SourceDocument:
        key, title = str(content["id"]), str(content.get("title") or "")
        version = content.get("version") or {}
        return SourceDocument(
            key=key,
            media_type=MEDIA_TYPES[PurePosixPath(title).suffix.lower()],
            load=lambda: self._download(base, content),
            title=title,
            url=_web(base, content),
            base_url=base,
            modified_at=moment_of(version.get("when")),
            principals=readers,
            fingerprint=f"{version.get('number')}:{_size(content)}",
        )

    async def _download(self, base: str, content: Json) -> bytes:
        site = self.source.site
        if site.cloud:
            container = quote(str((content.get("container") or {}).get("id")), safe="")
            key = quote(str(content["id"]), safe="")
            path = f"rest/api/content/{container}/child/attachment/{key}/download"
        else:
            link = str((content.get("_links") or {}).get("download") or "")
            path = link.removeprefix(site.context)
        return await site.api.download(path, largest_bytes=LARGEST_BYTES)

    async def _bodies(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """Pages as HTML, with the names of those whom they mention."""
        async with self.source.site.api.open():
            pages = await self.source.site.bodies(ids)
            storages = {str(page["id"]): _storage(page) for page in pages}
            await self._learn_names(set().union(*map(account_ids, storages.values())))
        return {
            str(page["id"]): page_html(
                str(page.get("title") or ""),
                storages[str(page["id"])],
                labels=_labels(page),
                names=self._names,
            )
            for page in pages
        }

    async def _learn_names(self, accounts: set[str]) -> None:
        unknown = sorted(accounts - self._names.keys())
        if not unknown:
            return
        for start in range(0, len(unknown), 100):
            for user in await self.source.site.accounts(unknown[start : start + 100]):
                name = user.get("publicName") or user.get("displayName")
                self._names[str(user.get("accountId"))] = str(name or "someone")


def _storage(page: Json) -> str:
    return str(((page.get("body") or {}).get("storage") or {}).get("value") or "")


def _labels(content: Json) -> list[str]:
    labels = ((content.get("metadata") or {}).get("labels") or {}).get("results") or ()
    return sorted(str(label.get("name")) for label in labels)


def _size(content: Json) -> int:
    return int((content.get("extensions") or {}).get("fileSize") or 0)


def _web(base: str, content: Json) -> str | None:
    link = (content.get("_links") or {}).get("webui")
    return f"{base}{link}" if link else None


def open_wiki(location: str, options: Options) -> ConfluenceSource:
    """A site as an administrator has named it. Raises SourceError."""
    api = atlassian_api("Confluence", location, options)
    return ConfluenceSource(
        location=location,
        site=ConfluenceSite(api, is_cloud(location, options)),
        granting=mapping_of(options),
        spaces=listed(options, "spaces"),
        exclude_spaces=listed(options, "exclude_spaces"),
        personal=yes(options, "personal", default=False),
        attachments=yes(options, "attachments", default=True),
        exclude_labels=frozenset(listed(options, "exclude_labels")),
        username_domain=options.get("username_domain"),
        full_hours=hours(options, "full_hours", 24),
    )
