"""A vendor's REST API where no library of the vendor's fits: JSON over the patient client.

The token goes to the configured host only: addresses in answers (the next page, a change token's)
are followed where they lead to the same host, and httpx takes the token off when a download is
redirected to another one.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from knowledge.errors import SourceError
from knowledge.sources.patience import Vendor

Headers = Mapping[str, str]
Authorize = Callable[[], Awaitable[Headers]]
Params = Mapping[str, str | int | Sequence[str]]

LARGEST_ANSWER_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the vendor's: parsed JSON, or None where it is not JSON."""

    status: int
    data: Any
    headers: Headers


@dataclass(frozen=True, slots=True)
class VendorApi:
    """Asks a vendor's API below `base_url`."""

    vendor: Vendor
    base_url: str
    authorize: Authorize
    """The headers that prove who asks; awaited before each request."""
    secret: str
    """What to do when the vendor refuses the token."""

    @property
    def name(self) -> str:
        """The vendor, for messages: "Confluence"."""
        return self.vendor.name

    def open(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """Keeps the connections open in between requests."""
        return self.vendor.client()

    async def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON object at a path below the base, or at a whole URL. Raises SourceError."""
        return (await self.ask("GET", path, params)).data

    async def ask(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        body: Any = None,
        headers: Headers | None = None,
        allow: Collection[int] = (),
    ) -> Reply:
        """One request. A status of 400 and above raises SourceError, unless `allow` names it."""
        sent = {"Accept": "application/json", **(headers or {})}
        url = self.url(path, params)
        async with self._answer(method, url, body=body, headers=sent, allow=allow) as answer:
            raw = await _read(answer, LARGEST_ANSWER_BYTES)
            return Reply(answer.status_code, self._parsed(raw, answer), answer.headers)

    async def download(self, path: str, *, largest_bytes: int) -> bytes:
        """The bytes of a file. Raises SourceError, also where it is larger than said."""
        url = self.url(path)
        async with self._answer("GET", url, body=None, headers={}, allow=()) as answer:
            return await _read(answer, largest_bytes)

    def url(self, path: str, params: Params | None = None) -> str:
        """The whole URL of a path. Raises SourceError where it would leave the vendor's host."""
        whole = path if "://" in path else f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"
        if _origin(whole) != _origin(self.base_url):
            raise SourceError(
                f"{self.name} named an address on another host ({urlsplit(whole).netloc}); it was "
                f"not followed, because the token belongs to {self.base_url} only."
            )
        if not params:
            return whole
        return f"{whole}{'&' if '?' in whole else '?'}{urlencode(params, doseq=True)}"

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, *, body: Any, headers: Headers, allow: Collection[int]
    ) -> AsyncIterator[httpx.Response]:
        sent = {**headers, **await self.authorize()}
        async with self.vendor.client() as client:
            try:
                async with client.stream(method, url, json=body, headers=sent) as answer:
                    if answer.status_code >= 400 and answer.status_code not in allow:
                        raise self._refused(answer.status_code, url, await _said(answer))
                    yield answer
            except httpx.HTTPError as error:
                raise SourceError(
                    f"{self.name} at {self.base_url} broke off in the middle of an answer "
                    f"({type(error).__name__}). Index this source again."
                ) from error

    def _parsed(self, raw: bytes, answer: httpx.Response) -> Any:
        try:
            return json.loads(raw)
        except ValueError as error:
            if answer.status_code >= 400:
                return None
            raise SourceError(
                f"{self.name} at {self.base_url} answers with something that is not JSON (a log-in "
                "page?). Check the URL, and that no proxy or single sign-on stands in front of it."
            ) from error

    def _refused(self, status: int, url: str, said: str) -> SourceError:
        place = f"{self.name} ({status} for {urlsplit(url).path}{f': {said}' if said else ''})"
        if status == 401:
            return SourceError(f"{place} refuses the credentials. {self.secret}")
        if status == 403:
            return SourceError(
                f"{place} forbids it: give the account of the token the right to read this, or "
                "leave it out with the source's options."
            )
        if status == 404:
            return SourceError(f"{place} does not have this: check the URL and the names.")
        if status == 429 or status >= 500:
            return SourceError(
                f"{place} is busy or broken and stayed so. Index this source again later; nothing "
                "was removed from the index."
            )
        return SourceError(f"{place} refuses the request. Check the source's options.")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


async def _read(answer: httpx.Response, largest_bytes: int) -> bytes:
    raw = bytearray()
    async for piece in answer.aiter_bytes():
        raw += piece
        if len(raw) > largest_bytes:
            raise SourceError(f"is larger than {largest_bytes // 2**20} MB: split it.")
    return bytes(raw)


async def _said(answer: httpx.Response) -> str:
    """What the vendor says of a refusal, in the places where vendors put it, cut short."""
    try:
        data = json.loads(await _read(answer, 2**16))
    except (ValueError, SourceError):
        return ""
    if not isinstance(data, dict):
        return ""
    error = data.get("error")
    inner = error.get("message") if isinstance(error, dict) else data.get("error_description")
    messages = data.get("errorMessages")
    first = messages[0] if isinstance(messages, list) and messages else None
    return " ".join(str(inner or data.get("message") or first or "").split())[:200]
