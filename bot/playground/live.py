"""The page's own API: what a browser reads, what is pushed to it, and what people do in it."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.playground.errors import SlackError, invalid
from bot.playground.people import People
from bot.playground.workspace import Workspace

Json = dict[str, Any]
PAGE = Path(__file__).parent / "page"


class Live:
    """Everything under `/playground/`, and the page itself."""

    def __init__(self, workspace: Workspace, people: People) -> None:
        self._workspace = workspace
        self._people = people
        self._actions: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "post": self._post,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "command": self._command,
            "action": self._action,
            "view_submit": self._view_submit,
            "view_close": self._view_close,
            "shortcut": self._shortcut,
            "home": self._home,
            "dm": self._dm,
            "context": self._context,
            "stop": self._stop,
        }

    # reading

    async def bootstrap(self, request: Request) -> Response:
        """Who and what there is."""
        del request
        workspace = self._workspace
        users = [
            {
                "id": user.id,
                "name": user.name,
                "real_name": user.real_name,
                "initials": user.initials,
                "color": user.color,
                "is_admin": user.is_admin,
                "is_bot": user.is_bot,
                "locale": user.locale,
            }
            for user in workspace.users.values()
        ]
        commands = [
            {
                "command": known.command,
                "description": known.description,
                "usage_hint": known.usage_hint,
            }
            for known in workspace.commands
        ]
        shortcuts = [{"callback_id": s.callback_id, "name": s.name} for s in workspace.shortcuts]
        return JSONResponse(
            {
                "team": {"id": workspace.team_id, "name": workspace.team_name},
                "users": users,
                "commands": commands,
                "shortcuts": shortcuts,
                "bot_user_id": workspace.bot.id,
            }
        )

    async def state(self, request: Request) -> Response:
        """The conversations of a person, their Home tab, modals, prompts and sessions."""
        workspace = self._workspace
        user = request.query_params.get("user", "")
        if user not in workspace.users:
            return _refuse(SlackError("user_not_found"))
        channels = workspace.channels_of(user)
        home, modal = workspace.views.homes.get(user), workspace.views.top(user)
        ids = {channel.id for channel in channels}
        agents = workspace.agents
        return JSONResponse(
            {
                "channels": [workspace.page_channel(channel, user) for channel in channels],
                "home": workspace.views.shape(home) if home else None,
                "view": workspace.views.shape(modal) if modal else None,
                "suggested_prompts": {c: p for c, p in agents.prompts.items() if c in ids},
                "sessions": [
                    {"channel": channel, "thread_ts": ts, "status": session["status"]}
                    for (channel, ts), session in agents.sessions.items()
                    if channel in ids
                ],
                "statuses": [
                    {"channel": channel, "thread_ts": ts, "status": status}
                    for (channel, ts), status in agents.statuses.items()
                    if channel in ids
                ],
            }
        )

    async def messages(self, request: Request) -> Response:
        """All that a person sees in a conversation, oldest first."""
        workspace = self._workspace
        user = request.query_params.get("user", "")
        channel = workspace.channels.get(request.query_params.get("channel", ""))
        if channel is None or user not in channel.members:
            return _refuse(SlackError("channel_not_found"))
        seen = workspace.seen_by(user, channel.id)
        return JSONResponse({"messages": [workspace.page_message(m) for m in seen]})

    async def file(self, request: Request) -> Response:
        """The bytes of an uploaded file."""
        stored = self._workspace.files.get(request.path_params["file_id"])
        if stored is None:
            return PlainTextResponse("No such file.", status_code=404)
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return Response(stored.content, media_type=stored.mimetype, headers=headers)

    async def page(self, request: Request) -> Response:
        """The page and its files."""
        name = request.path_params.get("name") or "index.html"
        path = (PAGE / name).resolve()
        if not path.is_relative_to(PAGE.resolve()) or not path.is_file():
            return PlainTextResponse("This part of the page isn't here.", status_code=404)
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    # pushing

    async def stream(self, websocket: WebSocket) -> None:
        """Push updates to one page until it closes."""
        user = websocket.query_params.get("user", "")
        if user not in self._workspace.users or not _same_origin(websocket):
            await websocket.close(code=4403)
            return
        await websocket.accept()
        updates = self._workspace.pages.connect(user)
        listener = asyncio.create_task(_until_closed(websocket, updates))
        try:
            while (update := await updates.get()) is not None:
                await websocket.send_text(json.dumps(update))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            listener.cancel()
            self._workspace.pages.disconnect(user, updates)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close()

    # acting

    async def act(self, request: Request) -> Response:
        """Carry out one action of a person."""
        action = self._actions.get(request.path_params["action"])
        if action is None:
            return JSONResponse({"ok": False, "error": "unknown_action"}, status_code=404)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _refuse(SlackError("invalid_post_type"))
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise invalid("the body must be an object")
            return JSONResponse({"ok": True, **await action(body)})
        except ValueError:
            return _refuse(SlackError("invalid_json"))
        except KeyError as missing:
            return _refuse(invalid(f"missing required field: {missing.args[0]}"))
        except SlackError as refusal:
            return _refuse(refusal)

    async def _post(self, body: Json) -> Json:
        message = self._people.post(
            body["user"], body["channel"], str(body["text"]), body.get("thread_ts")
        )
        return {"ts": message.ts, "message": self._workspace.page_message(message)}

    async def _edit(self, body: Json) -> Json:
        self._people.edit(body["user"], body["channel"], body["ts"], str(body["text"]))
        return {}

    async def _delete(self, body: Json) -> Json:
        self._people.delete(body["user"], body["channel"], body["ts"])
        return {}

    async def _react(self, body: Json) -> Json:
        self._people.react(
            body["user"], body["channel"], body["ts"], str(body["name"]), add=bool(body["add"])
        )
        return {}

    async def _command(self, body: Json) -> Json:
        outcome = await self._people.command(
            body["user"], body["channel"], body["command"], str(body.get("text") or "")
        )
        return {"acknowledged": outcome.acknowledged}

    async def _action(self, body: Json) -> Json:
        user, action = body["user"], body["action"]
        if body.get("view_id"):
            outcome = await self._people.click_in_view(
                user, body["view_id"], action, body.get("values")
            )
        else:
            outcome = await self._people.click(user, body["channel"], body["ts"], action)
        return {"acknowledged": outcome.acknowledged}

    async def _view_submit(self, body: Json) -> Json:
        values = body.get("values") or {}
        errors = await self._people.submit_view(body["user"], body["view_id"], values)
        return {"errors": errors}

    async def _view_close(self, body: Json) -> Json:
        await self._people.close_view(body["user"], body["view_id"])
        return {}

    async def _shortcut(self, body: Json) -> Json:
        outcome = await self._people.shortcut(
            body["user"], body["channel"], body["ts"], body["callback_id"]
        )
        return {"acknowledged": outcome.acknowledged}

    async def _home(self, body: Json) -> Json:
        self._people.open_home(body["user"])
        return {}

    async def _dm(self, body: Json) -> Json:
        channel = self._people.open_dm(body["user"], body["with_user"])
        return {"channel": self._workspace.page_channel(channel, body["user"])}

    async def _context(self, body: Json) -> Json:
        self._people.look_at(body["user"], body["channel"])
        return {}

    async def _stop(self, body: Json) -> Json:
        stopped = self._people.stop(body["user"], body["channel"], body["thread_ts"])
        return {"streaming_message_ts": stopped}


def _refuse(refusal: SlackError) -> Response:
    return JSONResponse(refusal.body())


def _same_origin(websocket: WebSocket) -> bool:
    """True unless another site's page is asking: the playground has no login to protect it."""
    origin = websocket.headers.get("origin")
    return origin is None or origin.partition("://")[2] == websocket.headers.get("host")


async def _until_closed(websocket: WebSocket, updates: asyncio.Queue[Json | None]) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.receive_text()
    if not updates.full():
        updates.put_nowait(None)
