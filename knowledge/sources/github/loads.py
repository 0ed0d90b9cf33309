"""What is fetched of a repository when the index wants a document's content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from knowledge.errors import SourceError
from knowledge.sources.github.api import GitHub, Json, Marks, NotThereError
from knowledge.sources.github.conversations import comments_of, discussion_markdown, written
from knowledge.sources.github.files import blob
from knowledge.sources.patience import Vendor


@dataclass(frozen=True, slots=True)
class Loads:
    """GitHub as one token sees it."""

    vendor: Vendor = field(repr=False, compare=False)
    token: str = field(repr=False)
    base_url: str

    def api(self, client: httpx.AsyncClient, marks: Marks | None = None) -> GitHub:
        return GitHub(client, self.token, self.base_url, Marks() if marks is None else marks)

    async def blob(self, repository: str, sha: str) -> bytes:
        """The bytes of a file."""
        async with self.vendor.client() as client:
            return await blob(self.api(client), repository, sha)

    async def discussion(self, repository: str, node: Json) -> bytes:
        """A discussion with all its comments."""
        async with self.vendor.client() as client:
            try:
                return await discussion_markdown(self.api(client), repository, node)
            except NotThereError as error:
                raise SourceError("is deleted: index again.") from error

    async def comments(self, repository: str, numbers: Sequence[str]) -> Mapping[str, bytes]:
        """The comments of issues, packed for the batches."""
        async with self.vendor.client() as client:
            wanted = [int(number) for number in numbers]
            try:
                found = await comments_of(self.api(client), repository, wanted)
            except NotThereError as error:
                raise SourceError("is in a repository that is gone: index again.") from error
        return {str(number): written(said) for number, said in found.items()}
