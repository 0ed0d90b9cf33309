"""A Jira project with an issue for each document."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from knowledge.sources import Source
from knowledge.sources.jira.tracker import JiraSource
from knowledge.sources.patience import Patience
from tests.vendors.jira import EMAIL, TOKEN, Issue, JiraServer
from tests.worlds.world import World


class JiraWorld(World):
    """Issues of one project, on Cloud."""

    kind = "jira"
    secrets: ClassVar[Mapping[str, str]] = {"JIRA_TOKEN": TOKEN}
    cloud: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = JiraServer(cloud=self.cloud)
        self._ids: dict[str, str] = {}
        self._made = 100

    async def start(self) -> None:
        """Serve an empty project."""
        await self.server.start()

    async def close(self) -> None:
        """Serve no more."""
        await self.server.close()

    @property
    def location(self) -> str:
        """The site's address."""
        return self.server.url

    @property
    def options(self) -> Mapping[str, Any]:
        """A full listing each time, so that what is deleted is noticed at once."""
        shared = {"token": "env:JIRA_TOKEN", "full_hours": "0"}
        return {**shared, "email": EMAIL, "cloud": "yes"} if self.cloud else shared

    def source(self) -> Source:
        """The project as the index sees it, with short waits."""
        source = super().source()
        assert isinstance(source, JiraSource)
        source.site.api.vendor.patience = Patience(first_wait_seconds=0.01)
        return source

    async def put(self, name: str, text: str) -> None:
        """Write an issue."""
        if name not in self._ids:
            self._made += 1
            self._ids[name] = str(self._made)
        content_id = self._ids[name]
        self.server.put(Issue(content_id, f"OPS-{content_id}", name.title(), text))

    async def remove(self, name: str) -> None:
        """Delete an issue."""
        del self.server.issues[self._ids.pop(name)]

    async def gone(self) -> None:
        """Stop the site."""
        await self.server.close()


class JiraDataCenterWorld(JiraWorld):
    """The same on a Data Center."""

    cloud = False
