"""A corpus in a scratch schema, indexed by the real pipeline."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text

from knowledge.database import Database
from knowledge.evaluation.collection import CorpusDocument, CorpusSource
from knowledge.evaluation.scratch import scratch_database
from knowledge.index import Embedders, Progress, Report, sync
from knowledge.sources.registered import register_source

READERS = frozenset({"everyone"})


@dataclass(frozen=True, slots=True)
class IndexedCorpus:
    """The scratch database, what indexing did, and how much is in it."""

    database: Database
    report: Report
    documents: int
    chunks: int


@asynccontextmanager
async def indexed_corpus(
    database: Database,
    documents: Sequence[CorpusDocument],
    embedders: Embedders,
    *,
    width_tokens: int,
    media_type: str = "text/plain",
    readers: Callable[[str], frozenset[str]] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> AsyncIterator[IndexedCorpus]:
    """The documents, indexed for everyone, or for the `readers` of each id.

    The schema is dropped at the end, whatever happens.

    Raises:
        DatabaseError, IndexingStoppedError.
    """
    source = CorpusSource("evaluation", tuple(documents), media_type, readers)
    async with scratch_database(database) as scratch:
        registered = await register_source(
            scratch, name="corpus", kind="corpus", location=source.location, principals=READERS
        )
        report = await sync(
            registered, source, scratch, embedders, width_tokens=width_tokens, progress=progress
        )
        async with scratch.acting_as(READERS) as connection:
            counts = await connection.execute(
                text("SELECT (SELECT count(*) FROM document), (SELECT count(*) FROM chunk)")
            )
            row = counts.one()
        yield IndexedCorpus(scratch, report, row[0], row[1])
