"""A real Git repository, given by its path."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.worlds.world import World

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "Ann" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "ann@acme.example" for who in ("AUTHOR", "COMMITTER")},
}


class GitWorld(World):
    """One branch; each change is a commit."""

    kind = "git"
    tells_whole = True  # a commit is never without its files

    @property
    def place(self) -> Path:
        """The repository's working tree."""
        return self.folder / "repository"

    async def start(self) -> None:
        """Make the repository with a first commit."""
        os.environ["XDG_CACHE_HOME"] = str(self.folder / "cache")
        self.place.mkdir()
        await self.git("init", "--quiet", "--initial-branch=main")
        await self.commit()

    async def close(self) -> None:
        """Put the environment back."""
        os.environ.pop("XDG_CACHE_HOME", None)

    @property
    def location(self) -> str:
        """The repository's path."""
        return str(self.place)

    @property
    def options(self) -> Mapping[str, str]:
        """The branch, and where files can be opened."""
        return {"branch": "main", "url": "https://git.example.com/{branch}/{path}"}

    async def put(self, name: str, text: str) -> None:
        """Commit a file."""
        path = self.place / "rules" / f"{name} 1.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        await self.commit()

    async def remove(self, name: str) -> None:
        """Commit that a file is gone."""
        (self.place / "rules" / f"{name} 1.md").unlink()
        await self.commit()

    async def gone(self) -> None:
        """Take the repository away."""
        await asyncio.to_thread(shutil.rmtree, self.place)

    async def commit(self, *arguments: str) -> None:
        """Commit all that is there."""
        await self.git("add", "--all")
        await self.git("commit", "--quiet", "--allow-empty", "--message=Change", *arguments)

    async def git(self, *arguments: str) -> None:
        """Run git as a person would."""
        process = await asyncio.create_subprocess_exec(
            "git", *arguments, cwd=self.place, env=_ENVIRONMENT
        )
        assert await process.wait() == 0
