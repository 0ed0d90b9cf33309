"""Keeps the index in step with a source: reads what changed, embeds it, writes it, removes what
is gone.

Four stages overlap: the source tells (knowledge.telling), changes are read (knowledge.reader: the
parser's process, cutting in a thread), embedded (in the embedder's thread, in batches across
documents) and written (knowledge.writer). What was told passes through them in its order, and the
queues between them are short, so memory does not grow with the source.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import chunking, parsing
from knowledge.chunking import Chunk, embedding_text
from knowledge.cutting import Embedders
from knowledge.database import Database
from knowledge.documents import Documents
from knowledge.errors import IndexingStoppedError, SourceBusyError
from knowledge.failures import Failures
from knowledge.reader import Reader
from knowledge.report import Progress, Report, Tally
from knowledge.sources import Change, Checkpoint, Retelling, Source
from knowledge.sources.registered import RegisteredSource
from knowledge.summariser import Summarise
from knowledge.telling import Telling
from knowledge.work import Flight, Item, Queue, Work, ends
from knowledge.writer import Writer

__all__ = ["Embedders", "Progress", "Report", "forget", "is_busy", "sync", "update"]

logger = logging.getLogger(__name__)

HEADINGS_TOKENS = 36  # a model that reads so much more than a chunk needs no cutting anew
_SLICE_CHUNKS = 128  # embedded at once: enough to sort by length, few enough to show progress
_WAITING_DOCUMENTS = 32  # between two stages: more only takes memory


async def sync(
    registered: RegisteredSource,
    source: Source,
    database: Database,
    embedders: Embedders,
    *,
    width_tokens: int,
    summarise: Summarise | None = None,
    ocr_languages: str = "eng",
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Bring the index in step with `source`. What has not changed is not touched.

    `summarise` writes what a document is about; without it that is its beginning.

    Killed at any moment, it leaves whole documents, and the next run does the rest, from the last
    checkpoint that the source gave. A document that cannot be read is reported, stops nothing and
    is tried again by the next run.

    Raises:
        SourceBusyError: another process is at it. SourceError: the source cannot be read, or broke
        off; what it told before that is written.
        IndexingStoppedError: the database is gone or full.
    """
    tally = Tally(progress)
    try:
        async with _locked(database, registered) as connection:
            documents = Documents(connection, registered.id)
            run = _Run(
                registered,
                source,
                documents,
                embedders,
                width_tokens,
                ocr_languages,
                tally,
                summarise,
            )
            await run.whole()
    except (DBAPIError, psycopg.Error, OSError) as error:
        raise _stopped(error) from error
    report = tally.finished()
    logger.info(
        "Indexed %s: %d documents seen, %d added, %d changed, %d removed, %d failed.",
        registered.name,
        report.seen,
        report.added,
        report.changed,
        report.removed,
        len(report.failed),
        extra={"action": "source_indexed", "source": registered.name},
    )
    return report


async def update(
    registered: RegisteredSource,
    changes: Sequence[Change],
    database: Database,
    embedders: Embedders,
    *,
    width_tokens: int,
    ocr_languages: str = "eng",
) -> Report:
    """Bring single documents in step, while a sync of their source may be running.

    That sync may have read an older version of one of them, and write it afterwards: whoever calls
    looks again while the source is busy (`is_busy`).

    Raises: as `sync`, without SourceBusyError.
    """
    tally = Tally()
    try:
        async with database.indexer.connect() as connection:
            documents = Documents(connection, registered.id)
            told = _Told(registered.kind, registered.location, changes)
            run = _Run(registered, told, documents, embedders, width_tokens, ocr_languages, tally)
            await run.single()
            await connection.invalidate()  # its temporary tables go with it
    except (DBAPIError, psycopg.Error, OSError) as error:
        raise _stopped(error) from error
    return tally.finished()


async def forget(registered: RegisteredSource, keys: Sequence[str], database: Database) -> int:
    """Take documents out of the index, with all that hangs on them; how many there were."""
    async with database.indexer.connect() as connection:
        return await Documents(connection, registered.id).remove(keys)


async def is_busy(registered: RegisteredSource, database: Database) -> bool:
    """Whether a sync of the source is running somewhere."""
    async with database.indexer.connect() as connection:
        held = text(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND ((classid::bigint << 32) | objid::bigint) "
            "= hashtextextended(current_schema() || :key, 0))"
        )
        return bool(await connection.scalar(held, {"key": _lock_key(registered)}))


def _lock_key(registered: RegisteredSource) -> str:
    return f".source.{registered.id}"  # an evaluation's schema numbers its own sources


@dataclass(frozen=True, slots=True)
class _Told:
    """Changes that were told already, as a source."""

    kind: str
    location: str
    told: Sequence[Change]

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What was told."""
        del cursor
        for change in self.told:
            yield change
        yield Checkpoint(None, complete=False)


@asynccontextmanager
async def _locked(
    database: Database, registered: RegisteredSource
) -> AsyncIterator[AsyncConnection]:
    """A connection that alone may write this source; the lock ends with the connection."""
    key = {"key": _lock_key(registered)}
    async with database.indexer.connect() as connection:
        locked = await connection.scalar(
            text("SELECT pg_try_advisory_lock(hashtextextended(current_schema() || :key, 0))"), key
        )
        await connection.commit()
        if not locked:
            raise SourceBusyError(
                f"{registered.name} is being indexed already: wait until that run has ended."
            )
        try:
            yield connection
        finally:
            await asyncio.shield(_unlock(connection, key))


async def _unlock(connection: AsyncConnection, key: dict[str, str]) -> None:
    """Let the next indexer in at once: the server notices a closed connection only later."""
    with suppress(DBAPIError):  # the connection is lost, and the lock with it
        await connection.rollback()
        await connection.execute(
            text("SELECT pg_advisory_unlock(hashtextextended(current_schema() || :key, 0))"), key
        )
        await connection.commit()
    await connection.invalidate()


@dataclass(slots=True)
class _Run:
    """One run of `sync`."""

    registered: RegisteredSource
    source: Source
    documents: Documents
    embedders: Embedders
    width_tokens: int
    ocr_languages: str
    tally: Tally
    summarise: Summarise | None = None
    models: dict[str, int] = field(default_factory=dict)

    async def whole(self) -> None:
        """The run from the first look to the last word."""
        self.models = await self.documents.prepare(
            [(embedder.name, embedder.dimensions) for embedder, _ in self.embedders]
        )
        place = await self.documents.place()
        cursor = place.cursor if place.recipe == self._place_recipe() else None
        # Of a telling from the beginning over documents that are there, only the end knows which
        # of them are gone: a run that went on from its middle would never learn it.
        resumable = cursor is not None or not await self.documents.count()
        telling = Telling(self.source, cursor, await self.documents.failed(), self.tally)
        await self._stages(telling, resumable=resumable)

    async def single(self) -> None:
        """Write what was told, and note no place of the source."""
        self.models = await self.documents.prepare(
            [(embedder.name, embedder.dimensions) for embedder, _ in self.embedders]
        )
        telling = Telling(self.source, None, (), self.tally)
        await self._stages(telling, resumable=False, notes=False)

    def _recipe(self) -> str:
        """All that decides, beside its bytes, how a document is cut.

        The models are not among it: a new one's vectors are built from the chunks
        (knowledge/rebuild.py), unless it reads less than a chunk and its headings may be long.
        """
        narrowest = min(embedder.width_tokens for embedder, _ in self.embedders)
        room = min(narrowest, self.width_tokens + HEADINGS_TOKENS)
        written = " written" if self.summarise else ""
        return f"{parsing.VERSION} {chunking.VERSION} {self.width_tokens} {room}{written}"

    def _place_recipe(self) -> str:
        """All that decides whether a run may go on from a place: scans are read with OCR or not."""
        return "\n".join((self._recipe(), *parsing.ocr_recipe(self.ocr_languages)))

    async def _stages(self, telling: Telling, *, resumable: bool, notes: bool = True) -> None:
        flight, principals = Flight(), self.registered.principals
        failures = Failures(
            self.registered.name,
            frozenset(principals),
            self.documents,
            self.tally,
            asked_again=isinstance(self.source, Retelling) or not notes,
        )
        shared = (self.documents, failures, self.tally, flight)
        reader = Reader(
            *shared,
            location=self.source.location,
            embedders=self.embedders,
            width_tokens=self.width_tokens,
            summarise=self.summarise,
            ocr_languages=self.ocr_languages,
            recipe=self._recipe(),
        )
        writer = Writer(
            *shared,
            recipe=self._place_recipe(),
            resumable=resumable,
            unread=reader.unread,
            notes=notes,
        )
        read, embedded = Queue(_WAITING_DOCUMENTS), Queue(_WAITING_DOCUMENTS)
        try:
            async with asyncio.TaskGroup() as stages:
                stages.create_task(telling.tell())
                stages.create_task(reader.read(telling, read))
                stages.create_task(self._embed(read, embedded))
                stages.create_task(writer.write(embedded))
        except BaseExceptionGroup as group:
            raise _first(group) from group

    async def _embed(self, read: Queue, embedded: Queue) -> None:
        group: list[Item] = []
        while not (group and ends(group[-1])):
            group = await _next_group(read)
            places = [
                (work, chunk)
                for work in group
                if isinstance(work, Work)
                for chunk in work.cut.chunks
            ]
            for start in range(0, len(places), _SLICE_CHUNKS):
                await self._embed_slice(places[start : start + _SLICE_CHUNKS])
            for item in group:
                await embedded.put(item)

    async def _embed_slice(self, places: Sequence[tuple[Work, Chunk]]) -> None:
        for embedder, takes in self.embedders:
            taken = [(w, c) for w, c in places if takes(w.cut.languages[c.position])]
            if not taken:
                continue
            vectors = await embedder.embed_passages([embedding_text(chunk) for _, chunk in taken])
            for (work, chunk), vector in zip(taken, vectors, strict=True):
                work.vectors.setdefault(self.models[embedder.name], {})[chunk.position] = vector
        self.tally.embedded(len(places), places[-1][0].origin.key)


async def _next_group(read: Queue) -> list[Item]:
    """What waits, up to about a slice of chunks; the end comes as the last one of its group."""
    group: list[Item] = []
    chunks = 0
    while not group or (chunks < _SLICE_CHUNKS and read.qsize() and not ends(group[-1])):
        item = await read.get()
        group.append(item)
        chunks += len(item.cut.chunks) if isinstance(item, Work) else 0
    return group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group of stages: the others only follow from it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _cause(error: BaseException) -> BaseException:
    """The driver's error inside of SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) and error.orig else error


def _stopped(error: BaseException) -> IndexingStoppedError:
    cause = _cause(error)
    if isinstance(cause, psycopg.errors.DiskFull):
        what = "The disk of the Postgres server is full: free some space"
    elif isinstance(cause, psycopg.OperationalError):
        what = f"The connection to Postgres is lost ({' '.join(str(cause).split())}): check it"
    else:
        what = f"Indexing stopped ({type(cause).__name__}: {' '.join(str(cause).split())})"
    return IndexingStoppedError(f"{what}, then index again. What was written stays.")
