"""Documents are fetched ahead: in order, few at once, within bounds of memory."""

import asyncio
from collections.abc import Sequence

import pytest

from knowledge.errors import SourceError
from knowledge.loads import AHEAD_BYTES, AHEAD_DOCUMENTS, AT_ONCE, Loads
from knowledge.sources import SourceDocument


class Vendor:
    """Counts what is under way."""

    def __init__(self, *, size_bytes: int = 1, broken: Sequence[int] = ()) -> None:
        self.size_bytes, self.broken = size_bytes, broken
        self.begun: list[int] = []
        self.under_way = self.most = self.ended = 0

    def documents(self, count: int) -> list[SourceDocument]:
        return [self._document(number) for number in range(count)]

    def _document(self, number: int) -> SourceDocument:
        async def load() -> bytes:
            self.begun.append(number)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await asyncio.sleep(0.002 * (number % 3))
            finally:
                self.under_way -= 1
            self.ended += 1
            if number in self.broken:
                raise SourceError(f"{number} is gone.")
            return bytes([number]) * self.size_bytes

        return SourceDocument(str(number), "text/plain", load)


async def settle() -> None:
    """Let everything that may go on come to its end."""
    await asyncio.sleep(0.05)


async def test_each_document_gets_its_own_bytes_in_the_order_of_asking() -> None:
    vendor = Vendor()
    wanted = vendor.documents(20)
    async with Loads(wanted) as loads:
        assert [await loads.take(each) for each in wanted] == [bytes([n]) for n in range(20)]
    assert vendor.begun == list(range(20))
    assert 1 < vendor.most <= AT_ONCE


async def test_a_document_that_cannot_be_had_fails_alone_and_in_its_turn() -> None:
    vendor = Vendor(broken=[1, 3])
    wanted = vendor.documents(5)
    async with Loads(wanted) as loads:
        await settle()
        assert await loads.take(wanted[0]) == b"\0"
        for broken in (1, 3):
            with pytest.raises(SourceError, match=f"{broken} is gone"):
                await loads.take(wanted[broken])
            assert await loads.take(wanted[broken + 1]) == bytes([broken + 1])


async def test_few_documents_lie_ready() -> None:
    vendor = Vendor()
    async with Loads(vendor.documents(50)):
        await settle()
    assert vendor.ended == AHEAD_DOCUMENTS


async def test_large_documents_wait_until_they_are_wanted() -> None:
    vendor = Vendor(size_bytes=AHEAD_BYTES // 2 + 1)
    wanted = vendor.documents(12)
    async with Loads(wanted) as loads:
        for number, each in enumerate(wanted):
            await settle()
            held = vendor.ended - number
            assert held <= (AT_ONCE if number < AT_ONCE else 1)  # how large they are shows first
            assert len(await loads.take(each)) == vendor.size_bytes


async def test_what_is_not_taken_is_let_go() -> None:
    vendor = Vendor(broken=range(1, 50))
    async with Loads(vendor.documents(50)):
        await asyncio.sleep(0)
    assert vendor.under_way == 0
    await settle()
    assert len(vendor.begun) <= AT_ONCE
