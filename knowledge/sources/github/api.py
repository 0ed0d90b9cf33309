"""GitHub's REST and GraphQL APIs: asked with patience, and refusals in words."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import gidgethub
import httpx
from gidgethub.abc import GitHubAPI

from knowledge.errors import SourceError
from knowledge.sources.patience import busy_wait, retry_after

API = "https://api.github.com"
SECONDARY_WAIT_SECONDS = 60.0  # what GitHub asks for where it names no time
_HEADERS = {"X-GitHub-Api-Version": "2022-11-28"}

Json = dict[str, Any]


class NotThereError(Exception):
    """GitHub has no such thing, or hides it: an answer that a caller may expect."""


@dataclass(slots=True)
class Marks(MutableMapping[str, tuple[str | None, str | None, Any, str | None]]):
    """The ETags of short listings: asked with its mark, an unchanged listing is not sent again.

    It is the cache that gidgethub asks. Only what is listed "since" a moment is marked; unchanged,
    it holds nothing that was not told before, so of an answer nothing but its mark is kept.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    met: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, url: str) -> tuple[str | None, str | None, Any, str | None]:
        mark = self.known[url]
        self.met[url] = mark
        return mark, None, [], None

    def __setitem__(self, url: str, value: tuple[str | None, str | None, Any, str | None]) -> None:
        mark, _, _, more = value
        if mark and "since=" in url and more is None:  # a further page could change alone
            self.met[url] = mark

    def __delitem__(self, url: str) -> None:
        del self.met[url]

    def __iter__(self) -> Iterator[str]:
        return iter(self.met)

    def __len__(self) -> int:
        return len(self.met)


class GitHub(GitHubAPI):
    """gidgethub over the patient client, with its errors as SourceError."""

    def __init__(self, client: httpx.AsyncClient, token: str, base_url: str, marks: Marks) -> None:
        super().__init__("Lorewise", oauth_token=token, cache=marks, base_url=base_url)
        self._client = client
        self.marks = marks

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        response = await self._client.request(method, url, headers=dict(headers), content=body)
        return response.status_code, response.headers, response.content

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def one(self, path: str) -> Any:
        """The JSON at a path. Raises NotThereError, SourceError."""
        try:
            return await self.getitem(path, None, extra_headers=_HEADERS)
        except (gidgethub.GitHubException, httpx.HTTPError) as error:
            raise _explained(error) from error

    async def all(self, path: str) -> AsyncIterator[Json]:
        """All things of a listing, page after page. Raises NotThereError, SourceError."""
        try:
            async for item in self.getiter(path, None, extra_headers=_HEADERS):
                yield item
        except (gidgethub.GitHubException, httpx.HTTPError) as error:
            raise _explained(error) from error

    async def query(self, query: str, **variables: Any) -> Json:
        """The data of a GraphQL query; null where the repository has no such thing.

        Raises NotThereError: there is no such repository. SourceError.
        """
        # An Enterprise Server has it beside the REST API: /api/v3 and /api/graphql.
        endpoint = f"{self.base_url.removesuffix('/v3')}/graphql"
        try:
            found: Json = await self.graphql(query, endpoint=endpoint, **variables)
        except gidgethub.QueryError as error:
            data = error.response.get("data") or {}
            if _types(error) != {"NOT_FOUND"} or not data.get("repository"):
                raise _explained(error) from error
            return dict(data)
        except (gidgethub.GitHubException, httpx.HTTPError) as error:
            raise _explained(error) from error
        return found


def github_wait(response: httpx.Response) -> float | None:
    """See knowledge.sources.patience.Wait: GitHub has two limits, and says both with 403 too."""
    spent = response.headers.get("x-ratelimit-remaining") == "0"
    if response.status_code in {403, 429}:
        asked = retry_after(response)
        if asked is not None:
            return asked
        if spent:
            return _until_reset(response)
        secondary = "secondary rate limit" in response.text.lower()
        return SECONDARY_WAIT_SECONDS if secondary or response.status_code == 429 else None
    if response.status_code == 200 and spent and '"RATE_LIMITED"' in response.text:
        return _until_reset(response)  # GraphQL's way to say it
    return busy_wait(response)


def _until_reset(response: httpx.Response) -> float:
    reset = float(response.headers.get("x-ratelimit-reset", 0))
    return max(1.0, reset - time.time() + 1)


def _explained(error: Exception) -> Exception:
    """GitHub's refusal, with what to do."""
    status, types = _status(error), _types(error)
    if status in {404, 409, 410, 451} or "NOT_FOUND" in types:
        return NotThereError(str(error))
    if status == 401:
        return SourceError(
            "GitHub refuses the token: it is wrong, expired or revoked. Make a new one "
            "(https://github.com/settings/tokens) and put it into the variable of the option token."
        )
    if _is_forbidden(error):
        return SourceError(
            f"GitHub forbids it ({error}). Give the token read access to contents, issues, pull "
            "requests, discussions and metadata, and approve it for the organisation (SSO)."
        )
    return SourceError(
        f"GitHub answers {status or ''} ({error}). Index again; nothing was removed."
    )


def forbids(error: SourceError) -> bool:
    """Whether GitHub says that the token may not do this, and not that it is broken or busy."""
    return error.__cause__ is not None and _is_forbidden(error.__cause__)


def _is_forbidden(error: BaseException) -> bool:
    return _status(error) == 403 or bool(_types(error) & {"FORBIDDEN", "INSUFFICIENT_SCOPES"})


def _status(error: BaseException) -> int:
    return int(getattr(error, "status_code", 0))


def _types(error: BaseException) -> set[str]:
    """What GraphQL calls the errors."""
    response = getattr(error, "response", None)
    errors = response.get("errors") if isinstance(response, dict) else None
    return {str(one.get("type")) for one in errors or [] if isinstance(one, dict)}
