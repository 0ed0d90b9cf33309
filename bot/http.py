"""HTTP mode: Slack's requests behind the guard, and the two questions of an orchestrator."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator

import uvicorn
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import PortInUseError, RequestRefusedError
from bot.guard import BODY_BYTES, read_text, verify
from knowledge.database import Database

logger = logging.getLogger(__name__)

READY_SECONDS = 1.0


class Door:
    """The routes of HTTP mode."""

    def __init__(
        self,
        app: AsyncApp,
        database: Database,
        secret: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app, self._database, self._secret, self._now = app, database, secret, now

    def routes(self, path: str) -> list[Route]:
        """Slack's path, /healthz and /readyz."""
        return [
            Route(path, self.receive, methods=["POST"]),
            Route("/healthz", self.healthy),
            Route("/readyz", self.ready),
        ]

    async def receive(self, request: Request) -> Response:
        """Verify, then hand over to bolt. Nothing of a request is ever logged."""
        try:
            body = await _read(request)
            verify(request.headers, body, self._secret, self._now())
            bolt_request = _for_bolt(request, read_text(request.headers, body))
        except RequestRefusedError as refusal:
            logger.warning(
                "A request was refused: %s",
                refusal,
                extra={"action": "request_refused", "status": refusal.status},
            )
            return PlainTextResponse("refused", status_code=refusal.status)
        return _answer(await self._app.async_dispatch(bolt_request))

    async def healthy(self, _request: Request) -> Response:
        """The process is alive."""
        return PlainTextResponse("ok")

    async def ready(self, _request: Request) -> Response:
        """The process can take a question: the database answers."""
        try:
            async with asyncio.timeout(READY_SECONDS), self._database.app.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001 - the edge: any failure means not ready
            return PlainTextResponse("the database doesn't answer", status_code=503)
        return PlainTextResponse("ready")


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES:
                raise RequestRefusedError("the body is too large", status=413)
    except ClientDisconnect as error:
        raise RequestRefusedError("the sender left") from error
    return bytes(body)


def _for_bolt(request: Request, body: str) -> AsyncBoltRequest:
    try:
        return AsyncBoltRequest(
            body=body, query=request.url.query, headers=dict(request.headers), mode="http"
        )
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        # bolt looks into fields without looking at their types
        raise RequestRefusedError("the payload isn't Slack's", status=400) from error


def _answer(response: BoltResponse) -> Response:
    headers = response.first_headers_without_set_cookie()
    return Response(response.body, status_code=response.status, headers=headers)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The composition root handles signals; uvicorn must not."""
        yield


class Listener:
    """A server on one address, started and stopped by the composition root."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5
        )
        self._server = _Server(config)
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve until stopped."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # uvicorn sets a flag and no event

    async def stop(self) -> None:
        """Finish the requests that are here, take no more."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        PortInUseError: with the setting to change.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortInUseError(
            f"{host}:{port} can't be listened on ({error.strerror}): "
            "set LOREWISE_HTTP_PORT or LOREWISE_HTTP_HOST to a free address."
        ) from error
    return listening
