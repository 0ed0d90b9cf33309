"""What a Slack source asks of the database: which channels it may say are indexed, and what
happened since it read them."""

from collections.abc import Mapping

from bot.history.choice import KIND, Record
from bot.history.grouping import is_day, times_of
from bot.ledger import borrowed
from bot.statements import statements
from knowledge.database import Database

SQL = statements("history.sql")
MARGIN_SECONDS = 5.0  # between this machine's clock and the database's


def record_in(database: Database) -> Record:
    """The record in a database."""

    async def listed(channels: Mapping[str, bool]) -> None:
        values = {"channels": list(channels), "bots": list(channels.values())}
        async with borrowed(database) as connection:
            await connection.execute(SQL["list"], values)

    async def touched(key: str, since: float) -> bool:
        channel, _, end = key.partition("/")
        first, last = times_of(end) if is_day(end) else (end, end)
        values = {"channel": channel, "first": first, "last": last, "since": since - MARGIN_SECONDS}
        async with borrowed(database) as connection:
            cursor = await connection.execute(SQL["touched"], values)
            return await cursor.fetchone() is not None

    async def indexed(channel: str) -> frozenset[str]:
        async with database.indexer.connect() as connection:
            found = await connection.exec_driver_sql(
                "SELECT d.key FROM document d JOIN source s ON s.id = d.source_id "
                "WHERE s.kind = %s AND starts_with(d.key, %s)",
                (KIND, f"{channel}/"),
            )
            return frozenset(str(row[0]) for row in found)

    return Record(listed, touched, indexed)
