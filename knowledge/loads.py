"""The bytes of documents, a few of them fetched ahead of where they are read.

A vendor answers after some fifty milliseconds, however small the document is, so waiting for one
after the other is most of a run's time. They are asked for in their order, few at once, and what
lies ready is bounded in number and in bytes.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Self

from knowledge.sources import SourceDocument

AT_ONCE = 4  # a vendor's own pace holds too: all requests of a source share it
AHEAD_DOCUMENTS = 8
AHEAD_BYTES = 32 * 2**20  # where a document is larger, it alone


class Loads:
    """Loads documents that are to be taken one after the other."""

    def __init__(self, wanted: Iterable[SourceDocument]) -> None:
        self._wanted = deque(wanted)
        self._begun: dict[str, asyncio.Task[bytes]] = {}
        """By key, until it is taken."""
        self._largest_bytes = 0

    async def __aenter__(self) -> Self:
        self._begin_ahead()
        return self

    async def __aexit__(self, *_: object) -> None:
        """What was not taken is let go."""
        self._wanted.clear()
        begun = list(self._begun.values())
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    async def take(self, origin: SourceDocument) -> bytes:
        """The bytes of a document. Raises SourceError as its `load` does."""
        while origin.key not in self._begun and self._wanted:
            self._begin()  # the next one is fetched, whatever lies ready
        try:
            return await self._begun[origin.key]
        finally:
            del self._begun[origin.key]
            self._begin_ahead()

    def _begin(self) -> None:
        origin = self._wanted.popleft()
        task = asyncio.create_task(_loaded(origin))
        self._begun[origin.key] = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[bytes]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._largest_bytes = max(self._largest_bytes, len(task.result()))
        self._begin_ahead()

    def _begin_ahead(self) -> None:
        while self._wanted and self._has_room():
            self._begin()

    def _has_room(self) -> bool:
        """Whether one more may be fetched; those on their way count as the largest so far."""
        under_way = [task for task in self._begun.values() if not task.done()]
        if len(under_way) >= AT_ONCE or len(self._begun) >= AHEAD_DOCUMENTS:
            return False
        expected = (len(under_way) + 1) * self._largest_bytes
        return sum(map(_held_bytes, self._begun.values())) + expected <= AHEAD_BYTES


async def _loaded(origin: SourceDocument) -> bytes:
    return await origin.load()


def _held_bytes(task: "asyncio.Task[bytes]") -> int:
    fetched = task.done() and not task.cancelled() and task.exception() is None
    return len(task.result()) if fetched else 0
