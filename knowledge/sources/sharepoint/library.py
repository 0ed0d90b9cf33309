"""The files and pages of a site as documents."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from knowledge.errors import SourceError
from knowledge.sources.batches import Batches
from knowledge.sources.files import LARGEST_BYTES, MEDIA_TYPES, why_not_taken
from knowledge.sources.kind import Options
from knowledge.sources.moments import moment_of
from knowledge.sources.readers import NOBODY_RESOLVED, Granting, hours, listed, mapping_of, yes
from knowledge.sources.sharepoint.graph import BATCH, Graph, Json, open_graph
from knowledge.sources.sharepoint.pages import VERSION, page_html
from knowledge.sources.sharepoint.places import Place, place_of
from knowledge.sources.sharepoint.rights import GraphRights
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument

GRAPH_URL = "https://graph.microsoft.com/v1.0"
LOGIN_URL = "https://login.microsoftonline.com"
_FILE_FIELDS = "id,name,file,folder,package,root,deleted,size,webUrl,cTag,eTag,lastModifiedDateTime"
_PAGE_FIELDS = "id,name,title,webUrl,eTag,lastModifiedDateTime,publishingState"
_RIGHTS_AT_ONCE = 5 * BATCH


class _Resync(Exception):  # noqa: N818 - it is no error: Graph asks for everything anew
    """What has changed cannot be told from the link that is known."""


@dataclass(frozen=True, slots=True)
class SharePointSource:
    """The libraries and pages of a site. A file's key is its drive's id and its own."""

    location: str
    graph: Graph
    granting: Granting
    libraries: tuple[str, ...] = ()
    pages: bool = True
    full_hours: float = 24.0
    kind: str = "sharepoint"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What has changed by Graph's own account; every `full_hours` everything."""
        options = {
            "libraries": self.libraries,
            "pages": self.pages,
            "vendor": self.granting.vendor,
            "graph": self.graph.api.base_url,
        }
        place = place_of(cursor, options=options, full_hours=self.full_hours)
        async with self.graph.api.open():
            site = await self.graph.site(self.location)
            run = _Run(self, str(site["id"]))
            async for change in run.told(place):
                yield change

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """These files and pages as they are now."""
        async with self.graph.api.open():
            site = await self.graph.site(self.location)
            run = _Run(self, str(site["id"]))
            found: set[str] = set()
            async for change in run.again(keys):
                if change.key in keys:
                    found.add(change.key)
                    yield change
            for key in keys:
                if key not in found:
                    yield Removed(key)


@dataclass(slots=True)
class _Run:
    """One call of `changes`."""

    source: SharePointSource
    site_id: str
    rights: GraphRights = field(init=False)
    batches: Batches = field(init=False)

    def __post_init__(self) -> None:
        self.rights = GraphRights(self.source.graph, self.source.granting)
        self.batches = Batches(self._bodies, BATCH)

    async def told(self, place: Place) -> AsyncIterator[Change]:
        """Each drive's files with a checkpoint after them, then the pages."""
        drives = [str(drive["id"]) for drive in await self._drives()]
        if set(place.drives) - set(drives):  # a library is gone, with all its files
            place = place.from_the_beginning()
        try:
            gathered = {each: await self._delta(each, link) for each, link in place.drives.items()}
        except _Resync:
            place, gathered = place.from_the_beginning(), {}
        links = dict(place.drives)
        for drive in drives:
            known = drive in gathered
            items, links[drive] = gathered.pop(drive) if known else await self._delta(drive, None)
            async for change in self._files(drive, items):
                yield change
            if place.resumable:
                yield Checkpoint(place.cursor(links, place.pages, ended=False), complete=False)
        pages: list[str] = []
        async for change in self._pages():
            pages.append(change.key)
            yield change
        for gone in sorted(set(place.pages) - set(pages)):
            yield Removed(gone)
        yield Checkpoint(place.cursor(links, tuple(pages), ended=True), complete=place.whole)

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """The files of these keys, and, where one is a page's, the pages."""
        for drive in [str(drive["id"]) for drive in await self._drives()]:
            ids = [key.partition("/")[2] for key in keys if key.startswith(f"{drive}/")]
            paths = [f"{_item_path(drive, {'id': each})}?$select={_FILE_FIELDS}" for each in ids]
            answers = await self.source.graph.several(paths)
            items = [answer.body for answer in answers if answer.status == 200]
            async for change in self._files(drive, items):
                yield change
        if any(key.startswith("pages/") for key in keys):
            async for change in self._pages():
                yield change

    async def _drives(self) -> list[Json]:
        path = f"sites/{quote(self.site_id, safe=',')}/drives"
        found = [each async for each in self.source.graph.values(path, {"$select": "id,name"})]
        missing = sorted(set(self.source.libraries) - {str(drive.get("name")) for drive in found})
        if missing:
            raise SourceError(
                f"{self.source.location} has no document library {', '.join(missing)}. It has: "
                f"{', '.join(str(drive.get('name')) for drive in found)}."
            )
        wanted = self.source.libraries
        chosen = [drive for drive in found if not wanted or drive.get("name") in wanted]
        return sorted(chosen, key=lambda drive: str(drive["id"]))

    async def _delta(self, drive: str, link: str | None) -> tuple[list[Json], str]:
        """What has changed since a link, or all there is; the last word on each item counts."""
        api = self.source.graph.api
        params: dict[str, str | int] = {"$select": _FILE_FIELDS, "$top": 200}
        path = f"drives/{quote(drive, safe='')}/root/delta"
        found: dict[str, Json] = {}
        lost = {400, 404, 410} if link else ()  # too old, or no longer understood
        reply = await api.ask("GET", link or path, None if link else params, allow=lost)
        while True:
            if reply.status in lost:
                raise _Resync
            for item in reply.data.get("value") or ():
                found.pop(str(item["id"]), None)
                found[str(item["id"])] = item
            following = reply.data.get("@odata.nextLink")
            if not following:
                break
            reply = await api.ask("GET", str(following), allow=lost)
        if link and any("deleted" in item and "folder" in item for item in found.values()):
            raise _Resync  # what was in the folder is perhaps not named
        return list(found.values()), str(reply.data.get("@odata.deltaLink") or "")

    async def _files(
        self, drive: str, items: Sequence[Json]
    ) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        files: list[Json] = []
        for item in items:
            if "deleted" in item:
                yield Removed(f"{drive}/{item['id']}")
            elif reason := _why_not(item):
                yield Skipped(f"{drive}/{item['id']}", f"{item.get('name')}: {reason}")
            elif "file" in item:
                files.append(item)
        for start in range(0, len(files), _RIGHTS_AT_ONCE):
            some = files[start : start + _RIGHTS_AT_ONCE]
            paths = [f"{_item_path(drive, item)}/permissions" for item in some]
            for item, readers in zip(some, await self._readers(paths), strict=True):
                yield self._file(drive, item, readers)

    async def _readers(self, paths: Sequence[str]) -> Sequence[frozenset[str] | None]:
        if not self.source.granting.vendor:
            return [None] * len(paths)
        return await self.rights.of(paths)

    def _file(
        self, drive: str, item: Json, readers: frozenset[str] | None
    ) -> SourceDocument | Skipped:
        key, name = f"{drive}/{item['id']}", str(item.get("name") or "")
        if readers is not None and not readers:
            return Skipped(key, f"{name}: {NOBODY_RESOLVED}")
        path = f"{_item_path(drive, item)}/content"
        return SourceDocument(
            key=key,
            media_type=MEDIA_TYPES[PurePosixPath(name).suffix.lower()],
            load=lambda: self.source.graph.api.download(path, largest_bytes=LARGEST_BYTES),
            title=name,
            url=item.get("webUrl"),
            base_url=self.source.location,
            modified_at=moment_of(item.get("lastModifiedDateTime")),
            principals=readers,
            fingerprint=str(item.get("cTag") or item.get("eTag") or "") or None,
        )

    async def _pages(self) -> AsyncIterator[SourceDocument | Skipped]:
        """The site's pages, each time all of them: Graph does not tell which have changed."""
        if not self.source.pages:
            return
        site = quote(self.site_id, safe=",")
        path = f"sites/{site}/pages/microsoft.graph.sitePage"
        params: dict[str, str | int] = {"$select": _PAGE_FIELDS, "$top": 100}
        found = [page async for page in self.source.graph.values(path, params)]
        library = await self._page_library() if self.source.granting.vendor and found else ""
        base = f"sites/{site}/lists/{quote(library, safe='')}/items"
        rights = [f"{base}/{quote(str(p['id']), safe='')}/driveItem/permissions" for p in found]
        for page, readers in zip(found, await self._readers(rights), strict=True):
            yield self._page(page, readers)

    async def _page_library(self) -> str:
        """The list that holds the site's pages, for their permissions."""
        path = f"sites/{quote(self.site_id, safe=',')}/lists"
        async for each in self.source.graph.values(path, {"$select": "id,name,list"}):
            if (each.get("list") or {}).get("template") == "webPageLibrary":
                return str(each["id"])
        return "SitePages"

    def _page(self, page: Json, readers: frozenset[str] | None) -> SourceDocument | Skipped:
        key, title = f"pages/{page['id']}", str(page.get("title") or page.get("name") or "")
        state = (page.get("publishingState") or {}).get("level")
        if state not in {None, "published"}:
            return Skipped(key, f"{title}: is a draft: publish it")
        if readers is not None and not readers:
            return Skipped(key, f"{title}: {NOBODY_RESOLVED}")
        page_id = str(page["id"])
        self.batches.expect(page_id)
        return SourceDocument(
            key=key,
            media_type="text/html",
            load=lambda: self.batches.load(page_id),
            title=title,
            url=page.get("webUrl"),
            base_url=self.source.location,
            modified_at=moment_of(page.get("lastModifiedDateTime")),
            principals=readers,
            fingerprint=f"{VERSION}:{page['eTag']}" if page.get("eTag") else None,
        )

    async def _bodies(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        base = f"sites/{quote(self.site_id, safe=',')}/pages"
        paths = [
            f"{base}/{quote(page_id, safe='')}/microsoft.graph.sitePage?$expand=canvasLayout"
            for page_id in ids
        ]
        async with self.source.graph.api.open():
            answers = await self.source.graph.several(paths)
        return {
            page_id: page_html(answer.body)
            for page_id, answer in zip(ids, answers, strict=True)
            if answer.status == 200 and isinstance(answer.body, Mapping)
        }


def _item_path(drive: str, item: Json) -> str:
    return f"drives/{quote(drive, safe='')}/items/{quote(str(item['id']), safe='')}"


def _why_not(item: Json) -> str | None:
    """Why a file is not read; None for one that is, and for folders."""
    if "package" in item:
        return "is a notebook, which is not read"
    if "file" not in item:
        return None
    return why_not_taken(PurePosixPath(str(item.get("name") or "")), int(item.get("size") or 0))


def open_library(location: str, options: Options) -> SharePointSource:
    """A site as an administrator has named it. Raises SourceError."""
    if urlsplit(location).scheme != "https" or not urlsplit(location).hostname:
        raise SourceError(f"{location} is not a site's URL: https://acme.sharepoint.com/sites/HR")
    missing = [name for name in ("tenant", "client_id", "client_secret") if not options.get(name)]
    if missing:
        raise SourceError(
            f"SharePoint needs {', '.join(missing)}: register an application with Microsoft Entra "
            "(docs/sources.md says how); the secret is given as client_secret=env:NAME."
        )
    graph = open_graph(
        tenant=str(options["tenant"]),
        client_id=str(options["client_id"]),
        secret=str(options["client_secret"]),
        graph_url=str(options.get("graph_url") or GRAPH_URL),
        login_url=str(options.get("login_url") or LOGIN_URL),
    )
    return SharePointSource(
        location=location.rstrip("/"),
        graph=graph,
        granting=mapping_of(options),
        libraries=listed(options, "libraries"),
        pages=yes(options, "pages", default=True),
        full_hours=hours(options, "full_hours", 24),
    )
