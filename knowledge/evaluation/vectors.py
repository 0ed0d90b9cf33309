"""Remembers the vectors of passages between evaluations: the same corpus is embedded once."""

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from knowledge.embedding import Embedder, Vectors

_MOST_PARAMETERS = 500  # of one statement


class RememberingEmbedder:
    """An Embedder in front of another one, with a file of the vectors that this one has made.

    Questions are embedded each time, since their time is part of a search's. A model's name is
    immutable, so its file needs no other key than the text's hash; it may be deleted at any time.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self.width_tokens = embedder.width_tokens
        self._embedder = embedder
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{re.sub(r'[^A-Za-z0-9.@_-]+', '_', embedder.name)}.sqlite3"

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See knowledge.embedding.Embedder."""
        return self._embedder.count_tokens(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """See knowledge.embedding.Embedder."""
        keys = [hashlib.sha256(text.encode(errors="replace")).digest() for text in texts]
        known = await asyncio.to_thread(self._read, keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            made = await self._embedder.embed_passages(list(new.values()))
            fresh = dict(zip(new, made, strict=True))
            await asyncio.to_thread(self._write, fresh)
            known |= fresh
        return np.array([known[key] for key in keys], np.float32).reshape(
            len(texts), self.dimensions
        )

    async def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """See knowledge.embedding.Embedder."""
        return await self._embedder.embed_questions(texts)

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=60)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # what is lost is made again
        connection.execute(
            "CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"
        )
        return connection

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        found: dict[bytes, Vectors] = {}
        with closing(self._connection()) as connection:
            for start in range(0, len(keys), _MOST_PARAMETERS):
                part = keys[start : start + _MOST_PARAMETERS]
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT key, value FROM vector WHERE key IN ({marks})", part
                )
                found |= {key: np.frombuffer(value, np.float32) for key, value in rows}
        return {key: vector for key, vector in found.items() if len(vector) == self.dimensions}

    def _write(self, fresh: dict[bytes, Vectors]) -> None:
        with closing(self._connection()) as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO vector VALUES (?, ?)",
                [(key, np.asarray(vector, np.float32).tobytes()) for key, vector in fresh.items()],
            )
