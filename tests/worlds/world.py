"""What a kind of source supplies so that its promises can be tested."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from knowledge.sources import KINDS, Kind, Source, load_source


class World(ABC):
    """A place with documents, served from this machine; made for one test, in a fresh folder."""

    kind: ClassVar[str]
    kinds: ClassVar[Mapping[str, Kind]] = KINDS
    """Where the kind is found; another mapping for kinds that only the bot knows."""
    secrets: ClassVar[Mapping[str, str]] = {}
    """Environment variable by secret value: the test sets them; the values must show nowhere."""
    tells_whole: ClassVar[bool] = False
    """A document carries its bytes, so a later `load` cannot find it vanished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def start(self) -> None:  # noqa: B027 - most worlds need no server
        """Begin to serve; the place is there and empty."""

    async def close(self) -> None:  # noqa: B027
        """Serve no more; called after `gone` too."""

    @property
    @abstractmethod
    def location(self) -> str:
        """What an administrator names."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What an administrator gives beside it; secrets as env:NAME."""
        return {}

    @abstractmethod
    async def put(self, name: str, text: str) -> None:
        """Add the document of a name, or change its text. A name is a short lower-case word."""

    @abstractmethod
    async def remove(self, name: str) -> None:
        """Take a document away."""

    @abstractmethod
    async def gone(self) -> None:
        """Make the whole place unreachable, as if its server or disk were lost."""

    def source(self) -> Source:
        """The place as the index sees it."""
        return load_source(self.kind, self.location, self.options, kinds=self.kinds)
