"""A SharePoint site with a file for each document."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from knowledge.sources import Source
from knowledge.sources.patience import Patience
from knowledge.sources.sharepoint.library import SharePointSource
from tests.vendors.graph import ANYBODY, CLIENT, LOCATION, SECRET, TENANT, GraphServer, Item
from tests.worlds.world import World


class SharePointWorld(World):
    """Files of one library."""

    kind = "sharepoint"
    secrets: ClassVar[Mapping[str, str]] = {"GRAPH_SECRET": SECRET}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = GraphServer()
        self._ids: dict[str, str] = {}
        self._made = 0

    async def start(self) -> None:
        """Serve an empty site."""
        await self.server.start()

    async def close(self) -> None:
        """Serve no more."""
        await self.server.close()

    @property
    def location(self) -> str:
        """The site's address."""
        return LOCATION

    @property
    def options(self) -> Mapping[str, Any]:
        """The application, and the server in the place of Microsoft's."""
        return {
            "tenant": TENANT,
            "client_id": CLIENT,
            "client_secret": "env:GRAPH_SECRET",
            "graph_url": f"{self.server.url}/v1.0",
            "login_url": self.server.url,
        }

    def source(self) -> Source:
        """The site as the index sees it, with short waits."""
        source = super().source()
        assert isinstance(source, SharePointSource)
        source.graph.api.vendor.patience = Patience(first_wait_seconds=0.01)
        return source

    async def put(self, name: str, text: str) -> None:
        """Write a file."""
        if name not in self._ids:
            self._made += 1
            self._ids[name] = f"item-{self._made}"
        item_id = self._ids[name]
        self.server.put(Item(item_id, f"{name}.md", text.encode(), permissions=ANYBODY))

    async def remove(self, name: str) -> None:
        """Delete a file."""
        self.server.delete(self._ids.pop(name))

    async def gone(self) -> None:
        """Stop the site."""
        await self.server.close()
