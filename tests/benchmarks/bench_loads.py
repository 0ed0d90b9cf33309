"""Indexing a vendor that answers after 50 ms: a few documents at once, and one at a time.

python -m tests.benchmarks.bench_loads

The whole pipeline into a fresh embedded Postgres, with an embedder that costs nothing, so that
what is measured is the waiting. One at a time is the same source with a lock around its loads.
"""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from knowledge.database import open_database
from knowledge.index import sync
from knowledge.settings import KnowledgeSettings
from knowledge.sources import Change, Checkpoint, SourceDocument
from knowledge.sources.registered import register_source
from tests.hashing_embedder import HashingEmbedder

DOCUMENTS = 200
ANSWER_SECONDS = 0.05


class Slow:
    """A vendor whose documents come after a while."""

    kind = location = "slow"

    def __init__(self, alone: asyncio.Lock | None = None) -> None:
        self._alone = alone

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Everything."""
        del cursor
        for number in range(DOCUMENTS):
            yield self._document(number)
        yield Checkpoint()

    def _document(self, number: int) -> SourceDocument:
        async def load() -> bytes:
            async with AsyncExitStack() as stack:
                if self._alone:
                    await stack.enter_async_context(self._alone)
                await asyncio.sleep(ANSWER_SECONDS)
            return f"# Rule {number}\n\nWhat rule {number} says.".encode()

        return SourceDocument(f"rule-{number}", "text/markdown", load, fingerprint="1")


async def seconds(source: Slow) -> float:
    """A first run into a fresh server."""
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as home:
        Path(home).chmod(0o755)
        database = await open_database(KnowledgeSettings(home=Path(home)), migrate_first=True)
        registered = await register_source(
            database, name="bench", kind="slow", location="slow", principals=["everyone"]
        )
        policy = [(HashingEmbedder(), lambda _language: True)]
        report = await sync(registered, source, database, policy, width_tokens=60)
        await database.close()
    if report.added != DOCUMENTS:
        raise SystemExit(f"{report.added} documents were added, {DOCUMENTS} were expected.")
    return report.seconds


async def main() -> None:
    """One at a time, then as the index does it."""
    logging.disable(logging.WARNING)
    alone = await seconds(Slow(asyncio.Lock()))
    ahead = await seconds(Slow())
    print(f"{DOCUMENTS} documents that come after {ANSWER_SECONDS * 1000:.0f} ms each")
    print(f"one at a time      {alone:6.1f} s")
    print(f"as the index does  {ahead:6.1f} s")
    print(f"ratio              {ahead / alone:6.2f}")


if __name__ == "__main__":
    asyncio.run(main())
