"""Keeps the index in step with a source: reads what changed, embeds it, writes it, removes what
is gone.

Three stages overlap: reading (files, the parser's process, chunking in a thread), embedding (in
the embedder's thread, in batches across documents), writing (in Postgres).
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import chunking, parsing
from knowledge.acls import acl_of
from knowledge.chunking import Chunk, chunk_document, embedding_text
from knowledge.database import Database
from knowledge.documents import Documents, NewDocument, StoredDocument
from knowledge.embedding import Embedder
from knowledge.errors import (
    EmptyDocumentError,
    IndexingStoppedError,
    ParsingError,
    SourceBusyError,
    SourceError,
)
from knowledge.languages import detect
from knowledge.parsing import ParsedDocument
from knowledge.parsing.process import ParserProcess
from knowledge.report import Progress, Report
from knowledge.sources import Checkpoint, Removed, Skipped, Source, SourceDocument
from knowledge.sources.registered import RegisteredSource

__all__ = ["Embedders", "Progress", "Report", "sync"]

logger = logging.getLogger(__name__)

Embedders = Sequence[tuple[Embedder, Callable[[str], bool]]]
"""Which embedder takes chunks of which language; widths are measured by the first that does."""

_SLICE_CHUNKS = 128  # embedded at once: enough to sort by length, few enough to show progress
_WAITING_DOCUMENTS = 32  # between two stages: more only takes memory
_TRIES = 3


@dataclass(slots=True)
class _Work:
    """A document on its way through the stages."""

    origin: SourceDocument
    parsed: ParsedDocument
    language: str
    content_hash: str
    acl_id: int
    chunks: list[Chunk]
    languages: list[str]
    vectors: dict[int, dict[int, NDArray[np.float32]]] = field(default_factory=dict)


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
    try:
        async with _locked(database, registered) as connection:
            run = _Run(registered, source, connection, embedders, width_tokens)
            run.progress = progress
            return await run.whole()
    except (DBAPIError, psycopg.Error, OSError) as error:
        raise _stopped(error) from error


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
            # Also after an error in the middle of a COPY: a new connection costs nothing.
            await connection.invalidate()


class _Run:
    """One run of `sync`."""

    def __init__(
        self,
        registered: RegisteredSource,
        source: Source,
        connection: AsyncConnection,
        embedders: Embedders,
        width_tokens: int,
    ) -> None:
        self._registered = registered
        self._source = source
        self._connection = connection
        self._documents = Documents(connection, registered.id)
        self._embedders = embedders
        self._width_tokens = width_tokens
        self.progress: Callable[[Progress], None] | None = None
        self._report = Report()
        self._began = time.monotonic()
        self._total = 0
        self._done = 0
        self._embedded = 0
        self._models: dict[str, int] = {}
        self._acls: dict[frozenset[str], int] = {}
        self._stored: dict[str, StoredDocument] = {}
        self._gone: set[str] = set()
        self._database = asyncio.Lock()  # reading asks for ACLs while writing writes

    async def whole(self) -> Report:
        """The run from the first look to the last word."""
        await self._documents.prepare()
        self._stored = await self._documents.stored()
        changes = [change async for change in self._source.changes(await self._cursor())]
        self._refuse_to_empty(changes)
        await self._register_models()
        listed = [change for change in changes if isinstance(change, SourceDocument)]
        skipped = [change for change in changes if isinstance(change, Skipped)]
        self._report.seen = len(listed) + len(skipped)
        self._report.skipped += [(change.key, change.reason) for change in skipped]
        self._total = len(listed)
        await self._stages(listed)
        await self._remove(changes)
        await self._remember(next(c for c in changes if isinstance(c, Checkpoint)))
        self._report.seconds = time.monotonic() - self._began
        self._log()
        return self._report

    async def _cursor(self) -> dict[str, Any] | None:
        async with self._connection.begin():
            found = await self._connection.execute(
                text("SELECT cursor FROM source WHERE id = :id"), {"id": self._registered.id}
            )
            row = found.first()
        if row is None:
            raise SourceError(f"The source {self._registered.name} has been removed.")
        cursor: dict[str, Any] | None = row.cursor
        return cursor

    def _refuse_to_empty(self, changes: Sequence[object]) -> None:
        """A folder that is not mounted looks empty; that must not empty the index."""
        told = any(not isinstance(change, Checkpoint) for change in changes)
        complete = any(isinstance(change, Checkpoint) and change.complete for change in changes)
        if self._stored and complete and not told:
            raise SourceError(
                f"{self._source.location} is empty, but {len(self._stored)} documents of it are "
                "indexed. Check that it is there (mounted?); to remove them all, remove the source."
            )

    async def _register_models(self) -> None:
        for embedder, _ in self._embedders:
            async with self._connection.begin():
                found = await self._connection.execute(
                    text("SELECT register_embedding_model(:name, :dimensions)"),
                    {"name": embedder.name, "dimensions": embedder.dimensions},
                )
                self._models[embedder.name] = int(found.scalar_one())

    async def _stages(self, listed: Sequence[SourceDocument]) -> None:
        read: asyncio.Queue[_Work | None] = asyncio.Queue(_WAITING_DOCUMENTS)
        embedded: asyncio.Queue[_Work | None] = asyncio.Queue(_WAITING_DOCUMENTS)
        try:
            async with asyncio.TaskGroup() as stages:
                stages.create_task(self._read(listed, read))
                stages.create_task(self._embed(read, embedded))
                stages.create_task(self._write(embedded))
        except BaseExceptionGroup as group:
            raise _first(group) from group

    async def _read(
        self, listed: Sequence[SourceDocument], read: "asyncio.Queue[_Work | None]"
    ) -> None:
        async with ParserProcess() as parser:
            for origin in listed:
                try:
                    work = await self._changed(origin, parser)
                except EmptyDocumentError as error:
                    self._gone.add(origin.key)
                    self._report.skipped.append((origin.key, str(error)))
                    self._step(origin.key, done=True)
                except (ParsingError, SourceError) as error:
                    self._fail(origin.key, str(error))
                else:
                    if work:
                        await read.put(work)
        await read.put(None)

    async def _changed(self, origin: SourceDocument, parser: ParserProcess) -> _Work | None:
        """The document cut into chunks, or None where the index has it already."""
        stored = self._stored.get(origin.key)
        raw = None if origin.fingerprint and stored else await origin.load()
        content_hash = self._hash(origin, raw)
        acl_id = await self._acl(origin.principals or frozenset(self._registered.principals))
        if stored and stored.content_hash == content_hash:
            await self._unchanged(origin, stored, acl_id)
            return None
        parsed = await parser.parse(
            raw if raw is not None else await origin.load(), origin.key, origin.media_type
        )
        language, chunks, languages = await asyncio.to_thread(self._cut, parsed)
        return _Work(origin, parsed, language, content_hash, acl_id, chunks, languages)

    async def _unchanged(self, origin: SourceDocument, stored: StoredDocument, acl_id: int) -> None:
        if stored.acl_id == acl_id:
            self._report.unchanged += 1
        else:
            async with self._database:
                await self._documents.change_readers(stored.id, acl_id)
            self._report.changed += 1
        self._step(origin.key, done=True)

    async def _acl(self, principals: frozenset[str]) -> int:
        if principals not in self._acls:
            async with self._database, self._connection.begin():
                acl_id = await acl_of(self._connection, principals)
            self._acls[principals] = acl_id
        return self._acls[principals]

    def _hash(self, origin: SourceDocument, raw: bytes | None) -> str:
        """Changes with the bytes and with everything that decides what becomes of them."""
        version = origin.fingerprint or hashlib.sha256(raw or b"").hexdigest()
        parts = [
            version,
            f"{parsing.VERSION} {chunking.VERSION} {self._width_tokens}",
            *(embedder.name for embedder, _ in self._embedders),
            origin.media_type,
            origin.title or "",
            origin.url or "",
            origin.base_url or "",
        ]
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()

    def _cut(self, parsed: ParsedDocument) -> tuple[str, list[Chunk], list[str]]:
        """Language, chunks, languages of chunks. Runs in a thread."""
        whole = "\n".join(page.markdown for page in parsed.pages[:20])
        language = detect(whole)
        takers = self._takers(language)
        chunks = chunk_document(
            parsed,
            language=language,
            count_tokens=takers[0].count_tokens,
            width_tokens=self._width_tokens,
            model_width_tokens=min(taker.width_tokens for taker in takers),
        )
        return language, chunks, [_language(chunk.text, whole, language) for chunk in chunks]

    def _takers(self, language: str) -> list[Embedder]:
        takers = [embedder for embedder, takes in self._embedders if takes(language)]
        if not takers:
            raise IndexingStoppedError(f"No embedding model takes documents in {language!r}.")
        return takers

    async def _embed(
        self, read: "asyncio.Queue[_Work | None]", embedded: "asyncio.Queue[_Work | None]"
    ) -> None:
        more = True
        while more:
            group, more = await _next_group(read)
            places = [(work, chunk) for work in group for chunk in work.chunks]
            for start in range(0, len(places), _SLICE_CHUNKS):
                await self._embed_slice(places[start : start + _SLICE_CHUNKS])
            for work in group:
                await embedded.put(work)
        await embedded.put(None)

    async def _embed_slice(self, places: Sequence[tuple[_Work, Chunk]]) -> None:
        for embedder, takes in self._embedders:
            taken = [(w, c) for w, c in places if takes(w.languages[c.position])]
            if not taken:
                continue
            vectors = await embedder.embed_passages([embedding_text(chunk) for _, chunk in taken])
            for (work, chunk), vector in zip(taken, vectors, strict=True):
                model = work.vectors.setdefault(self._models[embedder.name], {})
                model[chunk.position] = vector
        self._embedded += len(places)
        self._step(places[-1][0].origin.key)

    async def _write(self, embedded: "asyncio.Queue[_Work | None]") -> None:
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
            if key in self._stored:
                self._report.changed += 1
            else:
                self._report.added += 1
            self._report.chunks += len(work.chunks)
            self._step(key, done=True)

    async def _write_one(self, document: NewDocument) -> None:
        for attempt in range(_TRIES):
            try:
                async with self._database:
                    await self._documents.write(document)
                return
            except (DBAPIError, psycopg.Error) as error:
                # Two sources with the same readers count their chunks in the same rows.
                deadlock = isinstance(_cause(error), psycopg.errors.DeadlockDetected)
                if not deadlock or attempt == _TRIES - 1:
                    raise

    async def _remove(self, changes: Sequence[object]) -> None:
        """Delete what the source has told to be gone, or, having told all, has not named."""
        gone = {change.key for change in changes if isinstance(change, Removed)} | self._gone
        if any(isinstance(change, Checkpoint) and change.complete for change in changes):
            named = {change.key for change in changes if isinstance(change, SourceDocument)}
            unread = tuple(c.key for c in changes if isinstance(c, Skipped) and c.unreadable)
            gone |= {key for key in self._stored if key not in named and not key.startswith(unread)}
        gone &= self._stored.keys()
        if gone:
            self._report.removed = await self._documents.remove(sorted(gone))

    async def _remember(self, checkpoint: Checkpoint) -> None:
        """Keep the cursor, unless a document failed: the next run must hear of it again."""
        keep = "" if self._report.failed else ", cursor = :cursor"
        statement = text(f"UPDATE source SET synced_at = now(){keep} WHERE id = :id")
        values: dict[str, Any] = {"id": self._registered.id}
        if keep:
            statement = statement.bindparams(bindparam("cursor", type_=JSONB(none_as_null=True)))
            values["cursor"] = checkpoint.cursor
        async with self._connection.begin():
            await self._connection.execute(statement, values)

    def _fail(self, key: str, reason: str) -> None:
        self._report.failed.append((key, reason))
        logger.warning(
            "A document was not indexed.",
            extra={"action": "document_failed", "source": self._registered.name, "key": key},
        )
        self._step(key, done=True)

    def _step(self, key: str, *, done: bool = False) -> None:
        self._done += done
        if self.progress:
            seconds = time.monotonic() - self._began
            self.progress(Progress(self._done, self._total, self._embedded, key, seconds))

    def _log(self) -> None:
        report = self._report
        logger.info(
            "Indexed %s: %d documents seen, %d added, %d changed, %d removed, %d failed.",
            self._registered.name,
            report.seen,
            report.added,
            report.changed,
            report.removed,
            len(report.failed),
            extra={"action": "source_indexed", "source": self._registered.name},
        )


async def _next_group(read: "asyncio.Queue[_Work | None]") -> tuple[list[_Work], bool]:
    """What is waiting, up to a slice's chunks; False: nothing more will come."""
    group: list[_Work] = []
    while sum(len(work.chunks) for work in group) < _SLICE_CHUNKS:
        work = await read.get()
        if work is None:
            return group, False
        group.append(work)
    return group, True


def _language(chunk: str, whole: str, language: str) -> str:
    """The chunk's language: the document's, unless it is written in another script."""
    if len(chunk) < 80 or abs(_ascii_share(chunk) - _ascii_share(whole[:4000])) < 0.4:
        return language
    return detect(chunk)


def _ascii_share(text_: str) -> float:
    letters = [c for c in text_ if c.isalpha()]
    return sum(c.isascii() for c in letters) / max(1, len(letters))


def _new(work: _Work) -> NewDocument:
    url = work.origin.url
    if work.parsed.url:
        joined = urljoin(work.origin.base_url or "", work.parsed.url)
        url = joined if "://" in joined else url
    return NewDocument(
        origin=work.origin,
        title=work.parsed.title,
        url=url,
        language=work.language,
        content_hash=work.content_hash,
        acl_id=work.acl_id,
        chunks=work.chunks,
        languages=work.languages,
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
