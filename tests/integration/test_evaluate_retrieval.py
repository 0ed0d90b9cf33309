"""Retrieval is measured through the real pipeline, in a schema that does not stay."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from knowledge.database import Database, migrate_schema
from knowledge.errors import EvaluationError
from knowledge.evaluation.collection import read_collection
from knowledge.evaluation.indexed import READERS, indexed_corpus
from knowledge.evaluation.retrieval import RetrievalReport, details, evaluate_retrieval
from knowledge.evaluation.scratch import PREFIX, scratch_database
from knowledge.evaluation.vectors import RememberingEmbedder
from knowledge.search import Search, Weights
from tests.collections import CORPUS, write_collection
from tests.hashing_embedder import HashingEmbedder


def schemas(url: URL) -> list[str]:
    with psycopg.connect(url.render_as_string(False)) as owner:
        rows = owner.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'lorewise_%'")
        return [row[0] for row in rows]


async def measure(
    database: Database, folder: Path, legs: frozenset[str] = frozenset({"lexical", "dense"})
) -> RetrievalReport:
    return await evaluate_retrieval(
        database,
        read_collection(folder),
        [(HashingEmbedder(dimensions=256), lambda _: True)],
        width_tokens=200,
        legs=legs,
    )


async def test_a_collection_is_indexed_asked_and_judged(database: Database, tmp_path: Path) -> None:
    folder = write_collection(tmp_path)
    report = await measure(database, folder)
    assert report.metrics["hit@1"] == report.metrics["recall@10"] == 1.0
    printed = report.as_json()
    assert printed["queries"] == 4
    assert printed["documents"] == 4
    assert printed["chunks"] == 4
    assert printed["seconds"].keys() == {"index", "search_p50", "search_p95"}
    assert printed["configuration"]["embedders"] == ["hashing"]
    first = details(report, read_collection(folder))[1]
    assert first["rank"] == 1
    assert first["relevant"] == ["path/to page?#1"]
    assert first["documents"][0]["id"] == "path/to page?#1"
    assert first["documents"][0]["title"] == "Parking"
    assert first["documents"][0]["ranks"] == {"lexical": 1, "hashing": 1}


async def test_a_wrong_judgement_is_seen(database: Database, tmp_path: Path) -> None:
    folder = write_collection(tmp_path, qrels=[("q1", "食堂", 1), ("q2", "path/to page?#1", 1)])
    report = await measure(database, folder)
    assert report.metrics["hit@1"] == 0.5
    assert details(report, read_collection(folder))[0]["rank"] not in {None, 1}


async def test_a_leg_that_is_left_out_ranks_nothing(database: Database, tmp_path: Path) -> None:
    folder = write_collection(tmp_path)
    lexical = await measure(database, folder, frozenset({"lexical"}))
    assert {tuple(hit.ranks) for each in lexical.found for hit in each.hits} == {("lexical",)}
    dense = await measure(database, folder, frozenset({"dense"}))
    assert dense.configuration["weights"]["lexical"] == 0
    for each in dense.found:
        assert [hit.ranks["hashing"] for hit in each.hits] == [1, 2, 3, 4]
    with pytest.raises(EvaluationError, match="Legs are dense, lexical"):
        await measure(database, folder, frozenset())


async def test_the_weights_reach_the_search(database: Database, tmp_path: Path) -> None:
    """With dense weight zero the fused order is the lexical one."""
    folder = write_collection(tmp_path)
    collection = read_collection(folder)
    embedders = [(HashingEmbedder(dimensions=2), lambda _: True)]  # two numbers: as good as none
    report = await evaluate_retrieval(
        database,
        collection,
        embedders,
        width_tokens=200,
        weights=Weights(dense=0.0),
    )
    assert report.metrics["hit@1"] == 1.0


async def test_the_schema_is_gone_after_the_end_an_error_and_a_cancellation(
    database: Database, database_url: URL
) -> None:
    before = schemas(database_url)
    async with scratch_database(database):
        assert len(schemas(database_url)) == len(before) + 1
    assert schemas(database_url) == before
    with pytest.raises(ValueError, match="boom"):
        async with scratch_database(database):
            raise ValueError("boom")
    assert schemas(database_url) == before

    entered = asyncio.Event()

    async def hold() -> None:
        async with scratch_database(database):
            entered.set()
            await asyncio.sleep(600)

    task = asyncio.create_task(hold())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert schemas(database_url) == before


async def test_what_a_killed_run_left_over_is_dropped_by_the_next_and_a_running_one_is_not(
    database: Database, database_url: URL
) -> None:
    left_over = f"{PREFIX}0123456789ab"
    await asyncio.to_thread(migrate_schema, database_url, left_over)
    with psycopg.connect(database_url.render_as_string(False), autocommit=True) as owner:
        owner.execute("CREATE SCHEMA lorewise_scratch_of_mine")
    async with scratch_database(database) as running:
        assert left_over not in schemas(database_url)
        async with scratch_database(database):
            assert len(schemas(database_url)) == 3
        async with running.acting_as(READERS) as connection:
            assert await connection.exec_driver_sql("SELECT 1 FROM chunk") is not None
    assert schemas(database_url) == ["lorewise_scratch_of_mine"]


async def test_a_scratch_is_under_the_same_policies_and_apart_from_the_index(
    database: Database, tmp_path: Path
) -> None:
    documents = read_collection(write_collection(tmp_path)).documents
    embedders = [(HashingEmbedder(), lambda _: True)]
    async with indexed_corpus(database, documents, embedders, width_tokens=200) as corpus:
        question = "How many days of paid leave do I get?"
        search = Search(corpus.database, [HashingEmbedder()])
        assert await search.search(question, READERS)
        assert await search.search(question, frozenset({"user:T1:U1"})) == []
        assert await Search(database, [HashingEmbedder()]).search(question, READERS) == []
        async with database.acting_as(READERS) as connection:
            rows = await connection.exec_driver_sql("SELECT count(*) FROM source")
            assert rows.scalar_one() == 0


async def test_vectors_are_made_once_for_many_evaluations(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    texts = [str(row["text"]) for row in CORPUS]
    first = HashingEmbedder("a/name with: odd characters")
    made = await RememberingEmbedder(first, folder).embed_passages([*texts, texts[0]])
    assert first.embedded == texts
    second = HashingEmbedder("a/name with: odd characters")
    remembered = await RememberingEmbedder(second, folder).embed_passages([*texts, texts[0]])
    assert second.embedded == []
    assert (remembered == made).all()
    other = HashingEmbedder("another")
    await RememberingEmbedder(other, folder).embed_passages(texts[:1])
    assert other.embedded == texts[:1]
    assert (await RememberingEmbedder(other, folder).embed_passages([])).shape == (0, 32)
