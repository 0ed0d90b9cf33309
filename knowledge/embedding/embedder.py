"""The embedder port: passages and questions in, vectors of length one out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """A text embedding model."""

    name: str
    """Immutable; stored beside the vectors, for example "all-MiniLM-L6-v2@bf16"."""
    dimensions: int
    width_tokens: int
    """The longest passage that the model reads, special tokens included (its prompt is not)."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, without special tokens and prompt.

        Where the model's tokenizer is not at hand, an estimate that errs on the high side.
        """
        ...

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length one for what is searched: (len(texts), dimensions)."""
        ...

    async def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length one for what is asked: (len(texts), dimensions)."""
        ...
