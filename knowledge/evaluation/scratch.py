"""A schema of its own in the configured database, for one evaluation, dropped at its end.

While it is in use, its run holds an advisory lock of its name. So a schema whose lock is free was
left over by a run that was killed, and the next run drops it.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from knowledge.database import Database, connect, conninfo, migrate_schema

PREFIX = "lorewise_scratch_"
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{12}}")


@asynccontextmanager
async def scratch_database(database: Database) -> AsyncIterator[Database]:
    """The same Postgres with empty tables in a scratch schema; roles and policies as ever.

    Raises:
        DatabaseError: the schema cannot be made.
    """
    name = PREFIX + secrets.token_hex(6)
    owner = await psycopg.AsyncConnection.connect(conninfo(database.url, None), autocommit=True)
    try:
        await _drop_left_overs(owner)
        await owner.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        try:
            await _whole(asyncio.to_thread(migrate_schema, database.url, name))
            scratch = connect(database.url, search_path=f"{name},public")
            try:
                yield scratch
            finally:
                await asyncio.shield(scratch.close())
        finally:
            await asyncio.shield(_drop(owner, name))
    finally:
        await asyncio.shield(owner.close())


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Wait until a thread's work has ended, also when cancelled: it cannot be stopped half-way."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _drop_left_overs(owner: psycopg.AsyncConnection) -> None:
    found = await owner.execute(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname::text, %s)", [PREFIX]
    )
    for (name,) in await found.fetchall():
        if not _NAME.fullmatch(name):  # somebody else's, however alike
            continue
        row = await owner.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        if (await row.fetchone() or (False,))[0]:
            await _drop(owner, name)


async def _drop(owner: psycopg.AsyncConnection, name: str) -> None:
    await owner.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
    await owner.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
