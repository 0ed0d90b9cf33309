"""A service account: what proves to Google who asks."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import google.auth.transport
import httpx
from google.auth.exceptions import GoogleAuthError, TransportError
from google.oauth2.service_account import Credentials

from knowledge.errors import SourceError

TIMEOUT_SECONDS = 60.0


class Account:
    """A service account, as itself or as the user for whom it may act, within one scope."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Account({self.email})"

    @property
    def email(self) -> str:
        """The address that things are shared with."""
        return str(self._credentials.service_account_email)

    async def headers(self) -> dict[str, str]:
        """What a request carries. Raises SourceError: Google does not know the account."""
        async with self._turn:
            if not self._credentials.valid:
                try:
                    # Google's library signs and asks in its own time: not in the event loop's.
                    await asyncio.to_thread(self._credentials.refresh, _request)
                except GoogleAuthError as error:
                    raise SourceError(
                        f"Google refuses the service account {self.email} ({_said(error)}). Check "
                        "that its key is not revoked, that the Drive API is enabled in its "
                        "project, and that an administrator has granted it the scopes if it acts "
                        "for a user."
                    ) from error
        return {"Authorization": f"Bearer {self._credentials.token}"}


def account(key: str, scopes: Sequence[str], subject: str | None = None) -> Account:
    """The account of a JSON key. Raises SourceError: it is none."""
    try:
        info = json.loads(key)
        if not isinstance(info, dict):
            raise ValueError("not an object")
        make: Callable[..., Credentials] = Credentials.from_service_account_info
        made = make(info, scopes=list(scopes), subject=subject)
    except (ValueError, GoogleAuthError):
        # The cause may quote the key.
        raise SourceError(
            "credentials does not hold the JSON key of a service account. Download one (Google "
            "Cloud console, Service accounts, Keys) and put its whole text into the variable."
        ) from None
    return Account(made)


def _said(error: GoogleAuthError) -> str:
    first = str(error.args[0]) if error.args else type(error).__name__
    return " ".join(first.split())[:200]


class _Response(google.auth.transport.Response):
    """An answer in the form that Google's library wants."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def data(self) -> bytes:
        return self._response.content


def _request(
    url: str,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: Any,
) -> _Response:
    try:
        return _Response(
            httpx.request(
                method, url, content=body, headers=headers, timeout=timeout or TIMEOUT_SECONDS
            )
        )
    except httpx.TransportError as error:
        unreachable: Callable[[str], TransportError] = TransportError
        raise unreachable(type(error).__name__) from error
