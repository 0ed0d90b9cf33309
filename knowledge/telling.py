"""A source's telling on its way into the index: as it comes, in groups of what waits."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

from knowledge.errors import SourceError
from knowledge.report import Tally
from knowledge.sources import (
    Checkpoint,
    Removed,
    Retelling,
    Skipped,
    Source,
    SourceDocument,
)
from knowledge.work import Broken, Mark, ends

Named = SourceDocument | Removed | Skipped

_WAITING = 1_000  # changes that a source may be ahead: enough to know a folder's size at once
_GROUP = 200  # changes whose versions in the index are looked up by one statement


class Telling:
    """One call of a source's `changes`, and the documents that it is asked for again."""

    def __init__(
        self,
        source: Source,
        cursor: dict[str, Any] | None,
        failed: Iterable[str],
        tally: Tally,
    ) -> None:
        self._source, self._cursor, self._tally = source, cursor, tally
        self._failed = set(failed)
        self._checkpoint: Checkpoint | None = None
        self._told: asyncio.Queue[Named | Mark | Broken] = asyncio.Queue(_WAITING)

    async def tell(self) -> None:
        """Let the source tell; an error of its own comes after what it has told."""
        try:
            await self._changes()
            if self._checkpoint is None:
                raise RuntimeError(f"the source {self._source.kind} ended without a checkpoint")
            if not self._checkpoint.complete:
                await self._again()
        except SourceError as error:
            await self._pass_checkpoint()
            await self._told.put(Broken(error))
        else:
            self._tally.told_all()
            await self._told.put(Mark(self._checkpoint, last=True))

    async def _changes(self) -> None:
        """All changes; a checkpoint is kept until it is known whether it is the last."""
        changes = self._source.changes(self._cursor)
        try:
            async for change in changes:
                await self._pass_checkpoint()
                if isinstance(change, Checkpoint):
                    self._checkpoint = change
                else:
                    self._failed.discard(change.key)
                    await self._named(change)
        finally:
            await _close(changes)

    async def _pass_checkpoint(self) -> None:
        if self._checkpoint and not self._checkpoint.complete:
            await self._told.put(Mark(self._checkpoint, last=False))
        self._checkpoint = None

    async def _named(self, change: Named) -> None:
        if isinstance(change, SourceDocument):
            self._tally.told()
        await self._told.put(change)

    async def _again(self) -> None:
        if not (self._failed and isinstance(self._source, Retelling)):
            return
        changes = self._source.again(sorted(self._failed))
        try:
            async for change in changes:
                await self._named(change)
        finally:
            await _close(changes)

    async def groups(self) -> AsyncIterator[list[Named] | Mark | Broken]:
        """The changes in groups in which no key stands twice; marks alone between them."""
        group: dict[str, Named] = {}
        while True:
            told = await self._told.get()
            if group and (isinstance(told, Mark | Broken) or told.key in group):
                yield list(group.values())
                group = {}
            if isinstance(told, Mark | Broken):
                yield told
                if ends(told):
                    return
                continue
            group[told.key] = told
            if self._told.empty() or len(group) == _GROUP:
                yield list(group.values())
                group = {}


async def _close(changes: AsyncIterator[Any]) -> None:
    """Let a source put its connections away at once when a run is cut."""
    if isinstance(changes, AsyncGenerator):
        await changes.aclose()
