"""Microsoft Graph: signing in as an application, listings by links, many requests in one."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from knowledge.errors import SourceError
from knowledge.sources.patience import Vendor
from knowledge.sources.vendor_api import VendorApi

Json = Mapping[str, Any]

BATCH = 20  # Graph's limit
_EARLY_SECONDS = 300.0  # a token is renewed so long before it ends
_BUSY = {429, 500, 502, 503, 504}


@dataclass(slots=True)
class Login:
    """Signs in with a client secret, and again before the token ends."""

    vendor: Vendor
    url: str
    """Of the tenant's token endpoint."""
    client_id: str
    secret: str = field(repr=False)
    scope: str = ""
    _token: str = field(default="", repr=False)
    _ends: float = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def authorize(self) -> Mapping[str, str]:
        """The header of a request. Raises SourceError when Microsoft refuses the secret."""
        async with self._turn:
            if not self._token or time.monotonic() > self._ends - _EARLY_SECONDS:
                await self._sign_in()
            return {"Authorization": f"Bearer {self._token}"}

    async def _sign_in(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.secret,
            "scope": self.scope,
        }
        async with self.vendor.client() as client:
            answer = await client.post(self.url, data=form)
        try:
            data = answer.json()
        except ValueError:
            data = {}
        if answer.status_code != httpx.codes.OK or not data.get("access_token"):
            said = " ".join(str(data.get("error_description") or "").split())[:200]
            raise SourceError(
                f"Microsoft refuses the application ({answer.status_code}: {said}). Check tenant "
                "and client_id, and put a new client secret into the variable that client_secret "
                "names if the old one has ended."
            )
        self._token = str(data["access_token"])
        self._ends = time.monotonic() + float(data.get("expires_in") or 0)


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer out of a batch."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Graph:
    """Asks Graph below its versioned root."""

    api: VendorApi

    async def values(self, path: str, params: Mapping[str, str | int]) -> AsyncIterator[Json]:
        """The values of a listing, over all its pages."""
        answer = await self.api.get(path, params)
        while True:
            for value in answer.get("value") or ():
                yield value
            link = answer.get("@odata.nextLink")
            if not link:
                return
            answer = await self.api.get(str(link))

    async def site(self, location: str) -> Json:
        """The site at a URL: its id and address."""
        parts = urlsplit(location)
        path = parts.path.rstrip("/")
        where = f"{parts.hostname}:{quote(path)}" if path else str(parts.hostname)
        found: Json = await self.api.get(f"sites/{where}", {"$select": "id,webUrl,displayName"})
        return found

    async def several(self, paths: Sequence[str]) -> list[Answered]:
        """What GET gives for each of these paths, in their order, twenty in one request."""
        found: list[Answered] = []
        for start in range(0, len(paths), BATCH):
            found += await self._batch(paths[start : start + BATCH])
        return found

    async def _batch(self, paths: Sequence[str]) -> list[Answered]:
        answers: dict[int, Answered] = {}
        tries = self.api.vendor.patience.tries
        for attempt in range(tries):
            missing = [n for n in range(len(paths)) if n not in answers]
            body = {
                "requests": [
                    {"id": str(n), "method": "GET", "url": f"/{paths[n].lstrip('/')}"}
                    for n in missing
                ]
            }
            reply = await self.api.ask("POST", "$batch", body=body)
            wait = 0.0
            for one in reply.data.get("responses") or ():
                if one.get("status") in _BUSY and attempt + 1 < tries:
                    wait = max(wait, _asked_seconds(one.get("headers") or {}))
                else:
                    answers[int(one["id"])] = Answered(int(one["status"]), one.get("body"))
            if len(answers) == len(paths):
                break
            await self.api.vendor.pause(attempt, wait)
        return [answers.get(n, Answered(503, None)) for n in range(len(paths))]


def _asked_seconds(headers: Json) -> float:
    value = next((v for key, v in headers.items() if str(key).lower() == "retry-after"), 0)
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return 0.0


def open_graph(
    *, tenant: str, client_id: str, secret: str, graph_url: str, login_url: str
) -> Graph:
    """Graph as an application of a tenant sees it."""
    vendor = Vendor("Microsoft Graph")
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(graph_url))
    login = Login(
        vendor=vendor,
        url=f"{login_url.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token",
        client_id=client_id,
        secret=secret,
        scope=f"{origin}/.default",
    )
    refused = (
        "Give the application Sites.Read.All, GroupMember.Read.All and User.ReadBasic.All with an "
        "administrator's consent."
    )
    return Graph(VendorApi(vendor, graph_url, login.authorize, refused))
