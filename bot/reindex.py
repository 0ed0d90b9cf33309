"""Syncing the sources as a job, with its progress in the admin's direct messages."""

import logging
from collections.abc import Mapping, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.access import People
from bot.board import Board
from bot.ledger import Ledger
from bot.sync import VECTORS, index_sources, rebuild_vectors
from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.errors import KnowledgeError
from knowledge.live import LiveEmbedders
from knowledge.roster import indexing
from knowledge.settings import KnowledgeSettings
from knowledge.sources import Kind
from knowledge.sources.registered import registered_sources

logger = logging.getLogger(__name__)


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
        """Sync one source, or all; by the clock, all that have no schedule of their own.

        One that fails doesn't stop the others.
        """
        names = [
            registered.name
            for registered in await registered_sources(self._database)
            if registered.name == source
            or (source is None and (event_id is not None or not registered.schedule))
        ]
        async with await self._board(event_id, names) as board:
            for name in names:
                await self._one(name, board)
            await self._vectors(board)

    async def _vectors(self, board: Board) -> None:
        """Build what a change of the embedding model in the settings asks for."""
        live = self._embedders
        if not isinstance(live, LiveEmbedders):
            return
        try:
            async with indexing(self._database):
                await live.prepare()
            if live.coming:
                board.begin(VECTORS)
                await rebuild_vectors(self._database, live, progress=board.take)
        except KnowledgeError as error:
            logger.error("Vectors can't be built: %s", error, extra={"action": "rebuild_failed"})
            board.failed(VECTORS, str(error))

    async def _board(self, event_id: int | None, names: Sequence[str]) -> Board:
        taken = await self._ledger.load(event_id) if event_id is not None else None
        if taken is None:
            return Board(None, "", "en", 0, names)
        user = str(taken.payload["user_id"])
        language = await self._people.language_of(user)
        return Board(self._client, user, language, taken.id, names)

    async def _one(self, name: str, board: Board) -> None:
        board.begin(name)
        try:
            (indexed,) = await index_sources(
                self._settings,
                self._database,
                [name],
                embedders=self._embedders or None,
                progress=board.take,
                kinds=self._kinds,
            )
        except KnowledgeError as error:
            logger.error("A source can't be synced: %s", error, extra={"action": "reindex_failed"})
            board.failed(name, str(error))
        else:
            board.done(name, indexed.report)
