"""A folder of files."""

import shutil

from tests.worlds.world import World


class FolderWorld(World):
    """Text files in nested folders."""

    kind = "folder"

    async def start(self) -> None:
        """Make the folder."""
        (self.folder / "place" / "deep").mkdir(parents=True)

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.folder / "place")

    async def put(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / "place" / "deep" / f"{name} 1.md").write_text(text)

    async def remove(self, name: str) -> None:
        """Delete a file."""
        (self.folder / "place" / "deep" / f"{name} 1.md").unlink()

    async def gone(self) -> None:
        """Take the whole folder away."""
        shutil.rmtree(self.folder / "place")
