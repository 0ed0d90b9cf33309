"""What the servers of all vendors have in common: a socket, a log of requests, faults to order."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that comes instead of the right one, once."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    """Only for paths that contain this."""
    text: str | None = None
    """A body that is not JSON."""

    def answer(self) -> web.Response:
        """The fault as a response."""
        if self.text is not None:
            return web.Response(text=self.text, status=self.status, content_type="text/html")
        return answer(self.body, self.status, self.headers)


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response."""
    text = json.dumps(body if body is not None else {})
    return web.Response(
        text=text, status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


class VendorServer:
    """A server in this event loop. Subclasses add routes."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """Method and path with query, of every request."""
        self.faults: deque[Fault] = deque()
        self.url = ""
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        raise NotImplementedError

    def refusal(self, request: web.Request) -> web.Response | None:
        """What is wrong with any request: no token, too many."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen on a port of its own."""
        application = web.Application(middlewares=[self._middleware])
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Listen no more."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    def asked(self, path: str) -> int:
        """How many requests had this in their path."""
        return sum(path in request for request in self.requests)

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        fault = next((fault for fault in self.faults if fault.path in request.path_qs), None)
        if fault:
            self.faults.remove(fault)
            return fault.answer()
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        response: web.StreamResponse = await handler(request)
        return response


class FileHost(VendorServer):
    """Another host, with files at signed addresses; a token that comes along has leaked."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.leaked: list[str] = []

    def routes(self) -> list[web.RouteDef]:
        """The files."""
        return [web.get("/{name:.+}", self._file)]

    def refusal(self, request: web.Request) -> web.Response | None:
        """A token is not for this host."""
        if "Authorization" not in request.headers:
            return None
        self.leaked.append(request.path)
        return answer({"error": "no tokens here"}, 400)

    async def _file(self, request: web.Request) -> web.Response:
        raw = self.files.get(request.match_info["name"])
        return web.Response(body=raw) if raw is not None else web.Response(status=404)
