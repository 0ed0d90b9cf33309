"""The durable door: what Slack delivers is committed, with its job, before Slack is told so.

Bolt acknowledges an event before its listener has done anything, and a process that dies then
loses the question. So this middleware stands in front of everything else of bolt: verify (the
transport does), read, INSERT under the payload's unique key together with the job that will work
on it, COMMIT, and only then acknowledge. Where Postgres is away there is no acknowledgement, and
Slack tries again.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

from procrastinate import App
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.arrival import Arrival, Identity, message_key, read
from bot.history.happened import read_happened
from bot.ledger import INBOX as SQL
from bot.ledger import borrowed
from bot.statements import statements
from knowledge.database import Database

logger = logging.getLogger(__name__)

HISTORY = statements("history.sql")
ACCEPT_SECONDS = 2.5  # Slack waits three
ANSWER_TASK, EVENT_TASK, HISTORY_TASK = "answer_question", "handle_event", "follow_history"
# A person waits for an answer; a vote or a tab may wait for the answers.
PRIORITY = {ANSWER_TASK: 10, EVENT_TASK: 5, HISTORY_TASK: 4}


class Inbox(AsyncMiddleware):
    """Bolt's first middleware. `door` is a pool of its own: an acknowledgement never waits for
    a connection that a search has."""

    def __init__(
        self,
        *,
        door: Database,
        queue: App,
        us: Identity,
        reactions: frozenset[str],
        follow_ups: Literal["asker", "everyone", "never"],
        receipt: Callable[[Arrival], dict[str, Any] | None] = lambda _arrival: None,
    ) -> None:
        self._door, self._queue, self._us = door, queue, us
        self._reactions, self._follow_ups = reactions, follow_ups
        self._receipt = receipt
        self._accepting: set[asyncio.Task[Any]] = set()

    async def drain(self) -> None:
        """Wait for what is being taken in; the door may be closed after that."""
        if self._accepting:
            await asyncio.wait(self._accepting, timeout=ACCEPT_SECONDS)

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002 - bolt's name
    ) -> BoltResponse | None:
        """Store what is for us; interactions go on to their listeners after the commit."""
        if req.body.get("type") in {"url_verification", "ssl_check"} or "ssl_check" in req.body:
            return await next()
        try:
            arrival = read(req.body, self._us, self._reactions)
            happened = read_happened(req.body, self._us)
        except (AttributeError, TypeError, KeyError, ValueError):
            logger.warning("A payload was no Slack payload", extra={"action": "event_unreadable"})
            return BoltResponse(status=400, body="")
        for each in (arrival, happened):
            if each is not None and not await self._stored(each):
                return BoltResponse(status=503, body="")
        if arrival is not None and arrival.kind in {"action", "view"}:
            return await next()  # a modal needs its trigger_id within three seconds
        if _wants_options(req.body):
            return await next()
        return BoltResponse(status=200, body=(self._receipt(arrival) if arrival else None) or "")

    async def _stored(self, arrival: Arrival) -> bool:
        """Commit the arrival; False when the database can't be reached in time."""
        task = asyncio.current_task()
        assert task is not None
        self._accepting.add(task)
        try:
            async with asyncio.timeout(ACCEPT_SECONDS):
                new = await self.accept(arrival)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, Slack must try again
            logger.error(
                "An event was not accepted, Slack will deliver it again: %s",
                type(error).__name__,
                extra={"action": "event_refused", "kind": arrival.kind},
            )
            return False
        finally:
            self._accepting.discard(task)
        logger.info(
            "An event was accepted" if new else "An event was known already",
            extra={"action": "event_accepted" if new else "event_repeated", "kind": arrival.kind},
        )
        return True

    async def accept(self, arrival: Arrival) -> bool:
        """Store an arrival with its job in one transaction; False if it was there before."""
        async with borrowed(self._door) as connection:
            return await self._take_in(connection, arrival)

    async def _take_in(self, connection: AsyncConnection, arrival: Arrival) -> bool:
        if arrival.kind == "edited":
            return await self._edit(connection, arrival)
        if arrival.kind == "deleted":
            return await self._delete(connection, arrival)
        if arrival.kind == "stop":
            return await self._stop(connection, arrival.payload)
        if arrival.kind == "member":
            moved = {"payload": json.dumps(arrival.payload)}
            await connection.execute(SQL["moved"], moved)
            return True
        event_id = await self._insert(connection, arrival)
        if event_id is None:
            return False
        await defer_event(self._queue, connection, arrival, event_id)
        return True

    async def _insert(self, connection: AsyncConnection, arrival: Arrival) -> int | None:
        if arrival.kind == "history":
            place = {name: arrival.payload[name] for name in ("channel", "by_app")}
            return await _store(connection, HISTORY["store"], arrival, **place)
        if arrival.kind != "follow_up":
            return await _store(connection, SQL["store"], arrival)
        if self._follow_ups == "never":
            return None
        question = replace(arrival, kind="question")
        thread = self._thread_of(arrival.payload)
        return await _store(connection, SQL["store_follow_up"], question, **thread)

    def _thread_of(self, payload: dict[str, Any]) -> dict[str, Any]:
        team, channel, thread_ts = self._us.team, payload["channel"], payload["thread_ts"]
        return {
            "root_key": message_key(team, channel, thread_ts),
            "team": team,
            "channel": channel,
            "thread_ts": thread_ts,
            "user": payload["user"],
            "asker": f"user:{payload['team']}:{payload['user']}",
            "anyone": self._follow_ups == "everyone",
        }

    async def _edit(self, connection: AsyncConnection, arrival: Arrival) -> bool:
        values = {"key": arrival.key, "text": arrival.payload.get("text") or ""}
        await connection.execute(SQL["edit"], values)
        known = await (await connection.execute(SQL["known"], values)).fetchone()
        if known is not None or arrival.payload["via"] != "mention":
            return False
        # The mention came with the edit: the question begins now.
        return await self._take_in(connection, Arrival(arrival.key, "question", arrival.payload))

    async def _delete(self, connection: AsyncConnection, arrival: Arrival) -> bool:
        cursor = await connection.execute(SQL["delete"], {"key": arrival.key})
        row = await cursor.fetchone()
        if row is not None and row[0]:
            await self._stop(connection, arrival.payload)
        return row is not None

    async def _stop(self, connection: AsyncConnection, payload: dict[str, Any]) -> bool:
        thread = {"channel": payload["channel"], "thread_ts": payload.get("thread_ts")}
        await connection.execute(SQL["stop"], {"payload": json.dumps(thread)})
        return True


async def _store(
    connection: AsyncConnection, statement: bytes, arrival: Arrival, **more: Any
) -> int | None:
    payload = Jsonb(storable(arrival.payload))
    values = {"key": arrival.key, "kind": arrival.kind, "payload": payload, **more}
    row = await (await connection.execute(statement, values)).fetchone()
    return int(row[0]) if row else None


async def take_in(queue: App, database: Database, arrival: Arrival) -> None:
    """Store a question that came by another way than Slack's door, with its job."""
    async with borrowed(database) as connection:
        event_id = await _store(connection, SQL["store"], arrival)
        if event_id is not None:
            await defer_event(queue, connection, arrival, event_id)


async def defer_event(
    queue: App, connection: AsyncConnection, arrival: Arrival, event_id: int
) -> None:
    """Queue the job of a stored arrival, in the transaction of `connection`."""
    task = EVENT_TASK
    if arrival.kind == "history":
        task = HISTORY_TASK
    elif is_question(arrival):
        task = ANSWER_TASK
    deferrer = queue.configure_task(
        task, connection=connection, lock=_lock(arrival), priority=PRIORITY[task]
    )
    await deferrer.defer_async(event_id=event_id)


async def sweep(queue: App, database: Database) -> int:
    """Queue again what never came to an end; how many they were."""
    async with borrowed(database) as connection:
        rows = await (await connection.execute(SQL["orphans"])).fetchall()
        for event_id, key, kind, payload in rows:
            await defer_event(queue, connection, Arrival(key, kind, payload), event_id)
    return len(rows)


def storable(value: Any) -> Any:
    """`value` without what Postgres can't keep: NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def is_question(arrival: Arrival) -> bool:
    """Whether the arrival is to be answered from the documents."""
    if arrival.kind == "command":
        return str(arrival.payload.get("command")) == "/ask"
    return arrival.kind in {"question", "follow_up"}


def _lock(arrival: Arrival) -> str | None:
    """One question of a thread after the other: a follow-up needs the answer before it."""
    payload = arrival.payload
    if arrival.kind == "history":  # one reading after the other: the last one tells how it is
        return f"history:{payload['channel']}:{payload['root']}"
    if arrival.kind in {"question", "follow_up"}:
        return f"thread:{payload['channel']}:{payload.get('thread_ts') or payload.get('ts')}"
    return None


def _wants_options(body: dict[str, Any]) -> bool:
    return body.get("type") in {"block_suggestion", "view_closed"}
