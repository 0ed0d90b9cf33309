"""The playground as a server: the routes of a workspace, and a driver for tests and the demo."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bot.playground.delivery import Delivered, Delivery, Outcome
from bot.playground.errors import PlaygroundError, SlackError
from bot.playground.live import Live
from bot.playground.message import Message
from bot.playground.multipart import parse_multipart
from bot.playground.people import People
from bot.playground.seed import default_workspace
from bot.playground.signed_http import SignedHttp
from bot.playground.socket_mode import SocketMode
from bot.playground.team import Channel
from bot.playground.web_api import WebApi
from bot.playground.workspace import Workspace

Json = dict[str, Any]


class Parts:
    """One workspace with everything that serves it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.sockets = SocketMode(workspace)
        self.delivery = Delivery(workspace, self.sockets)
        self.people = People(workspace, self.delivery)
        self.web_api = WebApi(workspace)
        self.live = Live(workspace, self.people)

    async def close(self) -> None:
        """End every delivery, socket, page and timer."""
        await self.delivery.close()
        await self.sockets.close()
        self.workspace.pages.close()
        self.workspace.agents.close()
        self.workspace.streams.close()

    async def respond(self, request: Request) -> Response:
        """A POST to a response URL."""
        try:
            self.workspace.hooks.use(request.path_params["token"], await _read_hook(request))
        except SlackError as refusal:
            return JSONResponse(refusal.body(), status_code=404)
        return PlainTextResponse("ok")

    async def upload(self, request: Request) -> Response:
        """The bytes of a file, to the URL of files.getUploadURLExternal."""
        stored = self.workspace.files.get(request.path_params["file_id"])
        if stored is None:
            return PlainTextResponse("No such upload.", status_code=404)
        body = await request.body()
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            body = next(iter(parse_multipart(body, content_type).values())).content
        if len(body) != stored.size:
            return PlainTextResponse("The length isn't the announced one.", status_code=400)
        stored.content = body
        return PlainTextResponse(f"OK - {len(body)}")

    async def private_file(self, request: Request) -> Response:
        """A file for the app; needs its token and files:read."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        allowed = token == self.workspace.bot_token and "files:read" in self.workspace.scopes
        if not allowed:
            return PlainTextResponse("Sign in to read this file.", status_code=403)
        return await self.live.file(request)


async def _read_hook(request: Request) -> Json:
    body = (await request.body()).decode("utf-8", "replace")
    if not body.startswith("{"):
        body = dict(parse_qsl(body)).get("payload", "{}")
    try:
        value = json.loads(body)
    except ValueError:
        raise SlackError("invalid_payload") from None
    return value if isinstance(value, dict) else {}


def create_app(
    workspace: Workspace,
    parts: Parts | None = None,
    allowed_hosts: Sequence[str] = ("127.0.0.1", "localhost"),
    documents: Path | None = None,
) -> Starlette:
    """The ASGI app of a workspace: Slack's endpoints, the page, and the page's API.

    Files under `documents` can be opened at /documents/, so that links to sources lead somewhere.

    It answers only under `allowed_hosts`: there is no login, so another site must not reach it
    by pointing a name of its own at this machine.
    """
    parts = parts or Parts(workspace)
    web_api, live = parts.web_api, parts.live
    routes: list[BaseRoute] = [
        Route("/api/{method}", web_api.answer, methods=["GET", "POST"]),
        WebSocketRoute("/link/", parts.sockets.serve),
        Route("/commands/{team}/{token}", parts.respond, methods=["POST"]),
        Route("/actions/{team}/{token}", parts.respond, methods=["POST"]),
        Route("/upload/v1/{file_id}", parts.upload, methods=["POST", "PUT"]),
        Route("/files-pri/{file_id}/{name}", parts.private_file),
        Route("/playground/bootstrap", live.bootstrap),
        Route("/playground/state", live.state),
        Route("/playground/messages", live.messages),
        Route("/playground/files/{file_id}", live.file),
        WebSocketRoute("/playground/live", live.stream),
        Route("/playground/{action}", live.act, methods=["POST"]),
        Route("/page/{name:path}", live.page),
        Route("/archives/{channel}/{message}", live.page),
        Route("/", live.page),
    ]
    if documents is not None:
        routes.append(Mount("/documents", _Readable(directory=documents)))
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))
    return Starlette(routes=routes, middleware=[guard])


class _Readable(StaticFiles):
    """Static files; what is text is shown by the browser and not downloaded."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, Markdown and CSV as plain text, nothing as a page with scripts."""
        response = await super().get_response(path, scope)
        if path.endswith((".md", ".txt", ".csv")):
            response.headers["content-type"] = "text/plain; charset=utf-8"
        if path.endswith((".html", ".htm")):
            response.headers["content-security-policy"] = "sandbox"
        return response


class _Server(uvicorn.Server):
    """Uvicorn inside a running loop; signals stay with whoever owns the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers alone."""
        yield


class Playground:
    """A running playground: `async with Playground() as playground`.

    `port=0` takes a free port. With a `request_url` the app is reached by signed HTTP, else by
    Socket Mode. It listens on this machine only, unless `host` says otherwise.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        request_url: str | None = None,
        documents: Path | None = None,
    ) -> None:
        self.workspace = workspace or default_workspace()
        self._documents = documents
        self.parts = Parts(self.workspace)
        self._host, self._port = host, port
        self._request_url = request_url
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    # life

    async def __aenter__(self) -> Self:
        """Start; the address is known afterwards."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop_serving()

    async def start(self) -> None:
        """Bind the address and serve in the background of the current loop."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise PlaygroundError(
                f"Port {self._port} on {self._host} is taken; choose another one."
            ) from error
        self._port = listener.getsockname()[1]
        self.workspace.hooks.base_url = self.url
        config = uvicorn.Config(
            create_app(
                self.workspace, self.parts, ("127.0.0.1", "localhost", self._host), self._documents
            ),
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.005)
        if self._request_url:
            self.use_http(self._request_url)

    async def stop_serving(self) -> None:
        """End every connection and the server."""
        await self.parts.close()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving

    def use_http(self, request_url: str) -> SignedHttp:
        """Deliver by signed HTTP to `request_url` from now on."""
        transport = SignedHttp(self.workspace, request_url)
        self.parts.delivery.transport = transport
        return transport

    # addresses and secrets

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """The base URL for Slack clients; ends with `/api/`."""
        return f"{self.url}/api/"

    @property
    def bot_token(self) -> str:
        """The app's bot token."""
        return self.workspace.bot_token

    @property
    def app_token(self) -> str:
        """The app-level token for Socket Mode."""
        return self.workspace.app_token

    @property
    def signing_secret(self) -> str:
        """The secret that signed requests are checked with."""
        return self.workspace.signing_secret

    # what people do

    async def say(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Message:
        """Let `user` write a message; `@Name` and `<@U…>` mention, `files` are bytes by name."""
        return self.parts.people.post(user, channel, text, thread_ts, files)

    async def edit(self, user: str, channel: str, ts: str, text: str) -> Message:
        """Let `user` change their message."""
        return self.parts.people.edit(user, channel, ts, text)

    async def delete(self, user: str, channel: str, ts: str) -> None:
        """Let `user` delete their message."""
        self.parts.people.delete(user, channel, ts)

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        """Let `user` add a reaction."""
        self.parts.people.react(user, channel, ts, name, add=True)

    async def unreact(self, user: str, channel: str, ts: str, name: str) -> None:
        """Let `user` take a reaction back."""
        self.parts.people.react(user, channel, ts, name, add=False)

    async def command(self, user: str, channel: str, command: str, text: str = "") -> Outcome:
        """Let `user` run a slash command; gives what the app acknowledged with."""
        return await self.parts.people.command(user, channel, command, text)

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        value: str | None = None,
        **chosen: Any,
    ) -> Outcome:
        """Let `user` use an element of a message; `value` picks the thumb of feedback buttons."""
        action: Json = {"action_id": action_id, "value": value, **chosen}
        return await self.parts.people.click(user, channel, ts, action)

    async def click_in_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        value: str | None = None,
        values: Json | None = None,
        **chosen: Any,
    ) -> Outcome:
        """Let `user` use an element of a modal or of the Home tab."""
        action: Json = {"action_id": action_id, "value": value, **chosen}
        return await self.parts.people.click_in_view(user, view_id, action, values)

    async def submit_view(self, user: str, view_id: str, values: Json) -> dict[str, str]:
        """Let `user` submit a modal; gives the errors by block_id."""
        return await self.parts.people.submit_view(user, view_id, values)

    async def close_view(self, user: str, view_id: str) -> None:
        """Let `user` close a modal."""
        await self.parts.people.close_view(user, view_id)

    async def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> Outcome:
        """Let `user` use a message shortcut."""
        return await self.parts.people.shortcut(user, channel, ts, callback_id)

    async def open_dm(self, user: str, with_user: str | None = None) -> Channel:
        """Let `user` open a direct message, with the bot unless said otherwise."""
        return self.parts.people.open_dm(user, with_user or self.workspace.bot.id)

    async def open_home(self, user: str) -> None:
        """Let `user` open the app's Home tab."""
        self.parts.people.open_home(user)

    async def look_at(self, user: str, channel: str) -> None:
        """Let `user` look at a conversation while the app is open."""
        self.parts.people.look_at(user, channel)

    async def stop(self, user: str, channel: str, thread_ts: str) -> list[str]:
        """Let `user` press stop in a thread; gives the ts of the streams that ended."""
        return self.parts.people.stop(user, channel, thread_ts)

    # what there is to see

    def messages(
        self, channel: str, thread_ts: str | None = None, user: str | None = None
    ) -> list[Message]:
        """The messages of a conversation or of one thread, with the ephemerals of `user`."""
        place = self.workspace.channel(channel)
        if user is not None:
            seen = self.workspace.seen_by(user, place.id)
        else:
            seen = list(self.workspace.messages[place.id].values())
        return [m for m in seen if thread_ts is None or m.root == thread_ts]

    def delivered(self, event_type: str | None = None) -> list[Delivered]:
        """What was handed to the app so far; `event_type` is that of the event or payload."""
        return [
            item
            for item in self.parts.delivery.record
            if event_type is None
            or event_type
            in {
                item.payload.get("type"),
                item.payload.get("command"),
                item.payload.get("event", {}).get("type"),
            }
        ]

    @property
    def calls(self) -> list[tuple[str, Json]]:
        """Every Web API call that passed the token and the rate limit: (method, arguments)."""
        return self.parts.web_api.calls

    async def wait_for(self, predicate: Callable[[], Any], timeout_seconds: float = 5.0) -> Any:
        """Wait until `predicate()` is true and give its value; TimeoutError otherwise."""
        async with asyncio.timeout(timeout_seconds):
            while not (value := predicate()):  # noqa: ASYNC110 - any predicate, no event
                await asyncio.sleep(0.01)
            return value

    async def disconnect_sockets(self, reason: str = "refresh_requested") -> None:
        """Recycle the app's sockets as Slack does."""
        await self.parts.sockets.disconnect(reason)

    async def drop_sockets(self) -> None:
        """Break the app's sockets off."""
        await self.parts.sockets.drop()
