"""The stop button across replicas: the click arrives at one, the answer may be written by another.

The click is a NOTIFY in the transaction that accepts it; every worker process listens.
"""

import asyncio
import json
import logging
from contextlib import suppress

from psycopg import AsyncConnection, OperationalError

logger = logging.getLogger(__name__)

CHANNEL = "lorewise_stop"
RECONNECT_SECONDS = 1.0


class Stops:
    """The answers that are being written in this process, by thread."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Event] = {}

    def watch(self, channel: str, thread_ts: str) -> asyncio.Event:
        """An event that is set when somebody stops the thread's answer."""
        return self._running.setdefault((channel, thread_ts), asyncio.Event())

    def unwatch(self, channel: str, thread_ts: str) -> None:
        """The thread's answer is finished."""
        self._running.pop((channel, thread_ts), None)

    def stop(self, channel: str, thread_ts: str) -> None:
        """Stop the thread's answer if it is written here."""
        if event := self._running.get((channel, thread_ts)):
            event.set()

    async def listen(self, conninfo: str) -> None:
        """Follow the notifications until cancelled, through restarts of Postgres."""
        while True:
            with suppress(OperationalError, OSError):
                await self._follow(conninfo)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, conninfo: str) -> None:
        async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            async for notification in connection.notifies():
                thread = json.loads(notification.payload)
                self.stop(str(thread["channel"]), str(thread["thread_ts"]))
