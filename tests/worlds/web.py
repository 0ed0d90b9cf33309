"""A web site that is crawled from its first page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.site_server import SitePage, SiteServer
from tests.worlds.world import World


class WebWorld(World):
    """Pages that the first page, which is not to be indexed, links to."""

    kind = "web"
    tells_whole = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.site = SiteServer()
        self.names: list[str] = []

    async def start(self) -> None:
        """Serve an empty site."""
        await self.site.start()
        self._link()

    async def close(self) -> None:
        """Serve no more."""
        await self.site.close()

    @property
    def location(self) -> str:
        """The site's address."""
        return f"{self.site.url}/"

    @property
    def options(self) -> Mapping[str, Any]:
        """This machine is no public address, and the test has no time to be polite."""
        return {"allow": self.site.place, "requests_per_second": "1000"}

    async def put(self, name: str, text: str) -> None:
        """Write a page and link it."""
        title = f"<title>The {name} page</title>"
        body = f"<html><head>{title}</head><body><main><p>{text}</p></main></body></html>"
        self.site.pages[f"/{name}"] = SitePage(body, etag=name != "gamma")
        self.names = [*dict.fromkeys([*self.names, name])]
        self._link()

    async def remove(self, name: str) -> None:
        """Take a page down."""
        del self.site.pages[f"/{name}"]
        self.names.remove(name)
        self._link()

    async def gone(self) -> None:
        """The server does not answer any more."""
        await self.site.close()

    def _link(self) -> None:
        links = "".join(f'<li><a href="/{name}#top">{name}</a></li>' for name in self.names)
        head = '<meta name="robots" content="noindex">'
        self.site.pages["/"] = SitePage(f"<html><head>{head}</head><ul>{links}</ul></html>")
