"""Puts documents of one chunk each into the index, for tests and benchmarks of searching."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.database import INDEXER_ROLE, Database
from knowledge.postings import Terms, TermSource, postings


@dataclass(frozen=True, slots=True)
class Page:
    """A document of one chunk."""

    text: str
    language: str = "en"
    readers: tuple[str, ...] = ("everyone",)
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)


async def add(database: Database, pages: Sequence[Page]) -> list[int]:
    """Index the pages; the chunks' ids in the order of the pages. A page's key is its number."""
    async with database.indexer.begin() as connection:
        sources = [TermSource(page.text, page.language) for page in pages]
        terms = await postings(connection, sources)
        models = await _models(connection, pages)
        acls = await _acls(connection, pages)
    with psycopg.connect(database.conninfo(INDEXER_ROLE)) as raw:
        return write(raw, pages, terms, acls, models)


async def _models(connection: AsyncConnection, pages: Sequence[Page]) -> dict[str, int]:
    models: dict[str, int] = {}
    for page in pages:
        for name, vector in page.vectors.items():
            if name not in models:
                row = await connection.execute(
                    text("SELECT register_embedding_model(:name, :dimensions)"),
                    {"name": name, "dimensions": len(vector)},
                )
                models[name] = row.scalar_one()
    return models


async def _acls(connection: AsyncConnection, pages: Sequence[Page]) -> dict[tuple[str, ...], int]:
    acls: dict[tuple[str, ...], int] = {}
    for readers in sorted({page.readers for page in pages}):
        row = await connection.execute(
            text(
                "INSERT INTO acl (principals) VALUES (:readers) ON CONFLICT (principals) "
                "DO UPDATE SET principals = excluded.principals RETURNING id"
            ),
            {"readers": sorted(readers)},
        )
        acls[readers] = row.scalar_one()
        await connection.execute(
            text(
                "INSERT INTO acl_principal SELECT unnest(CAST(:readers AS text[])), :id "
                "ON CONFLICT DO NOTHING"
            ),
            {"readers": sorted(readers), "id": acls[readers]},
        )
    return acls


def write(
    raw: psycopg.Connection,
    pages: Sequence[Page],
    terms: Sequence[Terms],
    acls: dict[tuple[str, ...], int],
    models: dict[str, int],
) -> list[int]:
    """Write documents, chunks, vectors and postings."""
    raw.execute(
        "INSERT INTO source (name, kind, location, principals, options, created_at) "
        "VALUES ('test', 'folder', '.', '{everyone}', '{}', now()) ON CONFLICT DO NOTHING"
    )
    row = raw.execute("SELECT count(*) FROM document").fetchone()
    assert row is not None
    keys = [str(row[0] + n) for n in range(len(pages))]
    of = [acls[page.readers] for page in pages]
    _copy(
        raw,
        "document (source_id, key, title, language, media_type, content_hash, acl_id, indexed_at)",
        [(1, key, f"Page {key}", page.language, "text/plain", "x", acl, "2026-01-01")
         for key, page, acl in zip(keys, pages, of, strict=True)],
    )  # fmt: skip
    documents: dict[str, int] = dict(raw.execute("SELECT key, id FROM document").fetchall())
    _copy(
        raw,
        "chunk (document_id, position, heading_path, text, tokens, terms, language, acl_id)",
        [(documents[key], 0, [], page.text, 1, term.length, page.language, acl)
         for key, page, term, acl in zip(keys, pages, terms, of, strict=True)],
    )  # fmt: skip
    chunks: dict[int, int] = dict(raw.execute("SELECT document_id, id FROM chunk").fetchall())
    ids = [chunks[documents[key]] for key in keys]
    _copy(
        raw,
        "embedding (model_id, chunk_id, acl_id, vector)",
        [(models[name], chunk, acl, str(vector.tolist()))
         for chunk, page, acl in zip(ids, pages, of, strict=True)
         for name, vector in page.vectors.items()],
    )  # fmt: skip
    _copy(
        raw,
        "posting (term, acl_id, chunk_id, frequency, length)",
        [(key, acl, chunk, frequency, term.length)
         for chunk, term, acl in zip(ids, terms, of, strict=True)
         for key, frequency in term.frequencies.items()],
    )  # fmt: skip
    raw.commit()
    return ids


def _copy(raw: psycopg.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """COPY does not work under row level security; it fills a table of its own instead."""
    table, _, columns = into.partition(" ")
    columns = columns.strip("()")
    raw.execute(f"CREATE TEMP TABLE given AS SELECT {columns} FROM {table} LIMIT 0".encode())
    with raw.cursor() as cursor, cursor.copy(b"COPY given FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    raw.execute(f"INSERT INTO {table} ({columns}) SELECT * FROM given".encode())
    raw.execute("DROP TABLE given")
