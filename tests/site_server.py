"""A web site on this machine, whose pages a test writes and whose requests it reads."""

import asyncio
import email.utils
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class SitePage:
    """What stands at a path."""

    body: bytes | str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "text/html; charset=utf-8"
    modified_at: datetime | None = None
    etag: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    path: str
    headers: Mapping[str, str]
    status: int
    seconds: float


class SiteServer:
    """Serves `pages`; answers conditional requests as RFC 9110 says."""

    def __init__(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, SitePage | Callable[[web.Request], Awaitable[SitePage]]] = {}
        self.asked: list[Asked] = []
        self.port = 0
        self._address = address
        self._tls = tls
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        """The site's address, without a slash at the end."""
        return f"http{'s' if self._tls else ''}://{self._address}:{self.port}"

    @property
    def place(self) -> str:
        """host:port."""
        return f"{self._address}:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in their order."""
        return [asked.path for asked in self.asked]

    async def start(self, port: int = 0) -> Self:
        """Listen."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return self if self.port else await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _serve(self, request: web.Request) -> web.Response:
        found = self.pages.get(request.path_qs, SitePage("Not found.", status=404))
        page = found if isinstance(found, SitePage) else await found(request)
        response = _response(request, page)
        now = asyncio.get_running_loop().time()
        self.asked.append(Asked(request.path_qs, dict(request.headers), response.status, now))
        return response


def _response(request: web.Request, page: SitePage) -> web.Response:
    body = page.body.encode() if isinstance(page.body, str) else page.body
    headers = {"Content-Type": page.media_type, **page.headers}
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    if page.etag:
        headers["ETag"] = tag
    if page.modified_at:
        headers["Last-Modified"] = email.utils.format_datetime(page.modified_at, usegmt=True)
    same = page.etag and request.headers.get("If-None-Match") == tag
    since = request.if_modified_since
    same |= bool(page.modified_at and since and page.modified_at.replace(microsecond=0) <= since)
    if page.status == 200 and same:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, status=page.status, headers=headers)
