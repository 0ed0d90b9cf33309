"""Places that fsspec reads: a store in memory, an SFTP server, a listing over HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import fsspec

from tests.sftp_server import SftpServer
from tests.site_server import SitePage, SiteServer
from tests.worlds.world import World

_PASSWORD = "s0-very-secret"


class MemoryWorld(World):
    """A store without times or versions."""

    kind = "fsspec"

    @property
    def location(self) -> str:
        """A folder of the store, which is one for the whole process."""
        return f"memory://{self.folder.name}/place"

    async def start(self) -> None:
        """Make the folder."""
        self._fs = fsspec.filesystem("memory")
        self._fs.makedirs(f"/{self.folder.name}/place")

    async def close(self) -> None:
        """Leave nothing behind for others."""
        if self._fs.exists(f"/{self.folder.name}"):
            self._fs.rm(f"/{self.folder.name}", recursive=True)

    async def put(self, name: str, text: str) -> None:
        """Write a file."""
        self._fs.pipe_file(f"/{self.folder.name}/place/deep/{name} 1.md", text.encode())

    async def remove(self, name: str) -> None:
        """Delete a file."""
        self._fs.rm_file(f"/{self.folder.name}/place/deep/{name} 1.md")

    async def gone(self) -> None:
        """Take the folder away."""
        await self.close()


class SftpWorld(World):
    """A real SFTP server."""

    kind = "fsspec"
    secrets: ClassVar[Mapping[str, str]] = {"SFTP_PASSWORD": _PASSWORD}

    async def start(self) -> None:
        """Serve a folder."""
        (self.folder / "files" / "place" / "deep").mkdir(parents=True)
        self.server = SftpServer(self.folder / "files", "ann", _PASSWORD)

    async def close(self) -> None:
        """Serve no more."""
        self.server.close()

    @property
    def location(self) -> str:
        """The server with its port."""
        return f"sftp://ann@127.0.0.1:{self.server.port}/place"

    @property
    def options(self) -> Mapping[str, str]:
        """The password, and the server's key."""
        return {"password": "env:SFTP_PASSWORD", "host_key": self.server.fingerprint}

    async def put(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / "files" / "place" / "deep" / f"{name} 1.md").write_text(text)

    async def remove(self, name: str) -> None:
        """Delete a file."""
        (self.folder / "files" / "place" / "deep" / f"{name} 1.md").unlink()

    async def gone(self) -> None:
        """The server does not answer any more."""
        self.server.close()


class ListingWorld(World):
    """A page of links as servers write it for a folder."""

    kind = "fsspec"
    secrets: ClassVar[Mapping[str, str]] = {"LISTING_PASSWORD": _PASSWORD}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.site = SiteServer()
        self.names: list[str] = []

    async def start(self) -> None:
        """Serve an empty folder."""
        await self.site.start()
        self._list()

    async def close(self) -> None:
        """Serve no more."""
        await self.site.close()

    @property
    def location(self) -> str:
        """The folder's address."""
        return f"{self.site.url}/files"

    @property
    def options(self) -> Mapping[str, str]:
        """A name and a password."""
        return {"username": "ann", "password": "env:LISTING_PASSWORD"}

    async def put(self, name: str, text: str) -> None:
        """Write a file."""
        etag = name != "gamma"
        self.site.pages[f"/files/deep/{name}%201.md"] = SitePage(
            text, media_type="text/markdown", etag=etag, modified_at=datetime.now(UTC)
        )
        self.names = [*dict.fromkeys([name, *self.names])]
        self._list()

    async def remove(self, name: str) -> None:
        """Take a file away."""
        del self.site.pages[f"/files/deep/{name}%201.md"]
        self.names.remove(name)
        self._list()

    async def gone(self) -> None:
        """The server does not answer any more."""
        await self.site.close()

    def _list(self) -> None:
        self.site.pages["/files/"] = SitePage('<a href="../">Up</a><a href="deep/">deep</a>')
        links = "".join(f'<a href="{name}%201.md">{name}</a>' for name in self.names)
        self.site.pages["/files/deep/"] = SitePage(f'<a href="?C=M">Time</a>{links}')
