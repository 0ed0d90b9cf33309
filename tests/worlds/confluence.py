"""A Confluence space with a page for each document."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from knowledge.sources import Source
from knowledge.sources.confluence.wiki import ConfluenceSource
from knowledge.sources.patience import Patience
from tests.vendors.confluence import EMAIL, TOKEN, ConfluenceServer, Content
from tests.worlds.world import World


class ConfluenceWorld(World):
    """Pages of one space, on Cloud."""

    kind = "confluence"
    secrets: ClassVar[Mapping[str, str]] = {"CONFLUENCE_TOKEN": TOKEN}
    cloud: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = ConfluenceServer(cloud=self.cloud)
        self._ids: dict[str, str] = {}

    async def start(self) -> None:
        """Serve an empty space."""
        await self.server.start()

    async def close(self) -> None:
        """Serve no more."""
        await self.server.close()

    @property
    def location(self) -> str:
        """The site's address."""
        return self.server.location

    @property
    def options(self) -> Mapping[str, Any]:
        """A full listing each time, so that what is deleted is noticed at once."""
        shared = {"token": "env:CONFLUENCE_TOKEN", "full_hours": "0"}
        if self.cloud:
            return {**shared, "email": EMAIL, "cloud": "yes"}
        return {**shared, "username_domain": "acme.example"}

    def source(self) -> Source:
        """The space as the index sees it, with short waits."""
        source = super().source()
        assert isinstance(source, ConfluenceSource)
        source.site.api.vendor.patience = Patience(first_wait_seconds=0.01)
        return source

    async def put(self, name: str, text: str) -> None:
        """Write a page."""
        content_id = self._ids.setdefault(name, str(1000 + len(self._ids)))
        self.server.put(Content(content_id, name.title(), "ENG", f"<p>{text}</p>"))

    async def remove(self, name: str) -> None:
        """Delete a page."""
        del self.server.contents[self._ids.pop(name)]
        self._ids[f"gone {len(self._ids)}"] = "0"

    async def gone(self) -> None:
        """Stop the site."""
        await self.server.close()


class ConfluenceDataCenterWorld(ConfluenceWorld):
    """The same on a Data Center."""

    cloud = False
