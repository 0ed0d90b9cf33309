"""Searching sees what its reader may see: no chunk more, no chunk fewer, and no trace of others."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import URL, text

from knowledge.database import Database
from knowledge.plan import Plan
from knowledge.search import Search
from tests.integration.test_search import Known, as_stored, texts, unit
from tests.search_corpus import Page, add

GROUPS = ("group:T:A", "group:T:B", "user:T:U1", "everyone")


def readers_of(number: int) -> tuple[str, ...]:
    """A seeded mixture: most pages for one group, some for two, few for everyone."""
    if number % 50 == 0:
        return ("everyone",)
    if number % 7 == 0:
        return ("group:T:A", "user:T:U1")
    return ("group:T:A",) if number % 3 else ("group:T:B",)


async def fill(database: Database, count: int) -> tuple[dict[int, tuple[str, ...]], Search]:
    random = np.random.default_rng(5)
    vectors = unit(random, count)
    pages = [
        Page(content, "und", readers_of(n), {"m": vectors[n]})
        for n, content in enumerate(texts(random, count))
    ]
    ids = await add(database, pages)
    search = Search(database, [Known("m", {"visa badge": unit(random, 1)[0]})])
    return {chunk: page.readers for chunk, page in zip(ids, pages, strict=True)}, search


@pytest.mark.parametrize(
    "principals",
    [set(), {"everyone"}, {"user:T:U1"}, {"group:T:B"}, {"user:T:U1", "everyone"}, set(GROUPS)],
    ids=str,
)
async def test_a_reader_finds_k_of_the_visible_chunks_and_never_another(
    database: Database, principals: set[str]
) -> None:
    readers, search = await fill(database, 400)
    visible = {chunk for chunk, allowed in readers.items() if principals & set(allowed)}
    results = await search.find("visa badge", frozenset(principals), k=10)
    found = {hit.chunk_id for hit in results.hits}
    assert found <= visible
    assert len(found) == min(10, len(visible))
    assert results.signals.visible_chunks == len(visible)


@pytest.mark.parametrize("visible", [1, 9, 10, 40, 200, 1000])
async def test_k_hits_come_back_however_few_of_the_chunks_are_visible(
    database: Database, visible: int
) -> None:
    random = np.random.default_rng(6)
    question = unit(random, 1)[0]
    vectors = unit(random, 1000)
    order = np.argsort(
        as_stored(vectors) @ as_stored(question)
    )  # the reader's are the farthest from the question
    pages = [Page("x", vectors={"m": vectors[n]}, readers=("hidden",)) for n in order[visible:]]
    pages += [Page("x", vectors={"m": vectors[n]}, readers=("me",)) for n in order[:visible]]
    ids = await add(database, pages)
    search = Search(database, [Known("m", {"q": question})])
    hits = await search.search("q", frozenset({"me"}), k=10)
    best_first = ids[len(ids) - visible :][::-1]
    assert [hit.chunk_id for hit in hits] == best_first[:10]


async def test_hidden_documents_change_no_figure_of_a_visible_one(database: Database) -> None:
    mine = frozenset({"me"})
    pages = [Page("visa badge", readers=("me",)), Page("visa laptop", readers=("me",))]
    await add(database, pages)
    before = await Search(database).find("visa badge merger", mine)
    hidden = [Page("badge merger " * 30, readers=("board",)) for _ in range(50)]
    await add(database, [*hidden, Page("Le badge", "fr", ("board",))])
    after = await Search(database).find("visa badge merger", mine)
    assert after == before


async def test_losing_the_right_to_read_counts_with_the_next_question(database: Database) -> None:
    ids = await add(database, [Page("visa", readers=("group:T:A",)), Page("visa")])
    search = Search(database)
    reader = frozenset({"everyone", "group:T:A"})
    assert {hit.chunk_id for hit in await search.search("visa", reader)} == set(ids)
    async with database.indexer.begin() as connection:
        await connection.execute(text("DELETE FROM acl_principal WHERE principal = 'group:T:A'"))
    assert [hit.chunk_id for hit in await search.search("visa", reader)] == ids[1:]


async def test_the_statement_itself_asks_for_the_acl_where_no_policy_binds(
    database: Database, database_url: URL
) -> None:
    readers, search = await fill(database, 100)
    with psycopg.connect(database_url.render_as_string(False), autocommit=True) as owner:
        for table in ("document", "chunk", "embedding", "embedding_1", "posting"):
            owner.execute(f"ALTER TABLE lorewise.{table} DISABLE ROW LEVEL SECURITY".encode())
    hits = await search.search("visa badge", frozenset({"group:T:B"}), k=100)
    mine = {chunk for chunk, allowed in readers.items() if "group:T:B" in allowed}
    assert {hit.chunk_id for hit in hits} == mine


async def test_ranking_by_words_reads_postings_from_the_index_alone(
    database: Database, database_url: URL
) -> None:
    """`=` on bigint is leakproof, so the index serves under row level security too."""
    random = np.random.default_rng(9)
    pages = [
        Page(
            " ".join(f"word{n}" for n in random.integers(0, 2000, size=30)), "en", readers_of(page)
        )
        for page in range(2000)
    ]
    await add(database, pages)
    search = Search(database)
    with psycopg.connect(database_url.render_as_string(False), autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE lorewise.posting")
    asked = await search.prepare("word7 word8", {"en": 1})
    async with database.acting_as({"everyone"}) as connection:
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {Plan(100).statement.text}")
        parameters = search._parameters(asked, 10) | Plan(100).parameters
        plan = (await connection.execute(explain, parameters)).scalar_one()
    scans = [node for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") == "posting"]
    assert [(node["Node Type"], node.get("Index Name")) for node in scans] == [
        ("Index Only Scan", "posting_term"),
        ("Index Scan", "posting_chunk_id"),  # of the ten hits
    ]
    assert "term = " in scans[0]["Index Cond"]
    assert scans[0]["Heap Fetches"] == 0


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
