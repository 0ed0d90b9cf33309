"""A folder of Google Drive."""

import os
from collections.abc import Mapping
from typing import Any

from tests.vendors.google import ROOT, GoogleServer, credentials, domain, private_key
from tests.worlds.world import World


class GoogleDriveWorld(World):
    """Markdown files that the whole domain may read."""

    kind = "google_drive"
    secrets = {"GOOGLE_KEY": private_key().splitlines()[1]}  # noqa: RUF012 - as in the base

    async def start(self) -> None:
        """Serve the API."""
        self.server = GoogleServer()
        await self.server.start()
        self.server.put_folder("1FolderOfRules", "Rules")
        # The key says where tokens come from, and the server's port is known only now.
        os.environ["GOOGLE_KEY"] = credentials(self.server.url)

    async def close(self) -> None:
        """End the server."""
        await self.server.close()

    @property
    def location(self) -> str:
        """The folder's address."""
        return f"https://drive.google.com/drive/folders/{ROOT}?usp=sharing"

    @property
    def options(self) -> Mapping[str, Any]:
        """The key, and the server in the place of Google's."""
        return {
            "credentials": "env:GOOGLE_KEY",
            "domain": "acme.example",
            "base_url": self.server.url,
        }

    async def put(self, name: str, text: str) -> None:
        """Upload a file."""
        self.server.put_file(
            f"1File{name}",
            f"About {name}.md",
            text.encode(),
            parent="1FolderOfRules",
            permissions=[domain("acme.example")],
        )

    async def remove(self, name: str) -> None:
        """Delete a file for ever."""
        self.server.delete(f"1File{name}")

    async def gone(self) -> None:
        """No server answers any more."""
        await self.server.close()
