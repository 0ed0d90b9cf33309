"""A Notion workspace."""

from collections.abc import Mapping
from typing import Any

from tests.vendors.notion import TOKEN, NotionServer, identity
from tests.worlds.world import World


class NotionWorld(World):
    """Pages of one paragraph."""

    kind = "notion"
    secrets = {"NOTION_TOKEN": TOKEN}  # noqa: RUF012 - as in the base

    async def start(self) -> None:
        """Serve the API."""
        self.server = NotionServer()
        await self.server.start()

    async def close(self) -> None:
        """End the server."""
        await self.server.close()

    @property
    def location(self) -> str:
        """The workspace's address, a label."""
        return "https://www.notion.so/acme"

    @property
    def options(self) -> Mapping[str, Any]:
        """The token, and the server in the place of Notion's."""
        return {
            "token": "env:NOTION_TOKEN",
            "base_url": self.server.url,
            "requests_per_second": "1000",
        }

    async def put(self, name: str, text: str) -> None:
        """Write a page."""
        self.server.put_page(name, f"About {name}", [self.server.words("paragraph", text)])

    async def remove(self, name: str) -> None:
        """Move a page to the trash."""
        self.server.items[identity(name)]["in_trash"] = True

    async def gone(self) -> None:
        """No server answers any more."""
        await self.server.close()
