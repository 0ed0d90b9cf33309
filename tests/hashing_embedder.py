"""A real, small embedder: words hashed into a vector. No weights, the same on every machine."""

import asyncio
import re
import zlib
from collections.abc import Sequence

import numpy as np

from knowledge.embedding import Vectors


class HashingEmbedder:
    """An Embedder whose vectors count words; `delay_seconds` a passage makes it slow."""

    def __init__(
        self,
        name: str = "hashing",
        *,
        dimensions: int = 32,
        width_tokens: int = 256,
        delay_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.dimensions = dimensions
        self.width_tokens = width_tokens
        self.embedded: list[str] = []
        self._delay_seconds = delay_seconds

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See knowledge.embedding.Embedder."""
        return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """See knowledge.embedding.Embedder."""
        await asyncio.sleep(self._delay_seconds * len(texts))
        self.embedded += texts
        return np.array([self._vector(text) for text in texts], np.float32).reshape(
            len(texts), self.dimensions
        )

    async def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """See knowledge.embedding.Embedder."""
        return await self.embed_passages(texts)

    def _vector(self, text: str) -> Vectors:
        vector = np.zeros(self.dimensions, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[zlib.crc32(word.encode()) % self.dimensions] += 1
        return vector / max(1.0, float(np.linalg.norm(vector)))
