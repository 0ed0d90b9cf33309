"""How well the search finds: rankings of documents by the real search, judged by trec_eval.

A document stands where its best chunk stands. The metrics are trec_eval's own, by
https://pypi.org/project/pytrec-eval-terrier/; docs/evaluation.md says what each means.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.errors import EvaluationError
from knowledge.evaluation.collection import Collection, Qrels
from knowledge.evaluation.indexed import READERS, indexed_corpus
from knowledge.index import Embedders, Progress
from knowledge.rerank import Reranker
from knowledge.search import Hit, Search, Weights

CHUNKS = 100
"""Looked at for a ranking of documents: with long documents ten of them need many chunks."""
DOCUMENTS = 10
"""Places of a ranking that count."""
LEGS = frozenset({"lexical", "dense"})


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one question: documents, best first, each by its best chunk."""

    question: str
    hits: tuple[Hit, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Asking:
    """Where a run of questions stands."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """The figures of a run, and what was found for each question."""

    metrics: Mapping[str, float]
    questions: int
    documents: int
    chunks: int
    left_out: tuple[tuple[str, str], ...]
    """Documents that could not be indexed or are empty, with the reason."""
    seconds: Mapping[str, float]
    configuration: Mapping[str, Any]
    found: tuple[Found, ...]

    def as_json(self) -> dict[str, Any]:
        """The figures in the form that the design promises."""
        return {
            **{name: round(value, 4) for name, value in self.metrics.items()},
            "queries": self.questions,
            "documents": self.documents,
            "chunks": self.chunks,
            "left_out": [{"document": key, "reason": reason} for key, reason in self.left_out],
            "seconds": {name: round(value, 4) for name, value in self.seconds.items()},
            "configuration": dict(self.configuration),
        }


async def evaluate_retrieval(
    database: Database,
    collection: Collection,
    embedders: Embedders,
    *,
    width_tokens: int,
    weights: Weights | None = None,
    legs: frozenset[str] = LEGS,
    media_type: str = "text/plain",
    reranker: Reranker | None = None,
    indexing: Callable[[Progress], None] | None = None,
    asking: Callable[[Asking], None] | None = None,
) -> RetrievalReport:
    """Index the collection in a scratch schema, ask its questions, and judge what is found.

    Raises:
        EvaluationError: the library of the metrics is not installed, or a leg is unknown.
    """
    require_metrics()
    models, weights = legs_of(legs, [model for model, _ in embedders], weights or Weights())
    async with indexed_corpus(
        database,
        collection.documents,
        embedders,
        width_tokens=width_tokens,
        media_type=media_type,
        progress=indexing,
    ) as corpus:
        search = Search(corpus.database, models, weights, reranker=reranker)
        found = [each async for each in _ask(search, collection.questions, asking)]
    report = corpus.report
    return RetrievalReport(
        metrics=metrics(collection.qrels, {each.question: _keys(each.hits) for each in found}),
        questions=len(found),
        documents=corpus.documents,
        chunks=corpus.chunks,
        left_out=(*report.failed, *report.skipped),
        seconds={"index": report.seconds, **percentiles([each.seconds for each in found])},
        configuration={
            "embedders": [embedder.name for embedder, _ in embedders],
            "legs": sorted(legs),
            "weights": asdict(weights),
            "chunk_width_tokens": width_tokens,
            "media_type": media_type,
            "reranker": reranker.name if reranker else None,
        },
        found=tuple(found),
    )


def legs_of(
    legs: frozenset[str], models: Sequence[Embedder], weights: Weights
) -> tuple[Sequence[Embedder], Weights]:
    """The embedders and weights of a search with these legs only. Raises EvaluationError."""
    if not legs or legs - LEGS:
        raise EvaluationError(f"Legs are {', '.join(sorted(LEGS))}; choose one or more of them.")
    if "lexical" not in legs:
        weights = Weights(**{**asdict(weights), "lexical": 0.0})
    return (models if "dense" in legs else ()), weights


async def _ask(
    search: Search, questions: Mapping[str, str], tell: Callable[[Asking], None] | None
) -> AsyncIterator[Found]:
    """One question after the other, so that each time is a search's own."""
    for number, (id_, question) in enumerate(questions.items(), 1):
        began = time.perf_counter()
        hits = await search.search(question, READERS, k=CHUNKS)
        seconds = time.perf_counter() - began
        best = {hit.document_key: hit for hit in reversed(hits)}
        yield Found(id_, tuple(sorted(best.values(), key=lambda hit: hit.rank)), seconds)
        if tell:
            tell(Asking(number, len(questions)))


def _keys(hits: Sequence[Hit]) -> list[str]:
    return [hit.document_key for hit in hits]


def require_metrics() -> None:
    """Refuse to begin what could not be judged at the end. Raises EvaluationError."""
    try:
        import pytrec_eval  # noqa: F401
    except ImportError as error:
        raise EvaluationError(
            "The library of the metrics is not installed: pip install 'lorewise[evaluate]'"
        ) from error


def metrics(qrels: Qrels, rankings: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Means over the questions of `rankings` (document ids, best first) by trec_eval."""
    import pytrec_eval

    judged = {id_: dict(qrels[id_]) for id_ in rankings}
    evaluator = pytrec_eval.RelevanceEvaluator(
        judged, {"ndcg_cut.10", "recall.10", "success.1,3", "recip_rank"}
    )
    # trec_eval orders by score, and equal scores by name: the place itself is the score.
    runs = {
        id_: {key: float(DOCUMENTS - place) for place, key in enumerate(ranking[:DOCUMENTS])}
        for id_, ranking in rankings.items()
    }
    values = list(evaluator.evaluate(runs).values())
    names = {
        "ndcg@10": "ndcg_cut_10",
        "recall@10": "recall_10",
        "hit@1": "success_1",
        "hit@3": "success_3",
        "mrr@10": "recip_rank",
    }
    # A question for which nothing was found has no row, and counts as nothing.
    return {ours: sum(v[theirs] for v in values) / len(runs) for ours, theirs in names.items()}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile of searches' times."""
    return {
        "search_p50": float(np.percentile(seconds, 50)),
        "search_p95": float(np.percentile(seconds, 95)),
    }


def details(report: RetrievalReport, collection: Collection) -> list[dict[str, Any]]:
    """One record a question: what was found in which place, and by which leg."""
    return [_detail(each, collection) for each in report.found]


def _detail(found: Found, collection: Collection) -> dict[str, Any]:
    relevant = {key for key, score in collection.qrels[found.question].items() if score > 0}
    places = [n for n, hit in enumerate(found.hits, 1) if hit.document_key in relevant]
    return {
        "id": found.question,
        "question": collection.questions[found.question],
        "relevant": sorted(relevant),
        "rank": places[0] if places else None,
        "documents": [_document(hit) for hit in found.hits[:DOCUMENTS]],
        "seconds": round(found.seconds, 4),
    }


def _document(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.document_key,
        "title": hit.title,
        "chunk": hit.position,
        "score": round(hit.score, 5),
        "ranks": dict(hit.ranks),
        "cosine": hit.cosine,
        "bm25": hit.bm25,
        "covered": round(hit.covered, 4),
    }
