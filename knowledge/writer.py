"""The last stage of an indexing run: documents are written, what is gone goes, places are noted."""

from urllib.parse import urljoin

import psycopg
from sqlalchemy.exc import DBAPIError

from knowledge.documents import Documents, NewDocument, Place
from knowledge.failures import Failures
from knowledge.report import Tally, counts
from knowledge.work import Broken, Flight, Gone, Mark, Queue, Work

_TRIES = 3


class Writer:
    """Writes what comes, in its order."""

    def __init__(
        self,
        documents: Documents,
        failures: Failures,
        tally: Tally,
        flight: Flight,
        *,
        recipe: str,
        resumable: bool,
        unread: list[str],
        notes: bool = True,
    ) -> None:
        """`notes`: note how far the source was told; not where single documents are written."""
        self._documents, self._failures, self._tally = documents, failures, tally
        self._flight, self._recipe, self._unread = flight, recipe, unread
        self._resumable, self._notes = resumable, notes

    async def write(self, embedded: Queue) -> None:
        """Write until the end. Raises the source's SourceError where it broke off."""
        while True:
            match await embedded.get():
                case Work() as work:
                    await self._document(work)
                    self._flight.land(work.origin.key)
                case Gone(keys):
                    self._tally.report.removed += await self._documents.remove(keys)
                    self._flight.land(*keys)
                case Broken(error):
                    raise error
                case Mark(last=False) as mark:
                    if self._resumable and not self._failures.hold_cursor:
                        await self._documents.remember(Place(mark.checkpoint.cursor, self._recipe))
                case Mark() as mark:
                    return await self._end(mark)

    async def _end(self, mark: Mark) -> None:
        if not self._notes:
            return
        report = self._tally.report
        if mark.checkpoint.complete:
            report.removed += await self._documents.remove_unnamed(self._unread)
        await self._documents.forget_failed(but=[key for key, _ in report.failed])
        place = Place(mark.checkpoint.cursor, self._recipe)
        # What failed must be told again by the next run.
        await self._documents.finish(
            None if self._failures.hold_cursor else place, counts(self._tally.finished())
        )

    async def _document(self, work: Work) -> None:
        key = work.origin.key
        try:
            await self._try(_new(work))
        except (DBAPIError, psycopg.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if not isinstance(cause, psycopg.DataError | psycopg.errors.ProgramLimitExceeded):
                raise
            reason = f"Postgres refuses it ({cause.diag.message_primary or cause})."
            await self._failures.add(work.origin, work.stored, reason)
        else:
            self._tally.written(key, len(work.cut.chunks), new=work.stored is None)

    async def _try(self, document: NewDocument) -> None:
        for attempt in range(_TRIES):
            try:
                return await self._documents.write(document)
            except (DBAPIError, psycopg.Error) as error:
                # Two sources with the same readers count their chunks in the same rows.
                cause = error.orig if isinstance(error, DBAPIError) else error
                deadlock = isinstance(cause, psycopg.errors.DeadlockDetected)
                if not deadlock or attempt == _TRIES - 1:
                    raise
        return None


def _new(work: Work) -> NewDocument:
    url = work.origin.url
    if work.cut.url:
        joined = urljoin(work.origin.base_url or "", work.cut.url)
        url = joined if "://" in joined else url
    return NewDocument(
        origin=work.origin,
        title=work.cut.title,
        url=url,
        language=work.cut.language,
        summary=work.cut.summary,
        content_hash=work.content_hash,
        acl_id=work.acl_id,
        chunks=work.cut.chunks,
        languages=work.cut.languages,
        vectors=work.vectors,
    )
