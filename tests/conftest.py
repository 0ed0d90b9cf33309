"""Fixtures that all tests share: one real Postgres server, a fresh migrated database a test."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

from knowledge.database import Database, connect, migrate
from knowledge.embedded import OWNER, EmbeddedServer, start_embedded

os.environ["HF_HUB_OFFLINE"] = "1"
for name in [name for name in os.environ if name.startswith("LOREWISE_")]:
    if name != "LOREWISE_MODELS_DIR":  # a developer's own settings must not decide a test
        del os.environ[name]

TEMPLATE = "lorewise_template"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Converted models are kept between runs: converting takes half a minute."""
    folder = os.environ.get("LOREWISE_MODELS_DIR")
    path = Path(folder) if folder else Path(tempfile.gettempdir()) / "lorewise-models"
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """A real server of this run's own; `LOREWISE_HOME` of a user is never touched."""
    with tempfile.TemporaryDirectory(prefix="lorewise-test-") as folder:
        Path(folder).chmod(0o755)
        server = start_embedded(Path(folder) / "home")
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER")
            admin.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
        with psycopg.connect(server.url("postgres", TEMPLATE), autocommit=True) as admin:
            admin.execute("CREATE EXTENSION vector")
        migrate(make_url(server.url(database=TEMPLATE)))
        yield server
        server.stop()


@pytest.fixture
def database_url(postgres: EmbeddedServer) -> Iterator[URL]:
    """The owner's URL of a fresh, migrated database."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER}")
        yield make_url(postgres.url(database=name))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: URL) -> AsyncIterator[Database]:
    """A fresh, migrated database with both engines."""
    database = connect(database_url)
    yield database
    await database.close()
    await asyncio.sleep(0)
