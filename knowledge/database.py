"""The one Postgres: where it is, who we are on it, and whose eyes a transaction has.

Three roles: the owner logs in and migrates; connections of `Database.app` act as `lorewise_app`
under forced row level security; those of `Database.indexer` as `lorewise_indexer`, which sees all
documents and nothing of the questions.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pgvector.psycopg import register_vector_async
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, NullPool, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from knowledge.embedded import DATABASE, OWNER, EmbeddedServer, start_embedded
from knowledge.errors import (
    DatabaseRightsError,
    DatabaseTooOldError,
    DatabaseUnreachableError,
    ExtensionMissingError,
    SchemaOutOfDateError,
    SettingsError,
)
from knowledge.settings import KnowledgeSettings

logger = logging.getLogger(__name__)

SCHEMA = "lorewise"
SEARCH_PATH = "lorewise,queue,public"
APP_ROLE = "lorewise_app"
INDEXER_ROLE = "lorewise_indexer"
OLDEST_POSTGRES = 16
OLDEST_PGVECTOR = (0, 8, 0)
SEPARATOR = "\x1f"  # between principals in the setting; no principal may contain it
_ACT_AS = text(
    "SELECT set_config('lorewise.principals', :value, true), "
    "set_config('plan_cache_mode', 'force_generic_plan', true)"
)
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


@dataclass(frozen=True)
class Database:
    """Two engines on one Postgres; `url` is the owner's, for migrations and the queue's LISTEN."""

    url: URL
    app: AsyncEngine
    indexer: AsyncEngine
    server: EmbeddedServer | None = None
    search_path: str = field(default=SEARCH_PATH)

    @asynccontextmanager
    async def acting_as(self, principals: Iterable[str]) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees what `principals` may read, and nothing without them.

        The setting is local to the transaction, so a pooled connection cannot leak it.
        """
        async with self.app.begin() as connection:
            await act_as(connection, principals)
            yield connection

    def conninfo(self, role: str = APP_ROLE) -> str:
        """A libpq connection string that acts as `role`, for libraries with pools of their own."""
        return conninfo(self.url, role, self.search_path)

    async def close(self) -> None:
        """Close the pools and leave the embedded server."""
        await self.app.dispose()
        await self.indexer.dispose()
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)


async def act_as(connection: AsyncConnection, principals: Iterable[str]) -> None:
    """Give the current transaction the eyes of `principals`.

    The reader's rights are no parameter of a statement, so planning it anew would tell the planner
    nothing, and planning a search takes longer than many a search.
    """
    value = SEPARATOR.join(sorted(principals))
    await connection.execute(_ACT_AS, {"value": value})


def conninfo(url: URL, role: str | None, search_path: str = SEARCH_PATH) -> str:
    """`url` as a libpq URI with the role and the search path as the session's defaults."""
    options = f"-c search_path={search_path}"
    if role is not None:
        options += f" -c role={role}"
    given = url.query.get("options", "")
    whole = url.update_query_dict({"options": f"{given} {options}".strip()})
    return (
        whole.set(drivername="postgresql")
        .render_as_string(hide_password=False)
        .replace("+", quote(" "))
    )


async def open_database(settings: KnowledgeSettings, *, migrate_first: bool = False) -> Database:
    """Connect to the database of the settings, starting the embedded server if none is named.

    Raises:
        DatabaseError: with what to do, if the server cannot be used or the schema is not current.
    """
    server = None
    if settings.database_url is None:
        server = await asyncio.to_thread(start_embedded, settings.home)
        await asyncio.to_thread(_create_database, server)
        url = make_url(server.url())
    else:
        url = parse_url(settings.database_url.get_secret_value())
    try:
        if migrate_first or server is not None:
            await asyncio.to_thread(migrate, url)
        else:
            await asyncio.to_thread(check, url)
        return connect(url, server=server, pool_size=settings.database_pool_size)
    except BaseException:
        if server is not None:
            await asyncio.to_thread(server.stop)
        raise


def connect(
    url: URL,
    *,
    server: EmbeddedServer | None = None,
    pool_size: int = 10,
    search_path: str = SEARCH_PATH,
) -> Database:
    """Make the two engines; nothing is connected yet."""
    return Database(
        url=url,
        app=_engine(url, APP_ROLE, pool_size, search_path),
        indexer=_engine(url, INDEXER_ROLE, max(2, pool_size // 2), search_path),
        server=server,
        search_path=search_path,
    )


def _engine(url: URL, role: str, pool_size: int, search_path: str) -> AsyncEngine:
    engine = create_async_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={
            "options": f"-c search_path={search_path} -c role={role} -c jit=off",
            "prepare_threshold": 0,  # plans are kept from a statement's first run on
        },
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # an error's text goes into the log, a question's must not
        pool_pre_ping=True,  # the first borrower after a killed backend would get the error
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _register(connection: object, _record: ConnectionPoolEntry) -> None:
        connection.run_async(register_vector_async)  # type: ignore[attr-defined]

    return engine


def parse_url(value: str) -> URL:
    """Read a Postgres URL.

    Raises:
        SettingsError: it is not one.
    """
    try:
        url = make_url(value)
    except Exception as error:
        raise SettingsError(
            "LOREWISE_DATABASE_URL is not a URL; write postgresql://user:password@host/database."
        ) from error
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            f"LOREWISE_DATABASE_URL names {url.get_backend_name()}; Lorewise needs PostgreSQL."
        )
    return url


def _create_database(server: EmbeddedServer) -> None:
    """Make the owner, the database and the extension of a new embedded cluster."""
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        # Two processes may start at once: the lock makes the second one find the work done.
        admin.execute("SELECT pg_advisory_lock(hashtext('lorewise'))")
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone():
            admin.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER")
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            admin.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS vector")


def migrate(url: URL) -> None:
    """Bring roles, extension and schema to this version; safe to run from several processes.

    Raises:
        DatabaseError: with what to do.
    """
    with _connected(url) as connection:
        _refuse_old_server(connection)
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('lorewise.migrate'))")
        _make_roles(connection)
        connection.commit()
    _upgrade(url, SCHEMA, SEARCH_PATH)


def migrate_schema(url: URL, schema: str) -> None:
    """Make another schema with all tables, policies and grants, but without a queue.

    The database must have been migrated before. Raises DatabaseError.
    """
    with _connected(url) as connection:
        name, *roles = map(Identifier, (schema, APP_ROLE, INDEXER_ROLE))
        try:
            connection.execute(SQL("CREATE SCHEMA {}").format(name))
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseRightsError(
                f"The role {connection.info.user} may not make a schema in this database. Run once "
                f"as an administrator: GRANT CREATE ON DATABASE {connection.info.dbname} "
                f"TO {connection.info.user}."
            ) from error
        connection.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(name, *roles))
        connection.commit()
    _upgrade(url, schema, f"{schema},public")


def _upgrade(url: URL, schema: str, search_path: str) -> None:
    """Run the migrations in a schema, the first one of the search path."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"options": f"-c search_path={search_path}"},
        poolclass=NullPool,
    )
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('lorewise.migrate'))"))
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            config.attributes["schema"] = schema
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def check(url: URL) -> None:
    """Refuse a database that is unreachable, too old, or of another version of the schema.

    Raises:
        DatabaseError: with what to do.
    """
    with _connected(url) as connection:
        _refuse_old_server(connection)
        _refuse_old_extension(connection)
    script = ScriptDirectory(str(MIGRATIONS))
    engine = create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection_:
        context = MigrationContext.configure(
            connection_, opts={"version_table": "migration", "version_table_schema": SCHEMA}
        )
        current = context.get_current_revision()
    if current != script.get_current_head():
        raise SchemaOutOfDateError(
            f"The database's schema is at {current or 'nothing yet'}, this version needs "
            f"{script.get_current_head()}: run `lorewise migrate`."
        )


def _connected(url: URL) -> psycopg.Connection:
    try:
        return psycopg.connect(conninfo(url, None), connect_timeout=10)
    except psycopg.OperationalError as error:
        where = url.render_as_string(hide_password=True)
        raise DatabaseUnreachableError(
            f"No Postgres answers at {where}: {' '.join(str(error).split())}. "
            "Check LOREWISE_DATABASE_URL, or leave it empty for the embedded server."
        ) from error


def _refuse_old_server(connection: psycopg.Connection) -> None:
    major = connection.info.server_version // 10000
    if major < OLDEST_POSTGRES:
        raise DatabaseTooOldError(
            f"The server is PostgreSQL {major}; Lorewise needs {OLDEST_POSTGRES} or newer."
        )


def _make_roles(connection: psycopg.Connection) -> None:
    try:
        connection.execute(Path(__file__).with_name("roles.sql").read_text().encode())
    except psycopg.errors.FeatureNotSupported as error:
        raise ExtensionMissingError(
            "The server has no pgvector: install it (Debian: postgresql-16-pgvector; most managed "
            "services offer it as `vector`) and run `lorewise migrate` again."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseRightsError(
            f"The role {connection.info.user} may not prepare the database "
            f"({error.diag.message_primary}). "
            "Run once as an administrator: CREATE EXTENSION vector; CREATE ROLE lorewise_app; "
            "CREATE ROLE lorewise_indexer; GRANT lorewise_app, lorewise_indexer TO "
            f"{connection.info.user} WITH SET TRUE; GRANT CREATE ON DATABASE "
            f"{connection.info.dbname} TO {connection.info.user}; then `lorewise migrate`."
        ) from error
    _refuse_old_extension(connection)


def _refuse_old_extension(connection: psycopg.Connection) -> None:
    row = connection.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    ).fetchone()
    if row is None:
        raise ExtensionMissingError(
            "The database has no pgvector extension: run `lorewise migrate`."
        )
    version = tuple(int(part) for part in str(row[0]).split("."))
    if version < OLDEST_PGVECTOR:
        raise DatabaseTooOldError(
            f"pgvector is {row[0]}; Lorewise needs 0.8.0 or newer. Upgrade the server's package, "
            "then run as an administrator: ALTER EXTENSION vector UPDATE."
        )
