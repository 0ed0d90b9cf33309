"""The rows of a real Postgres as documents."""

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import URL

from knowledge.embedded import EmbeddedServer
from knowledge.errors import SourceError
from knowledge.sources import Change, Skipped, SourceDocument, load_source

QUERY = "SELECT * FROM room"
OPTIONS = {"url": "env:ROOMS_URL", "query": QUERY, "key": "floor,name"}


@pytest.fixture(autouse=True)
def rooms(
    database_url: URL, postgres: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> psycopg.Connection:
    """A table of rooms, and the environment's URL of its database."""
    url = postgres.url("postgres", str(database_url.database))
    monkeypatch.setenv("ROOMS_URL", url.replace("postgresql://", "postgresql+psycopg://", 1))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE room (floor int, name text, seats int, changed timestamptz, "
            "readers text[])"
        )
        connection.execute(
            "INSERT INTO room VALUES (2, 'Maas', 24, '2026-01-02 03:04:05+00', '{group:T:S}'), "
            "(1, 'Spree/Havel', 4, NULL, '{everyone,user:T:U}'), (1, 'Elbe', NULL, NULL, '{}'), "
            "(3, NULL, 1, NULL, '{everyone}'), (2, 'Maas', 25, NULL, '{everyone}')"
        )
    return connection


async def told(**options: str) -> list[Change]:
    source = load_source("sql", "rooms", OPTIONS | options)
    return [change async for change in source.changes(None)]


async def test_rows_are_documents_by_a_template() -> None:
    changes = await told(
        title="Room {name}",
        body="It has {seats} seats.",
        link="https://r.example/?n={name}",
        modified="changed",
        readers="readers",
    )
    found = [change for change in changes if isinstance(change, SourceDocument)]
    assert [d.key for d in found] == ["1/Spree%2FHavel", "2/Maas"]
    assert (await found[0].load()).decode() == "# Room Spree/Havel\n\nIt has 4 seats."
    assert found[0].url == "https://r.example/?n=Spree%2FHavel"
    assert found[0].principals == frozenset({"everyone", "user:T:U"})
    skipped = {change.key: change.reason for change in changes if isinstance(change, Skipped)}
    assert skipped == {
        "1/Elbe": "names nobody who may read it",
        "2/Maas": "has the same key as the row before it",
        "3/": "has a key that is empty",
    }
    times = {d.modified_at for d in found}
    assert times <= {None, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}


async def test_without_a_template_all_columns_are_shown() -> None:
    (document,) = [
        change
        for change in await told(
            query="SELECT floor, name, seats FROM room WHERE floor = 1 AND seats > 0"
        )
        if isinstance(change, SourceDocument)
    ]
    assert (await document.load()).decode() == "- floor: 1\n- name: Spree/Havel\n- seats: 4"


async def test_a_query_that_writes_is_refused_by_the_database() -> None:
    with pytest.raises(SourceError, match="read-only"):
        await told(query="SELECT 1 AS floor, 'x' AS name FROM lo_create(0)")


async def test_the_password_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMS_URL", "postgresql+psycopg://u:very-secret@127.0.0.1:1/rooms")
    source = load_source("sql", "rooms", OPTIONS)
    with pytest.raises(SourceError, match="rooms") as refused:
        [change async for change in source.changes(None)]
    assert "very-secret" not in f"{source!r} {refused.value}"


async def test_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceError, match="no column seat"):
        await told(title="{seat}")
    with pytest.raises(SourceError, match="does not answer"):
        await told(key="nothing")


def test_what_is_needed_is_said() -> None:
    for name in OPTIONS:
        with pytest.raises(SourceError, match=name):
            load_source("sql", "rooms", {k: v for k, v in OPTIONS.items() if k != name})
