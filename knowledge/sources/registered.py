"""The sources that an administrator has named."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import case, delete, null, select, update
from sqlalchemy.dialects.postgresql import insert

from knowledge.acls import checked_principals
from knowledge.database import Database
from knowledge.errors import SourceError
from knowledge.tables import Source as SourceRow


@dataclass(frozen=True, slots=True)
class RegisteredSource:
    """A named source as it stands in the database."""

    id: int
    name: str
    kind: str
    location: str
    principals: tuple[str, ...]
    options: Mapping[str, Any]
    synced_at: datetime | None
    """When a run last came to its end."""
    schedule: str = ""
    """A cron expression; "never"; empty: as LOREWISE_REINDEX_CRON says."""
    report: Mapping[str, Any] | None = None
    """The counts of the last run that came to its end (knowledge.report.counts)."""
    error: str | None = None
    """Why the last run did not come to its end; None when it did."""


async def register_source(
    database: Database,
    *,
    name: str,
    kind: str,
    location: str,
    principals: Iterable[str],
    options: Mapping[str, Any] | None = None,
    schedule: str = "",
) -> RegisteredSource:
    """Name a source, or give the one of that name other readers, options and another schedule.

    Other readers or options concern every document, so the next run is told everything anew.

    Raises:
        SourceError: the name stands for another place, or nobody may read it.
    """
    readers = checked_principals(principals)
    same = (SourceRow.principals == readers) & (SourceRow.options == dict(options or {}))
    statement = (
        insert(SourceRow)
        .values(
            name=name,
            kind=kind,
            location=location,
            principals=readers,
            options=dict(options or {}),
            schedule=schedule,
            created_at=datetime.now(UTC),
        )
        .on_conflict_do_update(
            index_elements=["name"],
            set_={
                "principals": readers,
                "options": dict(options or {}),
                "schedule": schedule,
                "cursor": case((same, SourceRow.cursor), else_=null()),
            },
            where=(SourceRow.kind == kind) & (SourceRow.location == location),
        )
        .returning(*_COLUMNS)
    )
    async with database.indexer.begin() as connection:
        row = (await connection.execute(statement)).first()
    if row is None:
        raise SourceError(
            f"The name {name!r} stands for another source: remove it, or choose another name."
        )
    return _registered(row)


async def registered_sources(database: Database) -> list[RegisteredSource]:
    """All named sources, by name."""
    async with database.indexer.connect() as connection:
        rows = await connection.execute(select(*_COLUMNS).order_by(SourceRow.name))
        return [_registered(row) for row in rows]


async def note_failed_run(database: Database, source_id: int, error: str) -> None:
    """Note why a run did not come to its end, for `lorewise sources list`."""
    statement = update(SourceRow).where(SourceRow.id == source_id).values(error=error)
    async with database.indexer.begin() as connection:
        await connection.execute(statement)


async def remove_source(database: Database, name: str) -> None:
    """Forget a source and all its documents. Raises SourceError when there is none of the name."""
    async with database.indexer.begin() as connection:
        gone = await connection.execute(delete(SourceRow).where(SourceRow.name == name))
    if not gone.rowcount:
        raise SourceError(f"There is no source {name!r}; `lorewise sources list` shows them.")


_COLUMNS = (
    SourceRow.id,
    SourceRow.name,
    SourceRow.kind,
    SourceRow.location,
    SourceRow.principals,
    SourceRow.options,
    SourceRow.synced_at,
    SourceRow.schedule,
    SourceRow.report,
    SourceRow.error,
)


def _registered(row: Any) -> RegisteredSource:
    return RegisteredSource(
        id=row.id,
        name=row.name,
        kind=row.kind,
        location=row.location,
        principals=tuple(row.principals),
        options=row.options,
        synced_at=row.synced_at,
        schedule=row.schedule,
        report=row.report,
        error=row.error,
    )
