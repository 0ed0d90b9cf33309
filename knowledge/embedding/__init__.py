"""Embedders: texts in, vectors of length one out."""

from knowledge.embedding.embedder import Embedder, Vectors
from knowledge.embedding.load import open_embedder
from knowledge.embedding.local import (
    BATCH_PASSAGES,
    BUNDLED_EMBEDDERS,
    SentenceEmbedder,
    load_embedder,
)
from knowledge.embedding.openai import OpenAIEmbedder, ServerLimits
from knowledge.embedding.recipe import Recipe

__all__ = [
    "BATCH_PASSAGES",
    "BUNDLED_EMBEDDERS",
    "Embedder",
    "OpenAIEmbedder",
    "Recipe",
    "SentenceEmbedder",
    "ServerLimits",
    "Vectors",
    "load_embedder",
    "open_embedder",
]
