"""Whatever happens to documents and readers, an answer holds what its reader may see: compared with
brute force over a model in memory, by the exact search and by the one for large collections.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.chunking import Chunk
from knowledge.database import Database, connect
from knowledge.documents import Documents, NewDocument
from knowledge.plan import Limits
from knowledge.search import Hit, Results, Search
from knowledge.sources import SourceDocument
from knowledge.sources.registered import register_source, remove_source
from tests.integration.test_search import Known, as_stored, unit

Result = TypeVar("Result")

VOCABULARY = ("visa", "badge", "merger", "bonus", "canteen", "zebra")
PRINCIPALS = ("everyone", "group:T:A", "group:T:B", "user:T:U1", "user:T:U2", "email:a@b.c")
READERS = ("anna", "ben", "nobody")
SOURCES = ("handbook", "wiki")
K1, B = 1.2, 0.75

words = st.lists(st.sampled_from(VOCABULARY[:-1]), min_size=1, max_size=8)
bodies = st.lists(words, min_size=1, max_size=3)
audiences = st.frozensets(st.sampled_from(PRINCIPALS), min_size=1, max_size=3)
questions = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=3, unique=True)


@dataclass(slots=True)
class Paper:
    """A document of the model: its chunks' words and vectors, and who may read it."""

    bodies: list[list[str]]
    vectors: NDArray[np.float32]
    audience: frozenset[str]


@dataclass(slots=True)
class Piece:
    """A visible chunk of the model."""

    name: tuple[str, int]
    words: list[str]
    vector: NDArray[np.float32]


@dataclass(slots=True)
class World:
    """The brute-force model."""

    papers: dict[tuple[str, str], Paper] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in READERS})

    def visible(self, reader: str) -> list[Piece]:
        mine = self.members[reader]
        return [
            Piece((f"{source}/{key}", position), body, paper.vectors[position])
            for (source, key), paper in self.papers.items()
            if mine & paper.audience
            for position, body in enumerate(paper.bodies)
        ]


class Rights(RuleBasedStateMachine):
    """Grants, revocations, changes, moves and removals in any order, and questions in between."""

    documents = Bundle("documents")

    def __init__(self, url: URL, superuser: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database: Database = self.run(_connected(url))
        self.superuser = superuser
        self.world = World()
        self.random = np.random.default_rng(0)
        self.sources: dict[str, int] = {}
        self.made = 0

    def run(self, work: Awaitable[Result]) -> Result:
        async def wait() -> Result:
            return await work

        return self.runner.run(wait())

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        with psycopg.connect(self.superuser, autocommit=True) as admin:
            admin.execute("SET search_path TO lorewise, public")
            admin.execute("TRUNCATE source, acl, document, chunk, embedding, posting CASCADE")
            admin.execute("TRUNCATE collection_size")

    @rule(
        target=documents,
        source=st.sampled_from(SOURCES),
        body=bodies,
        audience=audiences,
    )
    def index(
        self, source: str, body: list[list[str]], audience: frozenset[str]
    ) -> tuple[str, str]:
        self.made += 1
        self._write(source, f"{self.made}.md", body, audience)
        return source, f"{self.made}.md"

    @rule(document=documents, body=bodies, audience=audiences)
    def index_a_changed_one(
        self, document: tuple[str, str], body: list[list[str]], audience: frozenset[str]
    ) -> None:
        if document in self.world.papers:
            self._write(*document, body, audience)

    @rule(document=documents, audience=audiences)
    def move(self, document: tuple[str, str], audience: frozenset[str]) -> None:
        if document in self.world.papers:
            self.run(self._change_readers(*document, audience))
            self.world.papers[document].audience = audience

    @rule(target=documents, document=consumes(documents))
    def delete(self, document: tuple[str, str]) -> object:
        if self.world.papers.pop(document, None) is not None:
            self.run(self._remove(*document))
        return multiple()

    @precondition(lambda self: len(self.sources) > 0)
    @rule(source=st.sampled_from(SOURCES))
    def delete_source(self, source: str) -> None:
        if self.sources.pop(source, None) is not None:
            self.run(remove_source(self.database, source))
            self.world.papers = {
                name: paper for name, paper in self.world.papers.items() if name[0] != source
            }

    @rule(reader=st.sampled_from(READERS[:-1]), principal=st.sampled_from(PRINCIPALS))
    def grant(self, reader: str, principal: str) -> None:
        self.world.members[reader].add(principal)

    @rule(reader=st.sampled_from(READERS[:-1]), principal=st.sampled_from(PRINCIPALS))
    def revoke(self, reader: str, principal: str) -> None:
        self.world.members[reader].discard(principal)

    @rule(reader=st.sampled_from(READERS), asked=questions, k=st.integers(1, 12))
    def ask(self, reader: str, asked: list[str], k: int) -> None:
        question = " ".join(asked)
        vector = unit(self.random, 1)[0]
        principals = frozenset(self.world.members[reader])
        visible = self.world.visible(reader)
        embedder = Known("m", {question: vector})
        for limits in (Limits(), Limits(exact_chunks=0, all_postings_chunks=0, scan_cost=0)):
            search = Search(self.database, [embedder], limits=limits)
            check(self.run(search.find(question, principals, k=k)), visible, asked, vector, k)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()

    def _write(
        self, source: str, key: str, body: list[list[str]], audience: frozenset[str]
    ) -> None:
        paper = Paper(body, unit(self.random, len(body)), audience)
        self.run(self._index(source, key, paper))
        self.world.papers[source, key] = paper

    async def _open(self, connection: AsyncConnection, source: str) -> tuple[Documents, int]:
        if source not in self.sources:
            registered = await register_source(
                self.database, name=source, kind="folder", location=source, principals=["everyone"]
            )
            self.sources[source] = registered.id
        documents = Documents(connection, self.sources[source])
        return documents, (await documents.prepare([("m", 16)]))["m"]

    async def _index(self, source: str, key: str, paper: Paper) -> None:
        async with self.database.indexer.connect() as connection:
            documents, model = await self._open(connection, source)
            await documents.write(
                NewDocument(
                    origin=SourceDocument(f"{source}/{key}", "text/plain", _no_bytes),
                    title=key,
                    url=None,
                    language="und",
                    summary="",
                    content_hash="x",
                    acl_id=await documents.acl(paper.audience),
                    chunks=[
                        Chunk("", (), None, position, " ".join(body), len(body))
                        for position, body in enumerate(paper.bodies)
                    ],
                    languages=["und"] * len(paper.bodies),
                    vectors={model: dict(enumerate(paper.vectors))},
                )
            )

    async def _change_readers(self, source: str, key: str, audience: frozenset[str]) -> None:
        async with self.database.indexer.connect() as connection:
            documents, _ = await self._open(connection, source)
            stored = await documents.stored([f"{source}/{key}"], named=[])
            acl_id = await documents.acl(audience)
            await documents.change_readers(stored[f"{source}/{key}"].id, acl_id)

    async def _remove(self, source: str, key: str) -> None:
        async with self.database.indexer.connect() as connection:
            documents, _ = await self._open(connection, source)
            await documents.remove([f"{source}/{key}"])


def check(
    results: Results, visible: list[Piece], asked: list[str], question: NDArray[np.float32], k: int
) -> None:
    """The hits and the signals are those of a database that holds the visible chunks alone."""
    pieces = {piece.name: piece for piece in visible}
    assert results.signals.visible_chunks == len(visible)
    assert len(results.hits) == min(k, len(visible))
    assert {_name(hit) for hit in results.hits} <= pieces.keys()
    cosines = {
        piece.name: float(as_stored(piece.vector) @ as_stored(question)) for piece in visible
    }
    scores, idf = bm25(visible, asked)
    for hit in results.hits:
        assert hit.text == " ".join(pieces[_name(hit)].words)
        assert hit.cosine == pytest.approx(cosines[_name(hit)], abs=1e-6)
        assert (hit.bm25 or 0.0) == pytest.approx(scores[_name(hit)], rel=1e-9)
        known = sum(idf[word] for word in asked if word in pieces[_name(hit)].words)
        assert hit.covered == pytest.approx(known / sum(idf.values()), rel=1e-9)
    best = [*sorted(scores.values(), reverse=True), 0.0, 0.0]
    assert (results.signals.top_bm25 or 0.0) == pytest.approx(best[0], rel=1e-9)
    assert (results.signals.bm25_margin or 0.0) == pytest.approx(best[0] - best[1], abs=1e-9)
    top = [max(cosines.values())] if cosines else []
    assert list(results.signals.top_cosines.values()) == pytest.approx(top, abs=1e-6)
    if not best[0]:  # no word of it is known here: the ranking is the one by meaning
        nearest = sorted(cosines, key=lambda name: -cosines[name])[:k]
        assert [_name(hit) for hit in results.hits] == nearest


def bm25(
    visible: list[Piece], asked: list[str]
) -> tuple[dict[tuple[str, int], float], dict[str, float]]:
    """Lucene's BM25 with the figures of the visible chunks; the rarity of each word asked for."""
    count = len(visible)
    average = sum(len(piece.words) for piece in visible) / count if count else 1.0
    frequencies = Counter(word for piece in visible for word in set(piece.words))
    idf = {
        word: math.log(1 + (count - frequencies[word] + 0.5) / (frequencies[word] + 0.5))
        for word in asked
    }
    scores = {}
    for piece in visible:
        norm = K1 * (1 - B + B * len(piece.words) / average)
        tf = Counter(piece.words)
        scores[piece.name] = sum(idf[word] * tf[word] / (tf[word] + norm) for word in asked)
    return scores, idf


def _name(hit: Hit) -> tuple[str, int]:
    return hit.document_key, hit.position


async def _connected(url: URL) -> Database:
    return connect(url, pool_size=2)


async def _no_bytes() -> bytes:
    raise AssertionError("nothing is loaded")


def test_no_order_of_events_shows_a_passage_outside_its_audience_or_withholds_one(
    database_url: URL,
) -> None:
    superuser = database_url.set(username="postgres").render_as_string(False)
    asyncio.run(_with_an_index(database_url))

    class Here(Rights):
        def __init__(self) -> None:
            super().__init__(database_url, superuser)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


async def _with_an_index(url: URL) -> None:
    """An index of vectors from the beginning; every later write goes into it."""
    database = await _connected(url)
    async with database.indexer.begin() as connection:
        await connection.execute(text("SELECT register_embedding_model('m', 16)"))
    with psycopg.connect(url.render_as_string(False), autocommit=True) as owner:
        owner.execute(
            "CREATE INDEX embedding_1_nearest ON lorewise.embedding_1 "
            "USING hnsw ((vector::public.halfvec(16)) public.halfvec_ip_ops)"
        )
    await database.close()
