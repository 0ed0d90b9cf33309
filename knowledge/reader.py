"""The first stage of an indexing run: what was told becomes what is to be written."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from knowledge.cutting import Embedders, cut_document
from knowledge.documents import Documents, StoredDocument
from knowledge.errors import EmptyDocumentError, ParsingError, SourceError
from knowledge.failures import Failures
from knowledge.loads import Loads
from knowledge.parsing import ParsedDocument, may_hold_pictures, ocr_recipe
from knowledge.parsing.document import title_of_name
from knowledge.parsing.process import ParserProcess
from knowledge.report import Tally
from knowledge.sources import Skipped, SourceDocument
from knowledge.summariser import Summarise
from knowledge.telling import Named, Telling
from knowledge.work import Broken, Flight, Gone, Mark, Queue, Work

logger = logging.getLogger(__name__)


class Reader:
    """Loads, parses and cuts what has changed."""

    def __init__(
        self,
        documents: Documents,
        failures: Failures,
        tally: Tally,
        flight: Flight,
        *,
        location: str,
        embedders: Embedders,
        width_tokens: int,
        ocr_languages: str,
        recipe: str,
        summarise: Summarise | None,
    ) -> None:
        self._documents, self._failures, self._tally = documents, failures, tally
        self._flight, self._embedders, self._width_tokens = flight, embedders, width_tokens
        self._location, self._recipe = location, recipe
        self._summarise = summarise
        self._ocr_recipe = ocr_recipe(ocr_languages)
        self._parser = ParserProcess(ocr_languages=ocr_languages)
        self._anything = False
        self.unread: list[str] = []
        """What could not be looked into: nothing under these keys is taken for removed."""

    async def read(self, telling: Telling, read: Queue) -> None:
        """Take everything that is told."""
        async with self._parser:
            async for told in telling.groups():
                if isinstance(told, Mark | Broken):
                    await self._refuse_to_empty(told)
                    await read.put(told)
                else:
                    await self._group(told, read)

    async def _refuse_to_empty(self, told: Mark | Broken) -> None:
        """A folder that is not mounted looks empty; that must not empty the index."""
        complete = isinstance(told, Mark) and told.last and told.checkpoint.complete
        if self._anything or not complete:
            return
        if count := await self._documents.count():
            raise SourceError(
                f"{self._location} is empty, but {count} documents of it are indexed. Check that "
                "it is there (mounted?); to remove them all, remove the source."
            )

    async def _group(self, changes: Sequence[Named], read: Queue) -> None:
        self._anything = True
        keys = [change.key for change in changes]
        await self._flight.wait(keys)
        named = [change.key for change in changes if isinstance(change, SourceDocument)]
        stored = await self._documents.stored(keys, named=named)
        wanted = (
            change
            for change in changes
            if isinstance(change, SourceDocument) and self._is_new(change, stored.get(change.key))
        )
        async with Loads(wanted) as loads:
            await self._pass_on(changes, stored, loads, read)

    async def _pass_on(
        self,
        changes: Sequence[Named],
        stored: Mapping[str, StoredDocument],
        loads: Loads,
        read: Queue,
    ) -> None:
        gone: list[str] = []
        for change in changes:
            item = await self._one(change, stored.get(change.key), loads)
            if item:
                self._flight.begin(change.key)
            if isinstance(item, Gone):
                gone += item.keys
                continue
            if item and gone:
                await read.put(Gone(tuple(gone)))
                gone = []
            if item:
                await read.put(item)
        if gone:
            await read.put(Gone(tuple(gone)))

    async def _one(
        self, change: Named, stored: StoredDocument | None, loads: Loads
    ) -> Work | Gone | None:
        if isinstance(change, SourceDocument):
            self._tally.seen()
            return await self._document(change, stored, loads)
        if isinstance(change, Skipped):
            self._tally.skipped(change.key, change.reason)
            if change.unreadable:
                self.unread.append(change.key)
                return None
        return Gone((change.key,)) if stored else None

    async def _document(
        self, origin: SourceDocument, stored: StoredDocument | None, loads: Loads
    ) -> Work | Gone | None:
        try:
            return await self._changed(origin, stored, loads)
        except EmptyDocumentError as error:
            self._tally.emptied(origin.key, str(error))
            return Gone((origin.key,)) if stored else None
        except (ParsingError, SourceError) as error:
            await self._failures.add(origin, stored, str(error))
            return None

    def _is_new(self, origin: SourceDocument, stored: StoredDocument | None) -> bool:
        """Whether its bytes are needed: it is not here, or may be another one than is here."""
        if not (stored and origin.fingerprint):
            return True
        return stored.content_hash != self._hash(origin, b"")

    async def _changed(
        self, origin: SourceDocument, stored: StoredDocument | None, loads: Loads
    ) -> Work | None:
        """The document cut into chunks, or None where the index has it already."""
        acl_id = await self._documents.acl(self._failures.readers(origin))
        raw = await loads.take(origin) if self._is_new(origin, stored) else b""
        content_hash = await asyncio.to_thread(self._hash, origin, raw)
        if stored and stored.content_hash == content_hash:
            await self._unchanged(origin, stored, acl_id)
            return None
        parsed = titled(await self._parser.parse(raw, origin.key, origin.media_type), origin)
        if parsed.note:
            logger.warning(
                "A document was read in part: %s",
                parsed.note,
                extra={"action": "document_read_in_part", "key": origin.key},
            )
        cut = await asyncio.to_thread(cut_document, parsed, self._embedders, self._width_tokens)
        if self._summarise:
            cut = replace(cut, summary=await self._summarise(parsed, cut.language))
        return Work(origin, content_hash, acl_id, cut, stored)

    async def _unchanged(self, origin: SourceDocument, stored: StoredDocument, acl_id: int) -> None:
        if stored.acl_id == acl_id:
            self._tally.unchanged(origin.key)
        else:
            await self._documents.change_readers(stored.id, acl_id)
            self._tally.changed(origin.key)

    def _hash(self, origin: SourceDocument, raw: bytes) -> str:
        """Changes with the bytes and with everything that decides what becomes of them."""
        parts = [
            origin.fingerprint or hashlib.sha256(raw).hexdigest(),
            *self._recipe.split("\n"),
            *(self._ocr_recipe if may_hold_pictures(origin.media_type) else ()),
            origin.media_type,
            origin.title or "",
            origin.url or "",
            origin.base_url or "",
        ]
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def titled(parsed: ParsedDocument, origin: SourceDocument) -> ParsedDocument:
    """Under its source's title where the document has none: a key may be only a vendor's id.

    A title of plain text is no more than a guess from its first line.
    """
    guessed = origin.media_type == "text/plain" or parsed.title == title_of_name(origin.key)
    if not origin.title or not guessed:
        return parsed
    return replace(parsed, title=origin.title)
