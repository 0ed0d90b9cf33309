"""Builds the vectors of a new model in a process of its own, slowly, so that a test can kill it.

python -m tests.rebuilding_process OWNER_URL MODEL DELAY_SECONDS
"""

import asyncio
import sys

from sqlalchemy import make_url

from bot.sync import rebuild_vectors
from knowledge.database import Database, connect
from knowledge.embedding import Embedder, Recipe
from knowledge.live import LiveEmbedders, open_live
from tests.hashing_embedder import HashingEmbedder


async def open_hashing(
    database: Database, *models: str, delay_seconds: float = 0.0
) -> LiveEmbedders:
    """Live embedders whose settings name these models; a model's name begins with its length."""

    async def load(recipe: Recipe) -> Embedder:
        dimensions = int(recipe.model.partition("-")[0])
        return HashingEmbedder(recipe.model, dimensions=dimensions, delay_seconds=delay_seconds)

    return await open_live(database, [Recipe(model) for model in models], load)


async def main(url: str, model: str, delay_seconds: str) -> None:
    """Rebuild, as `lorewise index` does after its syncs."""
    database = connect(make_url(url))
    live = await open_hashing(database, model, delay_seconds=float(delay_seconds))
    await rebuild_vectors(database, live)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
