"""Google's REST APIs: asked with patience, and refusals in words.

Google's own client library is synchronous, not safe between threads, and brings the descriptions
of all of Google's APIs (100 MB); of the library only the signing in is used (account.py).
"""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from knowledge.errors import SourceError
from knowledge.sources.google_drive.account import Account
from knowledge.sources.patience import busy_wait

API = "https://www.googleapis.com"
DIRECTORY = "https://admin.googleapis.com"
LIMITS = {"rateLimitExceeded", "userRateLimitExceeded"}
"""Google says these with 403; later requests pass."""
_OF_THE_ACCOUNT = LIMITS | {"accessNotConfigured", "insufficientPermissions"}
"""Said of the account as a whole, whatever it asks for."""

Json = dict[str, Any]
Params = Mapping[str, str | int | bool | None]


class GoogleApi:
    """One of Google's APIs, as one account."""

    def __init__(self, client: httpx.AsyncClient, account: Account, base_url: str) -> None:
        self._client = client
        self._account = account
        self._base_url = base_url

    @property
    def account(self) -> str:
        """The service account's address."""
        return self._account.email

    async def ask(
        self, path: str, params: Params | None = None, *, allow: Collection[int] = ()
    ) -> httpx.Response:
        """One answer below the base. Raises SourceError for a status of 400 and above, unless
        `allow` names it.
        """
        sent = {name: _text(value) for name, value in (params or {}).items() if value is not None}
        response = await self._send(f"{self._base_url}{path}", sent)
        allowed = response.status_code in allow and reason(response) not in _OF_THE_ACCOUNT
        if response.status_code >= 400 and not allowed:
            raise explained(response, self.account)
        return response

    async def follow(self, url: str) -> httpx.Response:
        """The answer at an address that Google named. Raises SourceError: it is not Google's."""
        if not _googles(url, self._base_url):
            raise SourceError(
                f"Google named an address on another host ({urlsplit(url).hostname}); it was not "
                "followed, because the token is for Google only."
            )
        return await self._send(url, None)

    async def _send(self, url: str, params: Mapping[str, str] | None) -> httpx.Response:
        try:
            return await self._client.get(url, params=params, headers=await self._account.headers())
        except httpx.HTTPError as error:  # redirects without end, broken encodings
            raise SourceError(
                f"Google's answer cannot be read ({type(error).__name__})."
            ) from error

    async def get(self, path: str, params: Params | None = None) -> Json:
        """The JSON below the base. Raises SourceError."""
        found: Json = (await self.ask(path, params)).json()
        return found

    async def pages(self, path: str, params: Params) -> AsyncIterator[Json]:
        """All pages of a listing. Raises SourceError."""
        token: str | None = None
        while True:
            page = await self.get(path, {**params, "pageToken": token})
            yield page
            token = page.get("nextPageToken")
            if not token:
                return


def google_wait(response: httpx.Response) -> float | None:
    """See knowledge.sources.patience.Wait: Google says its limits with 403 too."""
    if response.status_code == 403 and reason(response) in LIMITS:
        return 0.0
    return busy_wait(response)


def reason(response: httpx.Response) -> str:
    """Google's word for why it refuses; empty where it says none."""
    try:
        errors = response.json()["error"]["errors"]
        return str(errors[0]["reason"])
    except (KeyError, IndexError, TypeError, ValueError):
        return ""


def explained(response: httpx.Response, account: str) -> SourceError:
    """A refusal of Google's, with what to do."""
    match response.status_code, reason(response):
        case 401, _:
            return SourceError(
                f"Google does not accept the token of {account}: make a new key for the service "
                "account and put it into the variable of the option credentials."
            )
        case 403, "accessNotConfigured":
            return SourceError(
                "The Drive API is not enabled in the project of the service account: enable it in "
                "the Google Cloud console (APIs & services)."
            )
        case 403, "insufficientPermissions" | "insufficientFilePermissions":
            return SourceError(
                f"{account} may not read this: share it with this account, or grant the scope "
                "drive.readonly to it."
            )
        case 403 | 429, why if response.status_code == 429 or why in LIMITS:
            return SourceError("Google takes no more requests for now. Index again in a while.")
        case 404, _:
            return SourceError(
                f"Google has no such file or folder, or it is not shared with {account}: share it "
                "with this account (Viewer is enough to read it)."
            )
        case status, why:
            return SourceError(
                f"Google answers {status} {why}: {_message(response)} Index again; nothing was "
                "removed."
            )


def _googles(url: str, base_url: str) -> bool:
    parts, base = urlsplit(url), urlsplit(base_url)
    if (parts.scheme, parts.netloc) == (base.scheme, base.netloc):
        return True
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == "google.com" or host.endswith(".google.com"))


def _message(response: httpx.Response) -> str:
    try:
        return " ".join(str(response.json()["error"]["message"]).split())[:200]
    except (KeyError, TypeError, ValueError):
        return ""


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
