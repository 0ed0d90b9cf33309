"""Keeps the index in step with a source: reads what changed, embeds it, writes it, removes what
is gone.

Three stages overlap: reading (files, the parser's process, cutting in a thread), embedding (in
the embedder's thread, in batches across documents), writing (in Postgres).
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urljoin

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import chunking, parsing
from knowledge.chunking import Chunk, embedding_text
from knowledge.cutting import CutDocument, Embedders, cut_document
from knowledge.database import Database
from knowledge.documents import Documents, NewDocument, StoredDocument
from knowledge.errors import (
    EmptyDocumentError,
    IndexingStoppedError,
    ParsingError,
    SourceBusyError,
    SourceError,
)
from knowledge.parsing.process import ParserProcess
from knowledge.report import Progress, Report, Tally, counts
from knowledge.sources import Change, Checkpoint, Removed, Skipped, Source, SourceDocument
from knowledge.sources.registered import RegisteredSource

__all__ = ["Embedders", "Progress", "Report", "sync"]

logger = logging.getLogger(__name__)

_SLICE_CHUNKS = 128  # embedded at once: enough to sort by length, few enough to show progress
_WAITING_DOCUMENTS = 32  # between two stages: more only takes memory
_TRIES = 3


async def sync(
    registered: RegisteredSource,
    source: Source,
    database: Database,
    embedders: Embedders,
    *,
    width_tokens: int,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Bring the index in step with `source`. What has not changed is not touched.

    Killed at any moment, it leaves whole documents, and the next run does the rest. A document
    that cannot be read is reported and stops nothing.

    Raises:
        SourceBusyError: another process is at it. SourceError: the source cannot be read at all.
        IndexingStoppedError: the database is gone or full.
    """
    tally = Tally(progress)
    try:
        async with _locked(database, registered) as connection:
            documents = Documents(connection, registered.id)
            run = _Run(registered, source, documents, embedders, width_tokens, tally)
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


@asynccontextmanager
async def _locked(
    database: Database, registered: RegisteredSource
) -> AsyncIterator[AsyncConnection]:
    """A connection that alone may write this source; the lock ends with the connection."""
    key = {"key": f"lorewise.source.{registered.id}"}
    async with database.indexer.connect() as connection:
        locked = await connection.scalar(
            text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key
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
        await connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)
        await connection.commit()
    await connection.invalidate()


@dataclass(slots=True)
class _Work:
    """A document on its way through the stages."""

    origin: SourceDocument
    content_hash: str
    acl_id: int
    cut: CutDocument
    vectors: dict[int, dict[int, NDArray[np.float32]]] = field(default_factory=dict)


_Queue = asyncio.Queue[_Work | None]  # None: nothing more will come


@dataclass(slots=True)
class _Run:
    """One run of `sync`."""

    registered: RegisteredSource
    source: Source
    documents: Documents
    embedders: Embedders
    width_tokens: int
    tally: Tally
    models: dict[str, int] = field(default_factory=dict)
    stored: dict[str, StoredDocument] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)

    async def whole(self) -> None:
        """The run from the first look to the last word."""
        self.models = await self.documents.prepare(
            [(embedder.name, embedder.dimensions) for embedder, _ in self.embedders]
        )
        self.stored = await self.documents.stored()
        cursor = await self.documents.cursor()
        changes = [change async for change in self.source.changes(cursor)]
        checkpoint = next(change for change in changes if isinstance(change, Checkpoint))
        self._refuse_to_empty(changes, checkpoint)
        listed = [change for change in changes if isinstance(change, SourceDocument)]
        skipped = [change for change in changes if isinstance(change, Skipped)]
        report = self.tally.report
        report.seen = len(listed) + len(skipped)
        report.skipped += [(change.key, change.reason) for change in skipped]
        self.tally.documents_total = len(listed)
        await self._stages(listed)
        gone = self._gone(changes, checkpoint)
        if gone:
            report.removed = await self.documents.remove(sorted(gone))
        # What failed must be told again by the next run.
        await self.documents.remember(
            checkpoint.cursor,
            keep_cursor=bool(report.failed),
            report=counts(self.tally.finished()),
        )

    def _refuse_to_empty(self, changes: Sequence[Change], checkpoint: Checkpoint) -> None:
        """A folder that is not mounted looks empty; that must not empty the index."""
        if self.stored and checkpoint.complete and len(changes) == 1:
            raise SourceError(
                f"{self.source.location} is empty, but {len(self.stored)} documents of it are "
                "indexed. Check that it is there (mounted?); to remove them all, remove the source."
            )

    def _gone(self, changes: Sequence[Change], checkpoint: Checkpoint) -> set[str]:
        """What the source has told to be gone, or, having told all, has not named."""
        gone = {change.key for change in changes if isinstance(change, Removed)} | self.emptied
        if checkpoint.complete:
            named = {change.key for change in changes if isinstance(change, SourceDocument)}
            unread = tuple(c.key for c in changes if isinstance(c, Skipped) and c.unreadable)
            gone |= {key for key in self.stored if key not in named and not key.startswith(unread)}
        return gone & self.stored.keys()

    async def _stages(self, listed: Sequence[SourceDocument]) -> None:
        read, embedded = _Queue(_WAITING_DOCUMENTS), _Queue(_WAITING_DOCUMENTS)
        try:
            async with asyncio.TaskGroup() as stages:
                stages.create_task(self._read(listed, read))
                stages.create_task(self._embed(read, embedded))
                stages.create_task(self._write(embedded))
        except BaseExceptionGroup as group:
            raise _first(group) from group

    async def _read(self, listed: Sequence[SourceDocument], read: _Queue) -> None:
        async with ParserProcess() as parser:
            for origin in listed:
                try:
                    work = await self._changed(origin, parser)
                except EmptyDocumentError as error:
                    self.emptied.add(origin.key)
                    self.tally.report.skipped.append((origin.key, str(error)))
                    self.tally.done(origin.key)
                except (ParsingError, SourceError) as error:
                    self._fail(origin.key, str(error))
                else:
                    if work:
                        await read.put(work)
        await read.put(None)

    async def _changed(self, origin: SourceDocument, parser: ParserProcess) -> _Work | None:
        """The document cut into chunks, or None where the index has it already."""
        stored = self.stored.get(origin.key)
        raw = None if origin.fingerprint and stored else await origin.load()
        content_hash = self._hash(origin, raw)
        readers = origin.principals or frozenset(self.registered.principals)
        acl_id = await self.documents.acl(readers)
        if stored and stored.content_hash == content_hash:
            await self._unchanged(origin, stored, acl_id)
            return None
        if raw is None:
            raw = await origin.load()
        parsed = await parser.parse(raw, origin.key, origin.media_type)
        cut = await asyncio.to_thread(cut_document, parsed, self.embedders, self.width_tokens)
        return _Work(origin, content_hash, acl_id, cut)

    async def _unchanged(self, origin: SourceDocument, stored: StoredDocument, acl_id: int) -> None:
        if stored.acl_id == acl_id:
            self.tally.report.unchanged += 1
        else:
            await self.documents.change_readers(stored.id, acl_id)
            self.tally.report.changed += 1
        self.tally.done(origin.key)

    def _hash(self, origin: SourceDocument, raw: bytes | None) -> str:
        """Changes with the bytes and with everything that decides what becomes of them."""
        parts = [
            origin.fingerprint or hashlib.sha256(raw or b"").hexdigest(),
            f"{parsing.VERSION} {chunking.VERSION} {self.width_tokens}",
            *(embedder.name for embedder, _ in self.embedders),
            origin.media_type,
            origin.title or "",
            origin.url or "",
            origin.base_url or "",
        ]
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()

    async def _embed(self, read: _Queue, embedded: _Queue) -> None:
        more = True
        while more:
            group, more = await _next_group(read)
            places = [(work, chunk) for work in group for chunk in work.cut.chunks]
            for start in range(0, len(places), _SLICE_CHUNKS):
                await self._embed_slice(places[start : start + _SLICE_CHUNKS])
            for work in group:
                await embedded.put(work)
        await embedded.put(None)

    async def _embed_slice(self, places: Sequence[tuple[_Work, Chunk]]) -> None:
        for embedder, takes in self.embedders:
            taken = [(w, c) for w, c in places if takes(w.cut.languages[c.position])]
            if not taken:
                continue
            vectors = await embedder.embed_passages([embedding_text(chunk) for _, chunk in taken])
            for (work, chunk), vector in zip(taken, vectors, strict=True):
                work.vectors.setdefault(self.models[embedder.name], {})[chunk.position] = vector
        self.tally.embedded(len(places), places[-1][0].origin.key)

    async def _write(self, embedded: _Queue) -> None:
        report = self.tally.report
        while (work := await embedded.get()) is not None:
            key = work.origin.key
            try:
                await self._write_one(_new(work))
            except (DBAPIError, psycopg.Error) as error:
                cause = _cause(error)
                if not isinstance(cause, psycopg.DataError | psycopg.errors.ProgramLimitExceeded):
                    raise
                self._fail(key, f"Postgres refuses it ({cause.diag.message_primary or cause}).")
                continue
            if key in self.stored:
                report.changed += 1
            else:
                report.added += 1
            report.chunks += len(work.cut.chunks)
            self.tally.done(key)

    async def _write_one(self, document: NewDocument) -> None:
        for attempt in range(_TRIES):
            try:
                return await self.documents.write(document)
            except (DBAPIError, psycopg.Error) as error:
                # Two sources with the same readers count their chunks in the same rows.
                deadlock = isinstance(_cause(error), psycopg.errors.DeadlockDetected)
                if not deadlock or attempt == _TRIES - 1:
                    raise
        return None

    def _fail(self, key: str, reason: str) -> None:
        logger.warning(
            "A document was not indexed.",
            extra={"action": "document_failed", "source": self.registered.name, "key": key},
        )
        self.tally.failed(key, reason)


async def _next_group(read: _Queue) -> tuple[list[_Work], bool]:
    """The documents that wait, up to about a slice of chunks; False: nothing more will come."""
    group: list[_Work] = []
    while not group or (sum(len(w.cut.chunks) for w in group) < _SLICE_CHUNKS and read.qsize()):
        work = await read.get()
        if work is None:
            return group, False
        group.append(work)
    return group, True


def _new(work: _Work) -> NewDocument:
    url = work.origin.url
    if work.cut.url:
        joined = urljoin(work.origin.base_url or "", work.cut.url)
        url = joined if "://" in joined else url
    return NewDocument(
        origin=work.origin,
        title=work.cut.title,
        url=url,
        language=work.cut.language,
        content_hash=work.content_hash,
        acl_id=work.acl_id,
        chunks=work.cut.chunks,
        languages=work.cut.languages,
        vectors=work.vectors,
    )


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
