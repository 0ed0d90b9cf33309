"""What every worker process must hear at once: NOTIFY in the transaction that takes an event in."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection, OperationalError

from bot.jobs import is_cancelled

logger = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
STOP, MEMBER = "lorewise_stop", "lorewise_member"
Heard = Callable[[Mapping[str, Any]], None]


async def listen(conninfo: str, heard: Mapping[str, Heard]) -> None:
    """Follow the notifications of each channel until cancelled, through restarts of Postgres."""
    while not is_cancelled():
        with suppress(OperationalError, OSError):
            await _follow(conninfo, heard)
        await asyncio.sleep(RECONNECT_SECONDS)


async def _follow(conninfo: str, heard: Mapping[str, Heard]) -> None:
    async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
        for channel in heard:
            await connection.execute(f"LISTEN {channel}".encode())
        async for notification in connection.notifies():
            heard[notification.channel](json.loads(notification.payload))
