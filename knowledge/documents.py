"""Writes documents with everything that hangs on them: chunks, vectors, postings.

A document is written in one transaction, so whatever is killed when, each is there whole or as it
was before. Postgres refuses COPY into tables under row level security, so rows are copied into
temporary tables and inserted from there.
"""

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import AsyncConnection as RawConnection
from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.acls import acl_of
from knowledge.chunking import Chunk, counted_text
from knowledge.errors import SourceError
from knowledge.postings import Terms, TermSource, postings
from knowledge.sources.source import SourceDocument
from knowledge.statements import read_statements

Result = TypeVar("Result")

_SQL = {
    name: text(statement)
    for name, statement in read_statements(Path(__file__).with_suffix(".sql")).items()
}
_TEMPORARY = ("temporary_chunk", "temporary_embedding", "temporary_posting", "temporary_named")
_INSERTS = ("insert_chunks", "insert_embeddings", "insert_postings")
_SUMMARISED_CHUNKS = 32
_READERS = ("document_readers", "embedding_readers", "posting_readers", "chunk_readers")


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What the index knows of a document."""

    id: int
    content_hash: str
    acl_id: int
    principals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a source was told, and what its documents were made with."""

    cursor: dict[str, Any] | None
    recipe: str | None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document ready to be written."""

    origin: SourceDocument
    title: str
    url: str | None
    language: str
    summary: str
    content_hash: str
    acl_id: int
    chunks: Sequence[Chunk]
    languages: Sequence[str]  # of each chunk
    vectors: Mapping[int, Mapping[int, NDArray[np.float32]]]  # by model, by the chunk's position


class Documents:
    """The documents of one source, over one connection.

    Tasks take turns at it, and a transaction that has begun is brought to its end even when its
    task is cancelled: the driver cannot roll back in the middle of a statement.
    """

    def __init__(self, connection: AsyncConnection, source_id: int) -> None:
        self._connection = connection
        self._source_id = source_id
        self._turn = asyncio.Lock()
        self._acls: dict[frozenset[str], int] = {}

    async def prepare(self, models: Sequence[tuple[str, int]]) -> dict[str, int]:
        """Make the session's temporary tables; give the keys of models (name, dimensions)."""
        for name in _TEMPORARY:
            await self._execute(name)
        rows = [
            await self._execute("register_model", name=name, dimensions=dimensions)
            for name, dimensions in models
        ]
        return {name: row[0][0] for (name, _), row in zip(models, rows, strict=True)}

    async def place(self) -> Place:
        """How far the last run came. Raises SourceError when the source has been removed."""
        rows = await self._execute("source_place", source=self._source_id)
        if not rows:
            raise SourceError("The source has been removed meanwhile.")
        return Place(rows[0].cursor, rows[0].recipe)

    async def remember(self, place: Place) -> None:
        """Note how far this run has come: the next one goes on from here."""
        await self._execute("source_place_reached", source=self._source_id, **_place(place))

    async def finish(self, place: Place | None, report: Mapping[str, float]) -> None:
        """Note the end of a run, its counts, and its place unless the last one is to be kept."""
        if place is not None:
            await self.remember(place)
        await self._execute("source_synced", source=self._source_id, report=json.dumps(report))

    async def count(self) -> int:
        """How many documents of the source are indexed."""
        return int((await self._execute("count_documents", source=self._source_id))[0][0])

    async def stored(
        self, keys: Sequence[str], *, named: Sequence[str]
    ) -> dict[str, StoredDocument]:
        """What the index has under these keys; `named` of them are there now."""
        values = {"source": self._source_id, "keys": list(keys)}
        rows = await self._execute("stored_documents", **values)
        await self._execute("name_documents", keys=list(named))
        return {
            row.key: StoredDocument(row.id, row.content_hash, row.acl_id, frozenset(row.principals))
            for row in rows
        }

    async def failed(self) -> list[str]:
        """The documents that the next run must ask for again."""
        rows = await self._execute("failed_documents", source=self._source_id)
        return [row.key for row in rows]

    async def note_failed(self, key: str, reason: str) -> None:
        """Have the next run ask for a document again."""
        await self._execute("note_failed", source=self._source_id, key=key, reason=reason)

    async def forget_failed(self, *, but: Sequence[str]) -> None:
        """Ask for none again but these."""
        await self._execute("forget_failed", source=self._source_id, keys=list(but))

    async def acl(self, principals: frozenset[str]) -> int:
        """The key of a set of readers. Raises SourceError for a set that cannot be."""

        async def find() -> int:
            async with self._connection.begin():
                return await acl_of(self._connection, principals)

        if principals not in self._acls:
            self._acls[principals] = await self._alone(find())
        return self._acls[principals]

    async def write(self, document: NewDocument) -> None:
        """Put a document in the place of its last version."""
        await self._alone(self._write(document))

    async def remove(self, keys: Sequence[str]) -> int:
        """Delete documents with all that hangs on them; says how many there were."""
        gone = await self._execute("delete_documents", source=self._source_id, keys=list(keys))
        return len(gone)

    async def remove_unnamed(self, unread: Sequence[str]) -> int:
        """Delete what this session has not named, but what stands at or under `unread` keys."""
        values = {"source": self._source_id, "unread": list(unread)}
        return len(await self._execute("delete_unnamed", **values))

    async def change_readers(self, document_id: int, acl_id: int) -> None:
        """Give a document and all that hangs on it to other readers, at one moment."""

        async def change() -> None:
            async with self._connection.begin():
                for name in _READERS:
                    await self._connection.execute(
                        _SQL[name], {"document": document_id, "acl": acl_id}
                    )

        await self._alone(change())

    async def _execute(self, name: str, /, **values: Any) -> Sequence[Row[Any]]:
        """One statement in a transaction of its own."""

        async def execute() -> Sequence[Row[Any]]:
            async with self._connection.begin():
                result = await self._connection.execute(_SQL[name], values)
                return result.all() if result.returns_rows else []

        return await self._alone(execute())

    async def _alone(self, work: Coroutine[Any, Any, Result]) -> Result:
        async def turn() -> Result:
            async with self._turn:
                return await work

        task = asyncio.create_task(turn())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            task.cancelled() or task.exception()  # looked at, so that asyncio does not complain
            raise

    async def _write(self, document: NewDocument) -> None:
        async with self._connection.begin():
            # A crash of the server may lose the last documents, never a part of one: the next run
            # writes them again.
            await self._connection.execute(_SQL["do_not_wait_for_the_disk"])
            row = await self._connection.execute(_SQL["put_document"], self._row(document))
            keys = {"document": int(row.scalar_one()), "acl": document.acl_id}
            await self._connection.execute(_SQL["delete_chunks"], keys)
            terms = await postings(self._connection, _counted(document))
            raw = (await self._connection.get_raw_connection()).driver_connection
            assert isinstance(raw, RawConnection)
            async with raw.cursor() as cursor:
                await _copy_chunks(cursor, document, terms)
                await _copy_vectors(cursor, document)
                await _copy_postings(cursor, document, terms)
            for name in _INSERTS:
                await self._connection.execute(_SQL[name], keys)

    def _row(self, document: NewDocument) -> dict[str, object]:
        return {
            "source": self._source_id,
            "key": document.origin.key,
            "title": document.title,
            "url": document.url,
            "language": document.language,
            "summary": document.summary,
            "media_type": document.origin.media_type,
            "content_hash": document.content_hash,
            "acl": document.acl_id,
            "modified_at": document.origin.modified_at,
        }


def _place(place: Place) -> dict[str, str | None]:
    cursor = None if place.cursor is None else json.dumps(place.cursor)
    return {"cursor": cursor, "recipe": place.recipe}


def _counted(document: NewDocument) -> list[TermSource]:
    # In a long document the summary's words would stand in so many chunks that they say nothing.
    summary = document.summary if len(document.chunks) <= _SUMMARISED_CHUNKS else ""
    return [
        TermSource(counted_text(chunk, summary), language)
        for chunk, language in zip(document.chunks, document.languages, strict=True)
    ]


async def _copy_chunks(
    cursor: AsyncCursor[TupleRow], document: NewDocument, terms: Sequence[Terms]
) -> None:
    async with cursor.copy("COPY incoming_chunk FROM STDIN") as copy:
        for chunk, language, counted in zip(
            document.chunks, document.languages, terms, strict=True
        ):
            place = (chunk.position, list(chunk.heading_path), chunk.page)
            await copy.write_row((*place, chunk.text, chunk.tokens, counted.length, language))


async def _copy_vectors(cursor: AsyncCursor[TupleRow], document: NewDocument) -> None:
    async with cursor.copy("COPY incoming_embedding FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int2", "int4", "halfvec"])
        for model_id, vectors in document.vectors.items():
            for position, vector in vectors.items():
                await copy.write_row((model_id, position, HalfVector(vector)))


async def _copy_postings(
    cursor: AsyncCursor[TupleRow], document: NewDocument, terms: Sequence[Terms]
) -> None:
    async with cursor.copy("COPY incoming_posting FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int8", "int4", "int2", "int4"])
        for chunk, counted in zip(document.chunks, terms, strict=True):
            for term, frequency in counted.frequencies.items():
                await copy.write_row((term, chunk.position, frequency, counted.length))
