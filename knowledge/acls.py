"""Sets of readers. One row a distinct set, for ever."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.database import SEPARATOR
from knowledge.errors import SourceError


def checked_principals(principals: Iterable[str]) -> list[str]:
    """The principals sorted and without doubles.

    Raises:
        SourceError: there is none (nobody could ever read the documents), or one cannot be used.
    """
    found = sorted(set(principals))
    if not found:
        raise SourceError("A source needs at least one principal who may read its documents.")
    if any(not principal or SEPARATOR in principal for principal in found):
        raise SourceError("A principal is empty or contains the control character U+001F.")
    return found


async def acl_of(connection: AsyncConnection, principals: Iterable[str]) -> int:
    """The key of a set of readers, made if it is new; two transactions may ask for the same set.

    The row is there once the caller's transaction is committed. Raises SourceError.
    """
    values = {"principals": checked_principals(principals)}
    # The second of two inserters waits here for the first one's commit, and then finds its row.
    made = await connection.execute(
        text(
            "INSERT INTO acl (principals) VALUES (:principals) "
            "ON CONFLICT (principals) DO NOTHING RETURNING id"
        ),
        values,
    )
    acl_id = made.scalar()
    if acl_id is None:
        found = await connection.execute(
            text("SELECT id FROM acl WHERE principals = :principals"), values
        )
        return int(found.scalar_one())
    await connection.execute(
        text(
            "INSERT INTO acl_principal (principal, acl_id) "
            "SELECT unnest(CAST(:principals AS text[])), :acl"
        ),
        {**values, "acl": acl_id},
    )
    return int(acl_id)
