"""The only reader of chunks: what is found for a question, within what its reader may see.

One statement (search.sql) ranks by meaning and by words (BM25 over `posting`), and fuses both by
the weighted mean of their scores, each scaled to its own best and last place (a convex combination:
Bruch et al., "An Analysis of Fusion Functions for Hybrid Retrieval", 2023). It is exact for a
reader of few chunks; knowledge/plan.py says how one of many is served. Figures behind the defaults
of `Weights` are in docs/LOG.md.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.languages import CONFIGURATIONS, ENGLISH, UNKNOWN, configuration, detect
from knowledge.plan import STATEMENTS, Limits, Plan, VectorIndex, choose
from knowledge.postings import split_text, storable
from knowledge.rerank import CANDIDATES, Reranker

logger = logging.getLogger(__name__)

_VISIBLE_LANGUAGES = sql(STATEMENTS["visible_languages"])
_VECTOR_INDEXES = sql(STATEMENTS["vector_indexes"])
_SET = sql(
    "SELECT set_config(name, value, true) "
    "FROM unnest(CAST(:names AS text[]), CAST(:values AS text[])) AS given (name, value)"
)

LONGEST_QUESTION = 4000  # characters; no embedder reads more, and each word costs a look-up


@dataclass(frozen=True, slots=True)
class Weights:
    """How the rankings are fused; measured (docs/LOG.md)."""

    lexical: float = 1.0
    dense: float = 1.0
    multilingual: float = 0.7  # where it stands beside the English embedder
    depth: int = 100  # places of each ranking that count
    k1: float = 1.2  # BM25: how soon a repeated word stops to count
    b: float = 0.75  # BM25: how far a long chunk is discounted


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. `rank` begins with 1; `score` is the fused one.

    `cosine` is by the question's first embedder that has a vector of this chunk; `bm25` is None
    where the chunk has none of the question's words; `covered` is the share (0..1) of the
    question's words, weighted by rarity, that it has. `ranks` are its places in the rankings that
    were fused: "lexical", and each embedder's by its name.
    """

    rank: int
    chunk_id: int
    document_id: int
    document_key: str
    title: str
    url: str | None
    heading_path: tuple[str, ...]
    page: int | None
    position: int
    text: str
    summary: str  # of its document
    language: str
    score: float
    cosine: float | None
    bm25: float | None
    covered: float
    acl_id: int
    modified_at: datetime | None
    ranks: Mapping[str, int] = field(default_factory=dict)

    @property
    def full_title(self) -> str:
        """The document's title and the headings above the passage."""
        return " > ".join([self.title, *self.heading_path])


@dataclass(frozen=True, slots=True)
class Signals:
    """What the decision to answer can be made from.

    `top_cosines` are the best cosine over all visible chunks by each embedder that was asked;
    `bm25_margin` is the best BM25 score less the second's. `unknown` is the share of the
    question's words, weighted by rarity, that no visible chunk has; `asked` is the weight of all
    of them, which no BM25 score can reach.
    """

    language: str
    visible_chunks: int
    top_cosines: Mapping[str, float]
    top_bm25: float | None
    bm25_margin: float | None
    covered: float
    unknown: float = 0.0
    asked: float = 0.0


@dataclass(frozen=True, slots=True)
class Results:
    """The hits, best first, and the signals."""

    hits: tuple[Hit, ...]
    signals: Signals


@dataclass(frozen=True, slots=True)
class _Ranking:
    """One embedder's part: `language` is the only one that it reads, None where it reads all."""

    model: str
    vector: NDArray[np.float32]
    weight: float
    language: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question made ready: its words and its vectors."""

    language: str
    words: str
    pairs: list[str]
    rankings: tuple[_Ranking, ...]
    visible: Mapping[str, int]  # chunks by language


@dataclass(frozen=True)
class Search:
    """Search over one database.

    `embedders`: the last reads every language; one before it reads English only. A single one
    serves all. None at all: search by words only. `reranker` looks at the best hits again.
    """

    database: Database
    embedders: Sequence[Embedder] = ()
    weights: Weights = field(default_factory=Weights)
    limits: Limits = field(default_factory=Limits)
    reranker: Reranker | None = None

    async def search(
        self, question: str, asker_principals: frozenset[str], *, k: int = 10
    ) -> list[Hit]:
        """The `k` best chunks that these principals may read, best first. See `find`."""
        return list((await self.find(question, asker_principals, k=k)).hits)

    async def find(
        self, question: str, asker_principals: frozenset[str], *, k: int = 10
    ) -> Results:
        """The `k` best chunks with the signals of the search.

        An empty question finds nothing. Of one longer than `LONGEST_QUESTION` characters only the
        beginning is read. Fewer than `k` come back only where fewer than `k` are visible (or,
        without embedders, where fewer have a word of the question).
        """
        if k < 1:
            raise ValueError(f"k is {k}; it must be at least 1")
        question = storable(question).strip()[:LONGEST_QUESTION]
        async with self.database.acting_as(asker_principals) as connection:
            languages = dict(tuple(row) for row in await connection.execute(_VISIBLE_LANGUAGES))
        if not question or not languages:
            return Results((), Signals(UNKNOWN, sum(languages.values()), {}, None, None, 0.0))
        asked = await self.prepare(question, languages)
        async with self.database.acting_as(asker_principals) as connection:
            wide = max(k, CANDIDATES) if self.reranker else k
            plan = await self.plan(connection, asked, wide)
            results = await self.run(connection, asked, wide, plan)
        return await self._reranked(question, results, k)

    async def _reranked(self, question: str, results: Results, k: int) -> Results:
        """The `k` best by the reranker, if there is one; it sees a passage under its headings."""
        if self.reranker is None:
            return results
        near, far = results.hits[:CANDIDATES], results.hits[CANDIDATES:]
        texts = [f"{hit.full_title}\n{hit.text}" for hit in near]
        scores = await self.reranker.scores(question, texts)
        ordered = [near[index] for index in np.argsort(-scores, kind="stable")]
        ranked = [replace(hit, rank=n) for n, hit in enumerate([*ordered, *far][:k], 1)]
        return replace(results, hits=tuple(ranked))

    async def prepare(self, question: str, languages: Mapping[str, int]) -> _Asked:
        """Detect the question's language, split it and embed it, all that needs no rights."""
        language = detect(question)
        words, pairs = split_text(question)
        chosen = self._choose(language, question)
        vectors = await asyncio.gather(
            *(embedder.embed_questions([question]) for embedder, _, _ in chosen)
        )
        rankings = tuple(
            _Ranking(embedder.name, vector[0], weight, reads)
            for (embedder, weight, reads), vector in zip(chosen, vectors, strict=True)
        )
        return _Asked(language, words, list(dict.fromkeys(pairs)), rankings, languages)

    def _choose(self, language: str, question: str) -> list[tuple[Embedder, float, str | None]]:
        """The embedders that serve a question, the most telling first: weight, only language."""
        if len(self.embedders) < 2:
            return [(embedder, self.weights.dense, None) for embedder in self.embedders]
        first, last = self.embedders[0], self.embedders[-1]
        if language == ENGLISH or (language == UNKNOWN and question.isascii()):
            return [(first, self.weights.dense, ENGLISH), (last, self.weights.multilingual, None)]
        return [(last, self.weights.dense, None)]

    async def plan(self, connection: AsyncConnection, asked: _Asked, k: int) -> Plan:
        """How to run the statement for this reader: exactly, or by what is indexed."""
        visible = sum(asked.visible.values())
        indexes = {}
        if visible > self.limits.exact_chunks:
            wanted = {ranking.model for ranking in asked.rankings}
            for row in await connection.execute(_VECTOR_INDEXES):
                if row.name in wanted:
                    indexes[row.name] = VectorIndex(row.model_id, row.dimensions, row.vectors)
        return choose(visible, indexes, self._depth(k), self.limits)

    async def run(self, connection: AsyncConnection, asked: _Asked, k: int, plan: Plan) -> Results:
        """Run the statement in a transaction that acts as the reader."""
        if plan.settings:
            names, values = list(plan.settings), list(plan.settings.values())
            await connection.execute(_SET, {"names": names, "values": values})
        rows = await self._rows(connection, asked, k, plan)
        if plan.indexes and _falls_short(rows[0], asked, k):
            logger.warning(
                "The index of vectors found too few; all visible vectors are compared.",
                extra={"action": "nearest_fell_short", "visible": rows[0].visible_chunks},
            )
            rows = await self._rows(connection, asked, k, plan.without_indexes())
        if len(rows[0].models) < len(asked.rankings):
            logger.warning(
                "An embedder has no vectors in this database; its ranking is left out.",
                extra={"action": "embedder_without_vectors"},
            )
        return _results(asked.language, rows)

    async def _rows(
        self, connection: AsyncConnection, asked: _Asked, k: int, plan: Plan
    ) -> Sequence[Any]:
        parameters = self._parameters(asked, k) | plan.parameters
        return (await connection.execute(plan.statement, parameters)).all()

    def _depth(self, k: int) -> int:
        return max(self.weights.depth, k)

    def _parameters(self, asked: _Asked, k: int) -> dict[str, Any]:
        rankings = asked.rankings
        weights = self.weights
        known = asked.language != UNKNOWN
        return {
            "language": asked.language,
            "words": asked.words,
            "pairs": asked.pairs,
            "own_configuration": configuration(asked.language) if known else None,
            "languages": list(CONFIGURATIONS),
            "configurations": list(CONFIGURATIONS.values()),
            "models": [ranking.model for ranking in rankings],
            "vectors": [_halfvec(ranking.vector) for ranking in rankings],
            "weights": [ranking.weight for ranking in rankings],
            "model_languages": [ranking.language for ranking in rankings],
            "lexical_weight": weights.lexical,
            "k1": weights.k1,
            "b": weights.b,
            "k": k,
        }


def _halfvec(vector: NDArray[np.float32]) -> str:
    return "[" + ",".join(map(str, vector.tolist())) + "]"


def _falls_short(first: Any, asked: _Asked, k: int) -> bool:
    """Whether a ranking by meaning has fewer than k chunks although its reader sees more."""
    found = dict(zip(first.models, first.nearest, strict=True))
    for ranking in asked.rankings:
        visible = sum(asked.visible.values())
        if ranking.language is not None:
            visible = asked.visible.get(ranking.language, 0)
        if found.get(ranking.model, k) < min(k, visible):
            return True
    return False


def _results(language: str, rows: Sequence[Any]) -> Results:
    first = rows[0]
    hits = tuple(
        _hit(rank, row, first.asked_idf)
        for rank, row in enumerate(rows, 1)
        if row.chunk_id is not None
    )
    margin = None if first.top_bm25 is None else first.top_bm25 - (first.second_bm25 or 0.0)
    cosines = {
        name: cosine
        for name, cosine in zip(first.models, first.top_cosines, strict=True)
        if cosine is not None
    }
    asked = first.asked_idf or 0.0
    signals = Signals(
        language=language,
        visible_chunks=first.visible_chunks,
        top_cosines=cosines,
        top_bm25=first.top_bm25,
        bm25_margin=margin,
        covered=hits[0].covered if hits else 0.0,
        unknown=(first.unknown_idf or 0.0) / asked if asked else 0.0,
        asked=asked,
    )
    return Results(hits, signals)


def _hit(rank: int, row: Any, asked_idf: float | None) -> Hit:
    covered = min(1.0, row.covered / asked_idf) if row.covered and asked_idf else 0.0
    return Hit(
        rank=rank,
        chunk_id=row.chunk_id,
        document_id=row.document_id,
        document_key=row.key,
        title=row.title,
        url=row.url,
        heading_path=tuple(row.heading_path),
        page=row.page,
        position=row.position,
        text=row.text,
        summary=row.summary,
        language=row.language,
        score=row.score,
        cosine=row.cosine,
        bm25=row.bm25,
        covered=covered,
        acl_id=row.acl_id,
        modified_at=row.modified_at,
        ranks=row.ranks,
    )
