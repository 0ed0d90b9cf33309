"""Builds the vectors of new models beside the old ones, and swaps without a gap.

The vectors come from the stored chunks: nothing is fetched or parsed again. Each batch is written
in a transaction of its own, so a run that is killed goes on where it was. Questions are asked with
the old models until every chunk has its new vectors; then one transaction swaps. Whoever indexes
meanwhile writes vectors of both (knowledge/live.py). The old vectors stay for
`roster.GRACE_SECONDS`, for processes that still ask with them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pgvector import HalfVector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.chunking import Chunk, embedding_text
from knowledge.database import Database
from knowledge.errors import EmbeddingModelBusyError
from knowledge.report import Progress
from knowledge.roster import SQL, Loaded, language_of, read_models, register, with_roles
from knowledge.upkeep import keep_up

logger = logging.getLogger(__name__)

_BATCH_CHUNKS = 128
_WAIT_SECONDS = 0.5  # for a sync that is running to end


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild has done."""

    models: tuple[str, ...]
    chunks: int = 0
    """Embedded in this run, each once a model."""
    longer: int = 0
    """Of these, those that are longer than the model reads: their end was not embedded."""
    seconds: float = 0.0


@dataclass(slots=True)
class _Building:
    """A model whose vectors are being built."""

    id: int
    role: str
    loaded: Loaded

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.id, "language": language_of(self.role)}


async def rebuild(
    database: Database,
    coming: Sequence[Loaded],
    progress: Callable[[Progress], None] | None = None,
) -> Rebuilt:
    """Build what is missing of the models that `roster.begin_building` was told, and swap.

    Raises:
        EmbeddingModelBusyError: another process builds, or has begun to build other models.
        EmbeddingError: texts could not be embedded; what was written stays.
    """
    began = time.monotonic()
    async with _alone(database) as connection:
        run = _Run(database, connection, coming, progress)
        await run.whole()
    run.done.seconds = time.monotonic() - began
    logger.info(
        "Questions are asked with %s from now on: %d vectors were built.",
        " and ".join(run.done.models),
        run.done.chunks,
        extra={"action": "embedding_models_swapped", "models": list(run.done.models)},
    )
    return run.done


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection whose process alone builds; the lock ends with it."""
    lock = text("SELECT pg_try_advisory_lock(hashtextextended('lorewise.rebuild', 0))")
    async with database.indexer.connect() as connection:
        locked = await connection.scalar(lock)
        await connection.commit()
        if not locked:
            raise EmbeddingModelBusyError(
                "The vectors of a new model are being built already: wait until that has ended."
            )
        try:
            yield connection
        finally:
            await connection.invalidate()


@dataclass(slots=True)
class _Run:
    """One run of `rebuild`."""

    database: Database
    connection: AsyncConnection
    coming: Sequence[Loaded]
    tell: Callable[[Progress], None] | None
    done: Rebuilt = field(init=False)
    _building: list[_Building] = field(init=False, default_factory=list)
    _total: int = 0
    _began: float = field(default_factory=time.monotonic)

    async def whole(self) -> None:
        """Fill, then swap; what came in between is filled too."""
        self.done = Rebuilt(tuple(one.embedder.name for one in self.coming))
        async with self.connection.begin():
            for role, loaded in with_roles(self.coming):
                key = await register(self.connection, loaded.embedder)
                self._building.append(_Building(key, role, loaded))
            for one in self._building:
                self._total += await self._wanting(one)
        for one in self._building:
            await self._fill(one)
        await keep_up(self.database)  # the new vectors' index, before anybody waits for it
        while True:
            for one in self._building:
                await self._fill(one)
            approved = await self._approved()
            if await self._swap(approved):
                return
            await asyncio.sleep(_WAIT_SECONDS)

    async def _wanting(self, one: _Building) -> int:
        return int((await self.connection.execute(SQL["wanting"], one.where)).scalar_one())

    async def _fill(self, one: _Building) -> None:
        """Embed every chunk that has no vector of this model yet, some at a time."""
        after = 0
        while True:
            async with self.connection.begin():
                await self._still_wanted()
                values = {**one.where, "after": after, "limit": _BATCH_CHUNKS}
                rows = (await self.connection.execute(SQL["next_chunks"], values)).all()
            if not rows:
                return
            after = rows[-1].id
            await self._embed(one, rows)

    async def _embed(self, one: _Building, rows: Sequence[Any]) -> None:
        texts = [
            embedding_text(
                Chunk(r.title, tuple(r.heading_path), r.page, r.position, r.text, r.tokens)
            )
            for r in rows
        ]
        embedder = one.loaded.embedder
        counted = await asyncio.to_thread(embedder.count_tokens, texts)
        vectors = await embedder.embed_passages(texts)
        async with self.connection.begin():
            await self.connection.execute(text("SET LOCAL synchronous_commit TO off"))
            documents = {"documents": sorted({row.document_id for row in rows})}
            held = await self.connection.execute(SQL["hold_documents"], documents)
            values = {
                "model": one.id,
                "chunks": [row.id for row in rows],
                "vectors": [HalfVector(vector).to_text() for vector in vectors],
                "documents": [row.id for row in held],
            }
            written = await self.connection.execute(SQL["add_vectors"], values)
        self.done.chunks += max(0, written.rowcount)
        self.done.longer += sum(count + 2 > embedder.width_tokens for count in counted)
        self._step(embedder.name)

    def _step(self, name: str) -> None:
        if self.tell:
            total = max(self._total, self.done.chunks)  # more may have come meanwhile
            seconds = time.monotonic() - self._began
            done = self.done.chunks
            self.tell(Progress(done, total, True, done, name, seconds))

    async def _still_wanted(self) -> None:
        """Stop where somebody with other settings has begun to build other models."""
        now = {model.id: model.next_role for model in await read_models(self.connection)}
        if any(now.get(one.id) != one.role for one in self._building):
            raise EmbeddingModelBusyError(
                "Other models are being built now than this run was told: give all processes the "
                "same LOREWISE_EMBEDDING_ settings, then run `lorewise index` again."
            )

    async def _approved(self) -> Mapping[UUID, str]:
        """New vectors of the questions of approved answers; they are few."""
        embedder = self._building[-1].loaded.embedder
        async with self.connection.begin():
            found = await self.connection.execute(SQL["other_approved"], {"name": embedder.name})
            rows = found.all()
        vectors = await embedder.embed_questions([row.question for row in rows])
        return {
            row.id: HalfVector(vector).to_text() for row, vector in zip(rows, vectors, strict=True)
        }

    async def _swap(self, approved: Mapping[UUID, str]) -> bool:
        """In one transaction, if nothing is missing and nobody is writing."""
        connection = self.connection
        async with connection.begin() as transaction:
            await self._still_wanted()
            if not (await connection.execute(SQL["nobody_indexes"])).scalar_one():
                return False
            if any([await self._wanting(one) for one in self._building]):
                await transaction.rollback()
                return False
            name = self._building[-1].loaded.embedder.name
            await connection.execute(SQL["keep_approved"])
            left = await connection.execute(SQL["other_approved"], {"name": name})
            if {row.id for row in left} - approved.keys():
                await transaction.rollback()
                return False
            for key, vector in approved.items():
                values = {"id": key, "name": name, "vector": vector}
                await connection.execute(SQL["approve_anew"], values)
            await connection.execute(SQL["retire"])
            await connection.execute(SQL["promote"])
        return True
