"""Keeps indexed channels in step with what happens in them, within seconds.

The inbox has stored which message changed, not how: the job reads it from Slack as it is now, so
events may come twice, late or out of order. What was deleted leaves the index before anything is
asked of Slack.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence

from bot.history.choice import KIND
from bot.history.grouping import day_of
from bot.history.source import SlackSource
from bot.ledger import Ledger, Taken, borrowed
from bot.statements import statements
from bot.sync import models_of
from knowledge.assemble import open_live_embedders
from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.index import forget, is_busy, update
from knowledge.roster import indexing
from knowledge.settings import KnowledgeSettings
from knowledge.sources import Kind, Removed
from knowledge.sources.registered import RegisteredSource, registered_sources

logger = logging.getLogger(__name__)

SQL = statements("history.sql")
# A sync that runs meanwhile may write what it has read before: look again until it can't any more.
LOOK_AGAIN_SECONDS = (5, 30, 120, 600)

Later = Callable[[int, int, int], Awaitable[None]]
"""Queues a look at an event again: its id, how often it was looked at, in how many seconds."""


class LiveHistory:
    """Works on what happened to messages."""

    def __init__(
        self,
        *,
        database: Database,
        settings: KnowledgeSettings,
        embedders: Sequence[Embedder],
        ledger: Ledger,
        kind: Kind,
        later: Later,
    ) -> None:
        self._database, self._settings, self._ledger = database, settings, ledger
        self._embedders, self._kind, self._later = embedders, kind, later
        self._opened: dict[tuple[int, str, str], SlackSource] = {}

    async def follow(self, event_id: int, looked: int) -> None:
        """Bring the documents of an event's message in step; `looked` counts further looks."""
        taken = await self._ledger.load(event_id)
        if taken is None or (taken.finished and not looked):
            return
        waiting = await self._together(taken)
        sources = await self._sources(str(taken.payload["channel"]))
        for registered, source in sources:
            await self._one(taken, waiting, registered, source)
        if not sources:
            await self._unlist(taken)
        await self._settle([event_id, *waiting], "followed" if sources else "ignored")
        busy = [await is_busy(registered, self._database) for registered, _ in sources]
        if any(busy) and looked < len(LOOK_AGAIN_SECONDS):
            await self._later(event_id, looked + 1, LOOK_AGAIN_SECONDS[looked])

    async def _one(
        self,
        taken: Taken,
        waiting: dict[int, str],
        registered: RegisteredSource,
        source: SlackSource,
    ) -> None:
        channel, root = str(taken.payload["channel"]), str(taken.payload["root"])
        thread, day = f"{channel}/{root}", f"{channel}/{day_of(root)}"
        if "deleted" in {*waiting.values(), taken.payload["change"]}:
            await forget(registered, [thread if taken.payload["thread"] else day], self._database)
        changes = await source.around(
            channel, root, is_thread=bool(taken.payload["thread"]), known=await self._has(thread)
        )
        chosen = await self._chosen()
        async with indexing(self._database):
            report = await update(
                registered,
                changes,
                self._database,
                await models_of(chosen),
                width_tokens=self._settings.chunk_width_tokens,
            )
        removed = sum(isinstance(change, Removed) for change in changes)
        logger.info(
            "Indexed documents follow a message: %d told, %d gone",
            report.seen,
            removed,
            extra={"action": "history_followed", "source": registered.name},
        )

    async def _chosen(self) -> Sequence[Embedder]:
        if not self._embedders:
            self._embedders = await open_live_embedders(self._settings, self._database)
        return self._embedders

    async def _has(self, key: str) -> bool:
        async with self._database.indexer.connect() as connection:
            found = await connection.exec_driver_sql(
                "SELECT FROM document WHERE key = %s LIMIT 1", (key,)
            )
            return found.first() is not None

    async def _sources(self, channel: str) -> list[tuple[RegisteredSource, SlackSource]]:
        registered = [r for r in await registered_sources(self._database) if r.kind == KIND]
        opened = [(each, self._open(each)) for each in registered]
        return [(each, source) for each, source in opened if await source.reads(channel)]

    def _open(self, registered: RegisteredSource) -> SlackSource:
        """One source for many events: it keeps names and channels for a while."""
        key = (registered.id, registered.location, repr(sorted(registered.options.items())))
        if key not in self._opened:
            source = self._kind.load(registered.location, registered.options)
            assert isinstance(source, SlackSource)
            self._opened[key] = source
        return self._opened[key]

    async def _together(self, taken: Taken) -> dict[int, str]:
        """The events that one reading settles: their ids and what each says."""
        values = {name: taken.payload[name] for name in ("channel", "root")}
        async with borrowed(self._database) as connection:
            rows = await (await connection.execute(SQL["together"], values)).fetchall()
        return {row[0]: row[1] for row in rows}

    async def _settle(self, ids: Sequence[int], outcome: str) -> None:
        async with borrowed(self._database) as connection:
            await connection.execute(SQL["settle"], {"ids": list(ids), "outcome": outcome})

    async def _unlist(self, taken: Taken) -> None:
        async with borrowed(self._database) as connection:
            await connection.execute(SQL["unlist"], {"channel": taken.payload["channel"]})
