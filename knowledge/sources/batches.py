"""Fetches bodies many at a time although the index asks for one after the other.

On a first run the index loads every document in the order in which it was told, so a request for
one fetches its followers too. Later it loads what has changed, and only that is fetched ahead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from knowledge.errors import SourceError

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]


@dataclass(slots=True)
class Batches:
    """The bodies of documents by id; no more than `size` are held."""

    fetch: Fetch
    size: int
    _expected: dict[str, None] = field(default_factory=dict)
    _held: dict[str, bytes] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def expect(self, key: str) -> None:
        """This one will probably be loaded, after those that are expected already."""
        self._expected[key] = None

    async def load(self, key: str) -> bytes:
        """The body of a document. Raises SourceError when it is no longer there."""
        async with self._turn:
            if key not in self._held:
                self._held = dict(await self.fetch(self._with_followers(key)))
            body = self._held.pop(key, None)
        if body is None:
            raise SourceError("cannot be read: it is gone, or the token may not read it any more.")
        return body

    def _with_followers(self, key: str) -> list[str]:
        wanted = [key]
        if key in self._expected:
            del self._expected[key]
            wanted += islice(self._expected, self.size - 1)
        for one in wanted:
            self._expected.pop(one, None)
        return wanted
