"""Socket Mode, Slack's side: up to ten sockets, each payload to one of them."""

import asyncio
import json
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from bot.playground.delivery import Attempt, Outcome
from bot.playground.workspace import Workspace

Json = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Socket:
    """One connection of the app and the envelopes that it has yet to acknowledge."""

    websocket: WebSocket
    pending: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    envelopes: int = 0

    async def send(self, message: Json) -> bool:
        """Send a message; False when the connection is gone."""
        try:
            await self.websocket.send_text(json.dumps(message))
        except (WebSocketDisconnect, RuntimeError, OSError):
            return False
        return True


class SocketMode:
    """The open sockets of the app, used in turn."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.sockets: list[Socket] = []
        self._next = 0

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection until it ends."""
        if not self._admit(websocket.query_params.get("ticket", "")):
            await websocket.close(code=4401)
            return
        await websocket.accept()
        if len(self.sockets) >= self._workspace.limits.sockets:
            await Socket(websocket).send(self._disconnect("too_many_websockets"))
            await websocket.close()
            return
        socket = Socket(websocket)
        self.sockets.append(socket)
        try:
            await socket.send(self._hello())
            while True:
                self._receive(socket, await websocket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            log.debug("a socket closed", extra={"action": "socket_closed"})
        finally:
            self._forget(socket)

    async def send(self, attempt: Attempt, timeout_seconds: float) -> Outcome:
        """Hand a payload to one socket and wait for its acknowledgement."""
        if not self.sockets:
            return Outcome(acknowledged=False, reason="connection_failed")
        self._next = (self._next + 1) % len(self.sockets)
        socket = self.sockets[self._next]
        envelope_id = str(uuid.uuid4())
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        socket.pending[envelope_id] = answer
        try:
            if not await socket.send(_envelope(attempt, envelope_id)):
                return Outcome(acknowledged=False, reason="connection_failed")
            socket.envelopes += 1
            payload = await asyncio.wait_for(answer, timeout_seconds)
            return Outcome(acknowledged=True, payload=payload)
        except TimeoutError:
            return Outcome(acknowledged=False, reason="timeout")
        except ConnectionError:
            return Outcome(acknowledged=False, reason="connection_failed")
        finally:
            socket.pending.pop(envelope_id, None)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Recycle every socket as Slack does now and then; `warning` only announces it."""
        for socket in list(self.sockets):
            await socket.send(self._disconnect(reason))
            if reason != "warning":
                self._forget(socket)
                await _close(socket.websocket)

    async def drop(self) -> None:
        """Break every socket off without a word."""
        for socket in list(self.sockets):
            self._forget(socket)
            await _close(socket.websocket)

    async def close(self) -> None:
        """End every socket."""
        await self.drop()

    def _admit(self, ticket: str) -> bool:
        issued_at = self._workspace.tickets.pop(ticket, None)
        if issued_at is None:
            return False
        age_seconds = self._workspace.now() - issued_at
        return age_seconds <= self._workspace.limits.ticket_lifetime_seconds

    def _receive(self, socket: Socket, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        answer = socket.pending.get(str(message.get("envelope_id")))
        if answer is not None and not answer.done():
            answer.set_result(message.get("payload"))

    def _forget(self, socket: Socket) -> None:
        if socket in self.sockets:
            self.sockets.remove(socket)
        for answer in socket.pending.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the socket closed"))

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.sockets),
            "debug_info": {
                "host": "playground",
                "build_number": 1,
                "approximate_connection_time": 18_060,
            },
            "connection_info": {"app_id": self._workspace.app_id},
        }

    def _disconnect(self, reason: str) -> Json:
        return {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}}


def _envelope(attempt: Attempt, envelope_id: str) -> Json:
    envelope: Json = {
        "envelope_id": envelope_id,
        "type": attempt.kind,
        "payload": attempt.payload,
        "accepts_response_payload": attempt.kind != "events_api",
    }
    if attempt.kind == "events_api":
        envelope |= {"retry_attempt": attempt.retry_attempt, "retry_reason": attempt.retry_reason}
    return envelope


async def _close(websocket: WebSocket) -> None:
    if websocket.application_state is WebSocketState.CONNECTED:
        try:
            await websocket.close()
        except (WebSocketDisconnect, RuntimeError, OSError):
            log.debug("a socket was already gone", extra={"action": "socket_gone"})
