"""Syncing the sources as a job, with its progress in the admin's direct messages."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.access import People
from bot.ledger import Ledger
from bot.markup import escape_mrkdwn, one_line
from bot.sync import VECTORS, index_sources, rebuild_vectors
from bot.texts import Texts
from bot.thread import notice_metadata
from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.errors import KnowledgeError
from knowledge.index import Progress, Report
from knowledge.live import LiveEmbedders
from knowledge.roster import indexing
from knowledge.settings import KnowledgeSettings
from knowledge.sources import Kind
from knowledge.sources.registered import RegisteredSource, registered_sources

logger = logging.getLogger(__name__)

UPDATE_SECONDS = 2.0  # chat.update: fifty a minute, and other answers need some of them
BAR = 20


class Reindexing:
    """Syncs sources. With an arrival (somebody's command) it shows its progress to that person."""

    def __init__(
        self,
        *,
        database: Database,
        settings: KnowledgeSettings,
        embedders: Sequence[Embedder],
        ledger: Ledger,
        people: People,
        client: AsyncWebClient,
        kinds: Mapping[str, Kind],
    ) -> None:
        self._database, self._settings, self._embedders = database, settings, embedders
        self._kinds = kinds
        self._ledger, self._people, self._client = ledger, people, client

    async def run(self, event_id: int | None, source: str | None) -> None:
        """Sync one source or all; one that fails doesn't stop the others."""
        display = await self._display(event_id)
        for registered in await registered_sources(self._database):
            if source in {None, registered.name}:
                await self._one(registered, display)
        await self._vectors(display)

    async def _vectors(self, display: "Display") -> None:
        """Build what a change of the embedding model in the settings asks for."""
        live = self._embedders
        if not isinstance(live, LiveEmbedders):
            return
        try:
            async with indexing(self._database):
                await live.prepare()
            if live.coming:
                async with display.showing(VECTORS) as progress:
                    await rebuild_vectors(self._database, live, progress=progress)
        except KnowledgeError as error:
            logger.error("Vectors can't be built: %s", error, extra={"action": "rebuild_failed"})
            await display.failed(VECTORS, error)

    async def _display(self, event_id: int | None) -> "Display":
        taken = await self._ledger.load(event_id) if event_id is not None else None
        if taken is None:
            return Display(None, "", "en", 0)
        user = str(taken.payload["user_id"])
        return Display(self._client, user, await self._people.language_of(user), taken.id)

    async def _one(self, registered: RegisteredSource, display: "Display") -> None:
        try:
            async with display.showing(registered.name) as progress:
                (indexed,) = await index_sources(
                    self._settings,
                    self._database,
                    [registered.name],
                    embedders=self._embedders or None,
                    progress=progress,
                    kinds=self._kinds,
                )
        except KnowledgeError as error:
            logger.error("A source can't be synced: %s", error, extra={"action": "reindex_failed"})
            await display.failed(registered.name, error)
        else:
            await display.done(registered.name, indexed.report)


class Display:
    """One message that shows how far a sync is; none where nobody asked for it."""

    def __init__(
        self, client: AsyncWebClient | None, user: str, language: str, event_id: int
    ) -> None:
        self._client, self._user, self._texts = client, user, Texts.of(language)
        self._event_id = event_id
        self._channel, self._ts = "", ""

    def showing(self, source: str) -> "_Showing":
        """Begin a message and keep it up to date until the block ends."""
        return _Showing(self, source)

    async def begin(self, source: str) -> None:
        """Post the message."""
        await self._show(self._texts.get("reindex_begun", source=_shown(source)), anew=True)

    async def progress(self, source: str, progress: Progress) -> None:
        """Bring the message up to date."""
        values = {
            "source": _shown(source),
            "bar": bar(progress.documents_done, progress.documents_total),
            "done": progress.documents_done,
            "total": progress.documents_total,
        }
        await self._show(self._texts.get("reindex_progress", **values))

    async def done(self, source: str, report: Report) -> None:
        """Say what came of it."""
        values = {
            "source": _shown(source),
            "seconds": round(report.seconds, 1),
            "seen": report.seen,
            "added": report.added,
            "changed": report.changed,
            "removed": report.removed,
            "failed": len(report.failed),
        }
        logger.info(
            "A source was synced", extra={"action": "source_synced", **values, "source": source}
        )
        await self._show(self._texts.get("reindex_done", **values))

    async def failed(self, source: str, error: KnowledgeError) -> None:
        """Say that nothing came of it; only admins see it, so it may say why."""
        text = self._texts.get(
            "reindex_failed", source=_shown(source), reason=_shown(str(error), 1_000)
        )
        await self._show(text)

    async def _show(self, text: str, *, anew: bool = False) -> None:
        if self._client is None:
            return
        quiet: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
        if anew or not self._ts:
            posted = await self._client.chat_postMessage(
                channel=self._user,
                text=text,
                metadata=notice_metadata(self._event_id, "reindex"),
                **quiet,
            )
            self._channel, self._ts = str(posted["channel"]), str(posted["ts"])
        else:
            await self._client.chat_update(channel=self._channel, ts=self._ts, text=text, **quiet)


class _Showing:
    """Takes progress from the sync at any rate and shows it every two seconds at most."""

    def __init__(self, display: Display, source: str) -> None:
        self._display, self._source = display, source
        self._latest: Progress | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Callable[[str, Progress], None]:
        await self._display.begin(self._source)
        self._task = asyncio.create_task(self._keep_up())
        return self._take

    async def __aexit__(self, *_error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _take(self, _source: str, progress: Progress) -> None:
        self._latest = progress

    async def _keep_up(self) -> None:
        shown: Progress | None = None
        while True:
            await asyncio.sleep(UPDATE_SECONDS)
            if self._latest is not None and self._latest is not shown:
                shown = self._latest
                await self._display.progress(self._source, shown)


def bar(done: int, total: int) -> str:
    """A progress bar of text."""
    full = BAR * done // total if total else 0
    return "█" * full + "░" * (BAR - full)


def _shown(text: str, most: int = 80) -> str:
    return escape_mrkdwn(one_line(text, most))
