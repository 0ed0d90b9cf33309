"""A repository on GitHub."""

from collections.abc import Mapping
from typing import Any

from tests.vendors.github import TOKEN, GitHubServer
from tests.worlds.world import World


class GitHubWorld(World):
    """Markdown files that two people may read."""

    kind = "github"
    secrets = {"GITHUB_TOKEN_OF_TEST": TOKEN}  # noqa: RUF012 - as in the base
    tells_whole = True  # a file that is deleted stays in the history, and can be had by its hash

    async def start(self) -> None:
        """Serve the API."""
        self.server = GitHubServer()
        await self.server.start()
        people = [{"login": "ada", "email": "ada@acme.example"}, {"login": "bob"}]
        repository = self.server.create("acme/handbook", collaborators=people)
        repository.files["Makefile"] = b"all:"

    async def close(self) -> None:
        """End the server."""
        await self.server.close()

    @property
    def location(self) -> str:
        """The repository's address."""
        return "https://github.com/acme/handbook"

    @property
    def options(self) -> Mapping[str, Any]:
        """The token, and the server in the place of GitHub's."""
        return {"token": "env:GITHUB_TOKEN_OF_TEST", "base_url": self.server.url}

    async def put(self, name: str, text: str) -> None:
        """Commit a file."""
        self.server.repositories["acme/handbook"].files[f"docs/deep/{name} 1.md"] = text.encode()

    async def remove(self, name: str) -> None:
        """Commit that a file is gone."""
        del self.server.repositories["acme/handbook"].files[f"docs/deep/{name} 1.md"]

    async def gone(self) -> None:
        """No server answers any more."""
        await self.server.close()
