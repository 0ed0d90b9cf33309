"""What was taken in, and which Slack message shows which answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor

from bot.statements import statements
from knowledge.database import Database

INBOX, MESSAGES = statements("inbox.sql"), statements("messages.sql")


@dataclass(frozen=True, slots=True)
class Taken:
    """A payload out of the inbox."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    finished: bool
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A Slack message that shows an answer, or that began to."""

    channel: str
    ts: str
    final: bool
    answer_id: UUID | None


@asynccontextmanager
async def borrowed(database: Database) -> AsyncIterator[AsyncConnection]:
    """A psycopg connection in a transaction of the app's pool, committed at the end."""
    async with database.app.begin() as transaction:
        raw = await transaction.get_raw_connection()
        connection = raw.driver_connection
        assert isinstance(connection, AsyncConnection)
        yield connection


class Ledger:
    """Reads and writes inbox_event and slack_message."""

    def __init__(self, database: Database, team: str) -> None:
        self._database, self._team = database, team

    async def load(self, event_id: int) -> Taken | None:
        """A payload by its id."""
        async with borrowed(self._database) as connection:
            cursor = await connection.execute(INBOX["load"], {"id": event_id})
            row = await cursor.fetchone()
        if row is None:
            return None
        return Taken(row[0], row[2], row[3], row[5] is not None, row[6])

    async def finish(self, event_id: int, outcome: str) -> None:
        """Note how it ended; a second word changes nothing."""
        async with borrowed(self._database) as connection:
            await connection.execute(INBOX["finish"], {"id": event_id, "outcome": outcome})

    async def forget(self, days: int) -> None:
        """Delete the payloads that were finished so many days ago."""
        async with borrowed(self._database) as connection:
            await connection.execute(INBOX["forget"], {"days": days})

    async def shown(self, event_id: int) -> list[Shown]:
        """The messages that show the answer to an arrival."""
        rows = await self._rows("shown", event_id=event_id)
        return [Shown(row[0], row[1], row[2] == "final", row[3]) for row in rows]

    async def keep(
        self,
        event_id: int,
        question_id: UUID,
        *,
        channel: str,
        ts: str,
        thread_ts: str | None,
        answer_id: UUID | None = None,
    ) -> None:
        """A message shows an answer (or begins to, without `answer_id`)."""
        values = {
            "event_id": event_id,
            "question_id": question_id,
            "answer_id": answer_id,
            "team": self._team,
            "channel": channel,
            "ts": ts,
            "thread_ts": thread_ts,
            "state": "final" if answer_id else "streaming",
        }
        async with borrowed(self._database) as connection:
            await connection.execute(MESSAGES["keep"], values)

    async def settle(self, event_id: int, answer_id: UUID, outcome: str) -> None:
        """The answer is whole in Slack: its messages and the arrival are finished, together."""
        async with borrowed(self._database) as connection:
            values = {"event_id": event_id, "answer_id": answer_id}
            await connection.execute(MESSAGES["settle"], values)
            await connection.execute(INBOX["finish"], {"id": event_id, "outcome": outcome})

    async def drop(self, channel: str, ts: str) -> None:
        """A half-written message is gone."""
        async with borrowed(self._database) as connection:
            values = {"team": self._team, "channel": channel, "ts": ts}
            await connection.execute(MESSAGES["drop"], values)

    async def thread_answers(self, channel: str, thread_ts: str) -> dict[str, str]:
        """Our answers of a thread: a message's ts to the answer's text."""
        rows = await self._rows("thread_answers", channel=channel, thread_ts=thread_ts)
        return {row[0]: row[1] for row in rows}

    async def known_messages(self, channel: str, thread_ts: str) -> frozenset[str]:
        """The ts of the thread's messages that show answers."""
        rows = await self._rows("known_messages", channel=channel, thread_ts=thread_ts)
        return frozenset(row[0] for row in rows)

    async def last_answer(self, question_id: UUID) -> tuple[UUID, str] | None:
        """The newest answer to a question: its id and state."""
        rows = await self._rows("last_answer", question_id=question_id)
        return (rows[0][0], rows[0][1]) if rows else None

    async def _rows(self, name: str, **values: Any) -> list[tuple[Any, ...]]:
        async with borrowed(self._database) as connection:
            cursor: AsyncCursor[tuple[Any, ...]] = await connection.execute(
                MESSAGES[name], {"team": self._team, **values}
            )
            return await cursor.fetchall()
