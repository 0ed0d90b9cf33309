"""Indexes a folder in a process of its own, slowly, so that a test can kill it in the middle.

python -m tests.indexing_process OWNER_URL FOLDER DELAY_SECONDS
"""

import asyncio
import sys

from sqlalchemy import make_url

from knowledge.database import connect
from knowledge.index import sync
from knowledge.sources import FolderSource
from knowledge.sources.registered import register_source
from tests.hashing_embedder import HashingEmbedder


async def main(url: str, folder: str, delay_seconds: str) -> None:
    """Index, as `Desk.sync` in tests/integration/test_index.py does."""
    database = connect(make_url(url))
    registered = await register_source(
        database, name="handbook", kind="folder", location=folder, principals=["everyone"]
    )
    embedder = HashingEmbedder(delay_seconds=float(delay_seconds))
    policy = [(embedder, lambda _language: True)]
    await sync(registered, FolderSource(folder), database, policy, width_tokens=60)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
