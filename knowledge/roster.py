"""Which models questions are asked with, and which are being built beside them.

A role: `english` reads English chunks only, `every` reads all. A model has a role while questions
are asked with it, and a next role while its vectors are being built (knowledge/rebuild.py).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.database import Database
from knowledge.embedding import Embedder, Recipe
from knowledge.languages import ENGLISH
from knowledge.statements import read_statements

SQL = {
    name: text(statement)
    for name, statement in read_statements(Path(__file__).with_suffix(".sql")).items()
}
ROLES = ("english", "every")
GRACE_SECONDS = 3600.0
"""How long the vectors of a replaced model stay, for processes that still ask with it."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the database knows it."""

    id: int
    name: str
    dimensions: int
    role: str | None
    next_role: str | None
    recipe: Recipe | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """An embedder and how it was made."""

    embedder: Embedder
    recipe: Recipe


def with_roles(loaded: Sequence[Loaded]) -> list[tuple[str, Loaded]]:
    """The last reads every language, one before it English."""
    return list(zip(ROLES[-len(loaded) :], loaded, strict=True))


def language_of(role: str) -> str | None:
    """The only language that a role reads, or None."""
    return ENGLISH if role == "english" else None


async def read_models(connection: AsyncConnection) -> list[Model]:
    """All models, in the order of their roles."""
    return [
        Model(
            row.id,
            row.name,
            row.dimensions,
            row.role,
            row.next_role,
            Recipe.of(row.recipe) if row.recipe else None,
        )
        for row in await connection.execute(SQL["models"])
    ]


async def live_models(database: Database) -> list[Model]:
    """Those that questions are asked with, the one of every language last."""
    async with database.app.connect() as connection:
        return [model for model in await read_models(connection) if model.role]


async def take(database: Database, loaded: Sequence[Loaded]) -> None:
    """Ask questions with these models, where the database has none yet."""
    async with database.indexer.begin() as connection:
        for role, one in with_roles(loaded):
            model = await register(connection, one.embedder)
            recipe = one.recipe.as_json()
            await connection.execute(SQL["take"], {"model": model, "role": role, "recipe": recipe})


async def begin_building(database: Database, loaded: Sequence[Loaded]) -> None:
    """From now on whoever indexes writes vectors of these models too; of none: give up."""
    async with database.indexer.begin() as connection:
        names = [one.embedder.name for one in loaded]
        await connection.execute(SQL["give_up"], {"names": names})
        await connection.execute(SQL["clear"])
        for role, one in with_roles(loaded) if loaded else ():
            model = await register(connection, one.embedder)
            recipe = one.recipe.as_json()
            await connection.execute(SQL["build"], {"model": model, "role": role, "recipe": recipe})


async def register(connection: AsyncConnection, embedder: Embedder) -> int:
    """The key of an embedder's model."""
    values = {"name": embedder.name, "dimensions": embedder.dimensions}
    key: int = (await connection.execute(SQL["register"], values)).scalar_one()
    return key


@asynccontextmanager
async def indexing(database: Database) -> AsyncIterator[None]:
    """While this is open the models are not swapped. Any number may hold it."""
    key = "hashtextextended('lorewise.models', 0)"
    async with database.indexer.connect() as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock_shared({key})"))
        await connection.commit()
        try:
            yield
        finally:
            await connection.invalidate()  # the lock goes with the connection


async def drop_retired(database: Database, *, older_than_seconds: float = GRACE_SECONDS) -> int:
    """Drop the vectors of models that were replaced some time ago; says of how many."""
    dropped = 0
    async with database.indexer.connect() as connection:
        found = await connection.execute(SQL["retired"], {"seconds": older_than_seconds})
        keys = [row.id for row in found]
        await connection.rollback()
        for key in keys:
            try:
                async with connection.begin():
                    # Searches wait behind us for as long as we wait for those before us.
                    await connection.execute(text("SET LOCAL lock_timeout TO '2s'"))
                    await connection.execute(SQL["drop"], {"model": key})
                    dropped += 1
            except DBAPIError:  # busy: the next run tries again
                continue
    return dropped
