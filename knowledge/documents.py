"""Writes documents with everything that hangs on them: chunks, vectors, postings.

A document is written in one transaction, so whatever is killed when, each is there whole or as it
was before. Postgres refuses COPY into tables under row level security, so rows are copied into
temporary tables and inserted from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import AsyncConnection as RawConnection
from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.chunking import Chunk, embedding_text
from knowledge.postings import Terms, TermSource, postings
from knowledge.sources.source import SourceDocument
from knowledge.statements import read_statements

_SQL = {
    name: text(statement)
    for name, statement in read_statements(Path(__file__).with_suffix(".sql")).items()
}
_TEMPORARY = ("temporary_chunk", "temporary_embedding", "temporary_posting")
_INSERTS = ("insert_chunks", "insert_embeddings", "insert_postings")
_READERS = ("document_readers", "embedding_readers", "posting_readers", "chunk_readers")


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What the index knows of a document."""

    id: int
    content_hash: str
    acl_id: int


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document ready to be written."""

    origin: SourceDocument
    title: str
    url: str | None
    language: str
    content_hash: str
    acl_id: int
    chunks: Sequence[Chunk]
    languages: Sequence[str]  # of each chunk
    vectors: Mapping[int, Mapping[int, NDArray[np.float32]]]  # by model, by the chunk's position


class Documents:
    """The documents of one source, over one connection."""

    def __init__(self, connection: AsyncConnection, source_id: int) -> None:
        self._connection = connection
        self._source_id = source_id

    async def prepare(self) -> None:
        """Make the session's temporary tables."""
        async with self._connection.begin():
            for name in _TEMPORARY:
                await self._connection.execute(_SQL[name])

    async def stored(self) -> dict[str, StoredDocument]:
        """All documents of the source by key."""
        async with self._connection.begin():
            rows = await self._connection.execute(
                _SQL["stored_documents"], {"source": self._source_id}
            )
            return {key: StoredDocument(*rest) for key, *rest in rows}

    async def write(self, document: NewDocument) -> None:
        """Put a document in the place of its last version."""
        async with self._connection.begin():
            # A crash of the server may lose the last documents, never a part of one: the next run
            # writes them again.
            await self._connection.execute(text("SET LOCAL synchronous_commit TO off"))
            row = await self._connection.execute(_SQL["put_document"], self._row(document))
            keys = {"document": int(row.scalar_one()), "acl": document.acl_id}
            await self._connection.execute(_SQL["delete_chunks"], keys)
            terms = await postings(
                self._connection,
                [
                    TermSource(embedding_text(chunk), language)
                    for chunk, language in zip(document.chunks, document.languages, strict=True)
                ],
            )
            raw = (await self._connection.get_raw_connection()).driver_connection
            assert isinstance(raw, RawConnection)
            async with raw.cursor() as cursor:
                await _copy_chunks(cursor, document, terms)
                await _copy_vectors(cursor, document)
                await _copy_postings(cursor, document, terms)
            for name in _INSERTS:
                await self._connection.execute(_SQL[name], keys)

    async def remove(self, keys: Sequence[str]) -> int:
        """Delete documents with all that hangs on them; says how many there were."""
        async with self._connection.begin():
            gone = await self._connection.execute(
                _SQL["delete_documents"], {"source": self._source_id, "keys": list(keys)}
            )
        return int(gone.rowcount)

    async def change_readers(self, document_id: int, acl_id: int) -> None:
        """Give a document and all that hangs on it to other readers, at one moment."""
        async with self._connection.begin():
            for name in _READERS:
                await self._connection.execute(_SQL[name], {"document": document_id, "acl": acl_id})

    def _row(self, document: NewDocument) -> dict[str, object]:
        return {
            "source": self._source_id,
            "key": document.origin.key,
            "title": document.title,
            "url": document.url,
            "language": document.language,
            "media_type": document.origin.media_type,
            "content_hash": document.content_hash,
            "acl": document.acl_id,
            "modified_at": document.origin.modified_at,
        }


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
