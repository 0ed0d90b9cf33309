"""A database that has grown: indexes of vectors come by themselves, and are used where they pay."""

import logging

import numpy as np
import psycopg
import pytest
from sqlalchemy import URL, text

from knowledge import upkeep
from knowledge.database import Database
from knowledge.plan import Limits, VectorIndex, choose
from knowledge.search import Search
from knowledge.upkeep import keep_up
from tests.integration.test_search import EVERYONE, Known, as_stored, unit
from tests.search_corpus import Page, add

BY_INDEX = Limits(exact_chunks=0, all_postings_chunks=0, scan_cost=0)


async def fill(database: Database, count: int = 600) -> tuple[Search, Search, list[int]]:
    """A search that is exact, one by the index, and the ids in the order of nearness."""
    random = np.random.default_rng(21)
    vectors, question = unit(random, count), unit(random, 1)[0]
    ids = await add(database, [Page(f"page {n}", vectors={"m": v}) for n, v in enumerate(vectors)])
    order = np.argsort(-(as_stored(vectors) @ as_stored(question)))
    embedder = Known("m", {"q": question})
    return (
        Search(database, [embedder]),
        Search(database, [embedder], limits=BY_INDEX),
        [ids[n] for n in order],
    )


async def test_a_model_of_many_vectors_gets_an_index_that_finds_the_nearest(
    database: Database,
) -> None:
    exact, by_index, nearest = await fill(database)
    assert "embedding_1_nearest" not in await keep_up(database)
    assert "embedding_1_nearest" in await keep_up(database, index_from=500)
    assert "embedding_1_nearest" not in await keep_up(database, index_from=500)
    assert [hit.chunk_id for hit in await exact.search("q", EVERYONE, k=20)] == nearest[:20]
    found = await by_index.find("q", EVERYONE, k=20)
    assert [hit.chunk_id for hit in found.hits] == nearest[:20]


async def test_the_plan_by_the_index_scans_the_index(database: Database) -> None:
    _, by_index, _ = await fill(database)
    await keep_up(database, index_from=500)
    async with database.acting_as(EVERYONE) as connection:
        asked = await by_index.prepare("q", {"en": 600})
        plan = await by_index.plan(connection, asked, 10)
        assert [index.vectors for index in plan.indexes] == [600]
        for name, value in plan.settings.items():
            await connection.execute(text(f"SET LOCAL {name} TO {value}"))
        explain = text(f"EXPLAIN {plan.statement.text}")
        parameters = by_index._parameters(asked, 10) | plan.parameters
        lines = [row[0] for row in await connection.execute(explain, parameters)]
    assert any("Index Scan using embedding_1_nearest" in line for line in lines)


async def test_a_build_that_was_cut_off_is_done_again(
    database: Database, database_url: URL
) -> None:
    await fill(database)
    await keep_up(database, index_from=500)
    with psycopg.connect(database.conninfo("lorewise_app"), autocommit=True) as app:
        assert await ready(app) == [1]
    admin = psycopg.connect(
        database_url.set(username="postgres").render_as_string(False), autocommit=True
    )
    with admin:
        admin.execute(
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'lorewise.embedding_1_nearest'::regclass"
        )
    with psycopg.connect(database.conninfo("lorewise_app"), autocommit=True) as app:
        assert await ready(app) == []
        assert "embedding_1_nearest" in await keep_up(database, index_from=500)
        assert await ready(app) == [1]


async def ready(app: psycopg.Connection) -> list[int]:
    """The models with an index, as a search finds them."""
    from knowledge.plan import STATEMENTS

    return [row[0] for row in app.execute(STATEMENTS["vector_indexes"].encode())]


async def test_what_the_index_does_not_find_is_found_by_looking_at_everything(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The reader's twenty chunks are the farthest of all, beyond where the index gives up."""
    random = np.random.default_rng(22)
    question = unit(random, 1)[0]
    vectors = unit(random, 3000)
    order = np.argsort(as_stored(vectors) @ as_stored(question))
    pages = [
        Page("x", vectors={"m": vectors[n]}, readers=("me",) if place < 20 else ("hidden",))
        for place, n in enumerate(order)
    ]
    ids = await add(database, pages)
    await keep_up(database, index_from=500)
    limits = Limits(
        exact_chunks=0, all_postings_chunks=0, scan_cost=0, ef_search=10, max_scan_tuples=20
    )
    search = Search(database, [Known("m", {"q": question})], limits=limits)
    with caplog.at_level(logging.WARNING):
        hits = await search.search("q", frozenset({"me"}), k=10)
    assert [hit.chunk_id for hit in hits] == ids[:20][::-1][:10]
    assert "nearest_fell_short" in [record.__dict__.get("action") for record in caplog.records]


async def test_one_upkeep_at_a_time(database: Database, database_url: URL) -> None:
    await fill(database)
    with psycopg.connect(database_url.render_as_string(False), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('lorewise.upkeep', 0))")
        assert await keep_up(database, index_from=500) == []
    assert "embedding_1_nearest" in await keep_up(database, index_from=500)


async def test_an_upkeep_that_fails_stops_nothing(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, _, nearest = await fill(database)
    monkeypatch.setattr(upkeep, "MOST_MEMORY_MB", 0)  # Postgres refuses so little
    assert await keep_up(database, index_from=500) == []
    assert [record.__dict__.get("action") for record in caplog.records] == ["upkeep_failed"]
    assert [hit.chunk_id for hit in await exact.search("q", EVERYONE)] == nearest[:10]


@pytest.mark.parametrize(
    ("visible", "vectors", "by_index"),
    [
        (100_000, 100_000, False),  # few enough to compare them all
        (200_000, 50_000_000, False),  # too many hidden ones between the visible
        (150_000, 1_000_000, True),
        (1_000_000, 1_000_000, True),
        (1_000_000, 50_000_000, True),
    ],
)
def test_the_index_serves_who_sees_enough_of_what_is_in_it(
    visible: int, vectors: int, by_index: bool
) -> None:
    index = VectorIndex(1, 384, vectors)
    plan = choose(visible, {"m": index}, 100, Limits())
    assert plan.indexes == ((index,) if by_index else ())
