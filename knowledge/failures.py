"""Documents that failed in a run: reported, told again by the next one, seen by nobody new."""

import logging

from knowledge.documents import Documents, StoredDocument
from knowledge.report import Tally
from knowledge.sources import SourceDocument

logger = logging.getLogger(__name__)


class Failures:
    """Notes failures. `asked_again`: the next run asks for each by name; else the cursor stays."""

    def __init__(
        self,
        source: str,
        principals: frozenset[str],
        documents: Documents,
        tally: Tally,
        *,
        asked_again: bool,
    ) -> None:
        self._source, self._principals = source, principals
        self._documents, self._tally = documents, tally
        self._asked_again = asked_again
        self.hold_cursor = False
        """A document failed that only an earlier cursor leads to again."""

    def readers(self, origin: SourceDocument) -> frozenset[str]:
        """Who may read a document."""
        return self._principals if origin.principals is None else origin.principals

    async def add(self, origin: SourceDocument, stored: StoredDocument | None, reason: str) -> None:
        """A document could not be read or written: its last version stays, for those who may."""
        logger.warning(
            "A document was not indexed.",
            extra={"action": "document_failed", "source": self._source, "key": origin.key},
        )
        if stored:
            await self._narrow(stored, self.readers(origin), origin.key)
        if self._asked_again:
            await self._documents.note_failed(origin.key, reason)
        else:
            self.hold_cursor = True
        self._tally.failed(origin.key, reason)

    async def _narrow(self, stored: StoredDocument, readers: frozenset[str], key: str) -> None:
        """Who lost the right to read it loses the last version too; nobody gets what is old."""
        kept = stored.principals & readers
        if kept == stored.principals:
            return
        if kept:
            await self._documents.change_readers(stored.id, await self._documents.acl(kept))
        else:
            self._tally.report.removed += await self._documents.remove([key])
