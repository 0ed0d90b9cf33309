"""The blocks of a Notion page, with the blocks in them."""

from collections.abc import AsyncIterator
from typing import Any

from notion_client import APIErrorCode, APIResponseError, AsyncClient

from knowledge.errors import SourceError

Block = dict[str, Any]

CHILDREN = "children"
"""Where a block of a tree keeps the blocks in it; Notion's own answer has no such field here."""

MOST_BLOCKS = 20_000  # at three requests a second, more take longer than anybody waits
DEEPEST = 30  # no page is nested as deep by hand
PAGE_SIZE = 100  # the most that Notion gives at once
_DOCUMENTS_OF_THEIR_OWN = {"child_page", "child_database"}


async def read_tree(api: AsyncClient, page_id: str) -> list[Block]:
    """All blocks of a page. Raises SourceError: there are too many; APIResponseError: Notion's."""
    return await _Reader(api).below(page_id, 0)


class _Reader:
    """Counts the blocks of one page while it reads them."""

    def __init__(self, api: AsyncClient) -> None:
        self._api = api
        self._count = 0

    async def below(self, block_id: str, depth: int) -> list[Block]:
        """The blocks in a block or page, in their order."""
        blocks = [block async for block in self._children(block_id)]
        for block in blocks:
            if not block.get("has_children") or block["type"] in _DOCUMENTS_OF_THEIR_OWN:
                continue
            if depth >= DEEPEST:
                raise SourceError(f"is nested deeper than {DEEPEST} blocks: flatten or split it.")
            block[CHILDREN] = await self._nested(block, depth + 1)
        return blocks

    async def _nested(self, block: Block, depth: int) -> list[Block]:
        """The blocks of a copy of a synced block are those of its original, if that is shared."""
        origin = (block.get("synced_block") or {}).get("synced_from")
        if not origin:
            return await self.below(block["id"], depth)
        try:
            return await self.below(origin["block_id"], depth)
        except APIResponseError as error:
            if error.code != APIErrorCode.ObjectNotFound:
                raise
            return []

    async def _children(self, block_id: str) -> AsyncIterator[Block]:
        start: str | None = None
        while True:
            page = await self._api.blocks.children.list(
                block_id, start_cursor=start, page_size=PAGE_SIZE
            )
            for block in page["results"]:
                self._count += 1
                if self._count > MOST_BLOCKS:
                    raise SourceError(f"holds more than {MOST_BLOCKS} blocks: split it.")
                if not (block.get("in_trash") or block.get("archived")):
                    yield block
            start = page.get("next_cursor")
            if not page.get("has_more") or not start:
                return
