"""Deliveries to the app: events with retries, and interactions that wait for their answer.

A delivery goes over one transport: Socket Mode (`socket_mode.py`) or signed HTTP
(`signed_http.py`). Both answer the same question: acknowledged, and with what?
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bot.playground.workspace import Workspace

Json = dict[str, Any]
Kind = Literal["events_api", "interactive", "slash_commands"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at handing a payload over; `retry_attempt` is 0 the first time."""

    kind: Kind
    payload: Json
    retry_attempt: int = 0
    retry_reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt; `reason` is Slack's word for a failure."""

    acknowledged: bool
    payload: Any = None
    reason: str = ""
    retry: bool = True


@dataclass(slots=True)
class Delivered:
    """One payload and its attempts so far, for tests and for the curious."""

    kind: Kind
    payload: Json
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        """True once an attempt was acknowledged."""
        return any(outcome.acknowledged for outcome in self.outcomes)


class Transport(Protocol):
    """A way to the app."""

    async def send(self, attempt: Attempt, timeout_seconds: float) -> Outcome:
        """Hand a payload over and wait for the acknowledgement."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Delivery:
    """Hands payloads to the app and keeps a record of the latest ones in `record`."""

    def __init__(self, workspace: Workspace, transport: Transport) -> None:
        self._workspace = workspace
        self.transport = transport
        self.record: deque[Delivered] = deque(maxlen=5_000)
        self._tasks: set[asyncio.Task[Any]] = set()
        workspace.emit = self.emit

    def emit(self, event: Json) -> None:
        """Deliver an event in the background, again when it isn't acknowledged."""
        payload = self.envelope(event)
        copies = 2 if self._workspace.faults.take_duplicate() else 1
        for _ in range(copies):
            delivered = Delivered("events_api", payload)
            self.record.append(delivered)
            self.spawn(self._deliver_event(delivered))

    async def interact(self, kind: Kind, payload: Json) -> Outcome:
        """Deliver an interaction or a command once and wait for its answer."""
        delivered = Delivered(kind, payload)
        self.record.append(delivered)
        outcome = await self._attempt(delivered, Attempt(kind, payload))
        if not outcome.acknowledged:
            log.info(
                "an interaction was not acknowledged",
                extra={"action": "interaction_unacknowledged", "reason": outcome.reason},
            )
        return outcome

    def envelope(self, event: Json) -> Json:
        """The event_callback around an event, with an event_id of its own."""
        workspace = self._workspace
        return {
            "token": "unused-verification-token",
            "team_id": workspace.team_id,
            "context_team_id": workspace.team_id,
            "context_enterprise_id": None,
            "api_app_id": workspace.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev0{secrets.token_hex(5).upper()}",
            "event_time": int(workspace.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": workspace.team_id,
                    "user_id": workspace.bot.id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
            "event_context": secrets.token_urlsafe(24),
        }

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in the background until it's done or the delivery closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is still to be delivered."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.transport.close()

    async def _deliver_event(self, delivered: Delivered) -> None:
        payload = delivered.payload
        outcome = await self._attempt(delivered, Attempt("events_api", payload))
        for number, delay in enumerate(self._workspace.limits.retry_delays_seconds, start=1):
            if outcome.acknowledged or not outcome.retry:
                return
            await asyncio.sleep(delay)
            attempt = Attempt("events_api", payload, number, outcome.reason)
            outcome = await self._attempt(delivered, attempt)
        if not outcome.acknowledged:
            log.warning("an event was given up", extra={"action": "event_given_up"})

    async def _attempt(self, delivered: Delivered, attempt: Attempt) -> Outcome:
        timeout = self._workspace.limits.acknowledgement_seconds
        outcome = await self.transport.send(attempt, timeout)
        delivered.outcomes.append(outcome)
        return outcome
