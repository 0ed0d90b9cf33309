"""What an integration sees of a Notion workspace, page by page.

Notion tells nobody what has changed or gone since a moment, so the whole listing is told each time
(a hundred pages a request); contents are read only where the time of the last edit is another one.
The listing is a search, which may miss a page for a while: what it named the last time and does not
name now is asked for itself before it is taken for gone.
Notion has no API for who may read a page either: the source's readers apply.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from notion_client import APIErrorCode, APIResponseError, AsyncClient
from notion_client.errors import HTTPResponseError

from knowledge.errors import SourceError
from knowledge.sources.kind import Options
from knowledge.sources.notion.blocks import page_html
from knowledge.sources.notion.properties import properties_html, related, rich_html, rich_text
from knowledge.sources.notion.tree import read_tree
from knowledge.sources.patience import Patience, Vendor
from knowledge.sources.source import Change, Checkpoint, Removed, SourceDocument

API = "https://api.notion.com"
VERSION = "2025-09-03"
REQUESTS_PER_SECOND = 3.0
PAGE_SIZE = 100  # the most that Notion gives at once
CURSOR_VERSION = 1
MOST_MISSED = 300  # more are not missed by a search: somebody has unshared them
UNSETTLED = timedelta(minutes=2)  # edit times are whole minutes: a later edit may show the same one

Json = dict[str, Any]

_SDK_LOGGER = logging.getLogger("knowledge.sources.notion.sdk")  # else the SDK prints


@dataclass(frozen=True, slots=True)
class NotionSource:
    """All that is shared with an integration; a key is the id of a page or of a data source."""

    location: str
    token: str = field(repr=False)
    vendor: Vendor = field(repr=False)
    base_url: str = API
    titles: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Of the pages that were met, for the relations of rows."""
    kind: str = "notion"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Everything, oldest edit first: what is edited meanwhile comes again and is not missed."""
        complete = True
        told: dict[str, str] = {}
        async with self._api() as api:
            async for item in self._listed(api):
                if item.get("object") == "list":
                    complete = False  # Notion says that it has not told all
                elif item["id"] not in told:
                    told[item["id"]] = item["object"]
                    yield self._change(item)
            async for item in self._missed(api, _named_before(cursor), told):
                told[item["id"]] = item["object"]
                yield self._change(item)
        yield Checkpoint({"version": CURSOR_VERSION, "named": told}, complete=complete)

    async def _missed(
        self, api: AsyncClient, before: Mapping[str, str], told: Mapping[str, str]
    ) -> AsyncIterator[Json]:
        for key in sorted(before.keys() - told.keys())[:MOST_MISSED]:
            things = api.data_sources if before[key] == "data_source" else api.pages
            try:
                yield await things.retrieve(key)
            except APIResponseError as error:
                if error.code != APIErrorCode.ObjectNotFound:
                    raise

    async def _listed(self, api: AsyncClient) -> AsyncIterator[Json]:
        sort = {"direction": "ascending", "timestamp": "last_edited_time"}
        async for item in _paged(api.search, sort=sort):
            yield item
            if item["object"] == "data_source":  # new rows show here before the search finds them
                async for row in _paged(api.data_sources.query, data_source_id=item["id"]):
                    yield row

    def _change(self, item: Json) -> Change:
        if item.get("in_trash") or item.get("archived"):
            return Removed(item["id"])
        edited = item["last_edited_time"]
        modified_at = datetime.fromisoformat(edited)
        now = datetime.now(UTC)
        unsettled = f" {now.isoformat()}" if now - modified_at < UNSETTLED else ""
        title = self.titles[item["id"]] = title_of(item)
        return SourceDocument(
            key=item["id"],
            media_type="text/html",
            load=partial(self._load, item, title),
            title=title,
            url=item.get("url"),
            modified_at=modified_at,
            fingerprint=edited + unsettled,
        )

    async def _load(self, item: Json, title: str) -> bytes:
        if item["object"] == "data_source":
            description = rich_html(item.get("description") or [])
            start = f"<p>{description}</p>" if description else ""
            return page_html(title, start + properties_html(item, {}))
        async with self._api() as api:
            for key in related(item):
                await self._learn_title(api, key)
            head = properties_html(item, self.titles)
            return page_html(title, head, await read_tree(api, item["id"]))

    async def _learn_title(self, api: AsyncClient, key: str) -> None:
        """The title of a page that a row leads to; none where it is not shared."""
        if key not in self.titles:
            try:
                self.titles[key] = title_of(await api.pages.retrieve(key))
            except APIResponseError as error:
                if error.code != APIErrorCode.ObjectNotFound:
                    raise
                self.titles[key] = ""

    @asynccontextmanager
    async def _api(self) -> AsyncIterator[AsyncClient]:
        async with self.vendor.client() as client:
            try:
                yield AsyncClient(
                    client=client,
                    auth=self.token,
                    base_url=self.base_url,
                    notion_version=VERSION,
                    logger=_SDK_LOGGER,
                    retry=False,
                    timeout_ms=int(self.vendor.patience.timeout_seconds * 1000),
                )
            except HTTPResponseError as error:
                raise _explained(error) from error


def _named_before(cursor: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Page or data source, by the ids of the last telling."""
    if not cursor or cursor.get("version") != CURSOR_VERSION:
        return {}
    named: Mapping[str, str] = cursor["named"]
    return named


async def _paged(list_page: Any, **arguments: Any) -> AsyncIterator[Json]:
    """All results; where Notion stops before the end, the last thing is the page that says so."""
    start: str | None = None
    while True:
        page = await list_page(**arguments, start_cursor=start, page_size=PAGE_SIZE)
        for result in page["results"]:
            yield result
        if (page.get("request_status") or {}).get("type") == "incomplete":
            yield page
        start = page.get("next_cursor")
        if not page.get("has_more") or not start:
            return


def title_of(item: Json) -> str:
    """The title of a page or of a data source; empty where it has none."""
    if item["object"] == "data_source":
        return rich_text(item.get("title") or [])
    for value in item["properties"].values():
        if value.get("type") == "title":
            return rich_text(value["title"])
    return ""


def _explained(error: HTTPResponseError) -> SourceError:
    match str(getattr(error.code, "value", error.code)):
        case "unauthorized":
            return SourceError(
                "Notion refuses the token. Take the internal integration secret from "
                "https://www.notion.so/my-integrations and put it into the variable of the "
                "option token."
            )
        case "restricted_resource":
            return SourceError(
                "The Notion integration may not read content: give it the capability "
                "Read content in its settings."
            )
        case "object_not_found":
            return SourceError(
                "is no longer shared with the Notion integration, or is deleted. Share it with "
                "the integration (Connections in the page's menu) if it should be read."
            )
        case "rate_limited":
            return SourceError("Notion takes no more requests for now. Index again in a while.")
    return SourceError(f"Notion answers {error.status}: {error}. Index again; nothing was removed.")


def open_workspace(location: str, options: Options) -> NotionSource:
    """See knowledge.sources.notion.NOTION. Raises SourceError: an option cannot be used."""
    if "token" not in options:
        raise SourceError("The kind notion needs token=env:NAME_OF_THE_VARIABLE.")
    try:
        rate = float(options.get("requests_per_second", REQUESTS_PER_SECOND))
    except ValueError:
        rate = 0.0
    if rate <= 0:
        raise SourceError("requests_per_second is a number above 0, 3 for example.")
    return NotionSource(
        location,
        str(options["token"]),
        Vendor("Notion", patience=Patience(requests_per_second=rate)),
        str(options.get("base_url", API)).rstrip("/"),
    )
