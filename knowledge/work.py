"""What passes through the stages of an indexing run, in the order in which it was told."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from knowledge.cutting import CutDocument
from knowledge.documents import StoredDocument
from knowledge.errors import SourceError
from knowledge.sources import Checkpoint, SourceDocument


@dataclass(slots=True)
class Work:
    """A document that is to be embedded and written."""

    origin: SourceDocument
    content_hash: str
    acl_id: int
    cut: CutDocument
    stored: StoredDocument | None
    """Its version in the index."""
    vectors: dict[int, dict[int, NDArray[np.float32]]] = field(default_factory=dict)
    """By model, by the chunk's position."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Documents that are to leave the index."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A checkpoint: when it comes to be written, all that was told before it is."""

    checkpoint: Checkpoint
    last: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """The source broke off; what it told before is to be written nevertheless."""

    error: SourceError


Item = Work | Gone | Mark | Broken
Queue = asyncio.Queue[Item]
"""Ends with the last Mark or with Broken."""


def ends(item: object) -> bool:
    """Whether nothing comes after this."""
    return isinstance(item, Broken) or (isinstance(item, Mark) and item.last)


class Flight:
    """The documents between being read and being written."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._landed = asyncio.Event()

    def begin(self, key: str) -> None:
        """A document, or its removal, has left for the writer."""
        self._keys.add(key)

    def land(self, *keys: str) -> None:
        """They were written or removed, or failed."""
        self._keys.difference_update(keys)
        self._landed.set()

    async def wait(self, keys: Iterable[str]) -> None:
        """Until none of these is in the air: what the index knows of them is true then."""
        wanted = set(keys)
        while wanted & self._keys:
            self._landed.clear()
            await self._landed.wait()
