"""Indexes a changing place in a process of its own, slowly, so that a test can kill it.

python -m tests.indexing_place OWNER_URL COUNT
"""

import asyncio
import sys

from sqlalchemy import make_url

from knowledge.database import connect
from knowledge.index import sync
from knowledge.sources.registered import register_source
from tests.changing_place import LogSource, Paper, Place
from tests.hashing_embedder import HashingEmbedder


async def main(url: str, count: str) -> None:
    """Index, as `Bench.sync` in tests/integration/test_index_changes.py does."""
    place = Place()
    for number in range(int(count)):
        place.put(
            f"{number:03}", Paper(f"The rule {number} holds.", frozenset({"everyone"}), number)
        )
    database = connect(make_url(url))
    registered = await register_source(
        database, name="place", kind="changing", location="a place", principals=["everyone"]
    )
    policy = [(HashingEmbedder(delay_seconds=0.1), lambda _language: True)]
    await sync(registered, LogSource(place), database, policy, width_tokens=60)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
