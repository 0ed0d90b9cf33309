"""The database: who sees what, and what is said when the server cannot be used."""

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import URL, text

from knowledge.database import Database, check, migrate, open_database, parse_url
from knowledge.embedded import EmbeddedServer
from knowledge.errors import (
    DatabaseRightsError,
    DatabaseUnreachableError,
    ExtensionMissingError,
    SchemaOutOfDateError,
    SettingsError,
)
from knowledge.settings import KnowledgeSettings

FILL = """
INSERT INTO acl (principals) VALUES ('{everyone}'), ('{user:T1:U1}');
INSERT INTO acl_principal SELECT unnest(principals), id FROM acl;
INSERT INTO source (name, kind, location, principals, options, created_at)
VALUES ('s', 'folder', 'x', '{everyone}', '{}', now());
INSERT INTO document (source_id, key, title, language, media_type, content_hash, acl_id, indexed_at)
SELECT s.id, 'k' || a.id, 't', 'en', 'text/plain', 'x', a.id, now() FROM source s, acl a;
INSERT INTO chunk (document_id, position, heading_path, text, tokens, terms, language, acl_id)
SELECT id, 1, '{}', 'text', 1, 3, 'en', acl_id FROM document
"""


async def fill(database: Database) -> None:
    async with database.indexer.begin() as connection:
        for statement in FILL.split(";"):
            await connection.execute(text(statement))


async def count(database: Database, principals: set[str], table: str) -> int:
    async with database.acting_as(principals) as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


@pytest.mark.parametrize("table", ["document", "chunk", "collection_size"])
async def test_a_reader_sees_only_what_the_principals_may_read(
    database: Database, table: str
) -> None:
    await fill(database)
    assert await count(database, {"everyone"}, table) == 1
    assert await count(database, {"everyone", "user:T1:U1"}, table) == 2
    assert await count(database, {"user:T1:U2"}, table) == 0
    assert await count(database, set(), table) == 0


async def test_a_pooled_connection_forgets_whose_eyes_it_had(database: Database) -> None:
    await fill(database)
    assert await count(database, {"everyone"}, "chunk") == 1
    async with database.app.begin() as connection:
        rows = (await connection.execute(text("SELECT count(*) FROM chunk"))).scalar_one()
    assert rows == 0


async def test_the_owner_itself_is_bound_by_the_policies(
    database: Database, database_url: URL
) -> None:
    await fill(database)
    with psycopg.connect(database_url.render_as_string(False)) as owner:
        row = owner.execute("SELECT count(*) FROM lorewise.chunk").fetchone()
    assert row == (0,)


async def test_the_app_cannot_write_documents(database: Database) -> None:
    await fill(database)
    with pytest.raises(Exception, match="permission denied"):
        async with database.acting_as({"everyone"}) as connection:
            await connection.execute(text("DELETE FROM document"))


async def test_collection_figures_follow_a_deleted_document(database: Database) -> None:
    await fill(database)
    async with database.indexer.begin() as connection:
        await connection.execute(text("DELETE FROM document"))
    async with database.acting_as({"everyone"}) as connection:
        rows = await connection.execute(text("SELECT chunks, terms FROM collection_size"))
        assert [tuple(row) for row in rows] == [(0, 0)]


async def test_migrating_twice_changes_nothing(database_url: URL) -> None:
    migrate(database_url)
    check(database_url)


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x"])
def test_a_url_that_is_not_postgres_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="LOREWISE_DATABASE_URL"):
        parse_url(url)


async def test_a_server_that_is_not_there_is_named() -> None:
    settings = KnowledgeSettings(database_url=SecretStr("postgresql://u:secret@127.0.0.1:1/x"))
    with pytest.raises(DatabaseUnreachableError, match=r"127\.0\.0\.1") as caught:
        await open_database(settings)
    assert "secret" not in str(caught.value)


def _bare_database(postgres: EmbeddedServer, name: str, owner: str) -> URL:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}")
        admin.execute(f"CREATE DATABASE {name} OWNER {owner}")
    return parse_url(postgres.url(user=owner, database=name))


def test_a_database_without_migrations_says_what_to_run(postgres: EmbeddedServer) -> None:
    url = _bare_database(postgres, "bare", "lorewise_owner")
    with psycopg.connect(postgres.url("postgres", "bare"), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION vector")
    with pytest.raises(SchemaOutOfDateError, match="lorewise migrate"):
        check(url)


def test_a_database_without_the_extension_says_so(postgres: EmbeddedServer) -> None:
    url = _bare_database(postgres, "bare_of_vector", "lorewise_owner")
    with pytest.raises(ExtensionMissingError, match="pgvector"):
        check(url)


def test_a_role_without_rights_is_told_what_an_administrator_must_run(
    postgres: EmbeddedServer,
) -> None:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS powerless")
        admin.execute("CREATE ROLE powerless LOGIN")
    url = _bare_database(postgres, "powerless", "lorewise_owner").set(username="powerless")
    with pytest.raises(DatabaseRightsError, match="CREATE ROLE lorewise_app"):
        migrate(url)
