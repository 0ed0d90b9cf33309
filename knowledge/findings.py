"""What was found for a question: passages, their units ranked, and the signals to decide by."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.embedding import Embedder
from knowledge.grounding import Evidence
from knowledge.languages import ENGLISH, UNKNOWN
from knowledge.merging import merge_neighbours
from knowledge.relevance import Ranked, rank_units
from knowledge.search import Hit, Results, Search
from knowledge.units import units

LOOKED_AT = 30
"""Hits that the signals are made from: how far the best document is before the next ones shows
only where these are there. More of them told nothing more (docs/LOG.md)."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The results of a search with the units of its passages, best first."""

    question: str
    """As it was searched for."""
    language: str
    results: Results
    """`LOOKED_AT` hits, or as many as there are passages, if these are more."""
    hits: Sequence[Hit]
    """The passages, best first: the first hits of the results, neighbours merged."""
    evidence: Evidence
    ranked: Sequence[Ranked]
    embedders: Sequence[Embedder]
    """Those that ranked the units."""
    search_seconds: float


async def find_evidence(
    search: Search, question: str, language: str, audience: frozenset[str], passages: int
) -> Findings:
    """Search, cut the passages into units and rank these.

    Where the question's `language` is unknown, it is English or that of what was found.
    """
    began = time.monotonic()
    results = await search.find(question, audience, k=max(passages, LOOKED_AT))
    hits = merge_neighbours(results.hits[:passages])
    search_seconds = time.monotonic() - began
    if language == UNKNOWN:
        language = ENGLISH if question.isascii() else results.signals.language
    evidence = Evidence(
        [unit for index, hit in enumerate(hits) for unit in units(index, hit.text, hit.language)],
        [hit.full_title for hit in hits],
        [hit.language for hit in hits],
    )
    embedders = _embedders(search.embedders, language, hits)
    ranked = await rank_units(question, language, evidence, embedders)
    return Findings(question, language, results, hits, evidence, ranked, embedders, search_seconds)


def _embedders(
    embedders: Sequence[Embedder], language: str, hits: Sequence[Hit]
) -> Sequence[Embedder]:
    """All embedders where question and passages are English, else the multilingual one."""
    english = language == ENGLISH and all(hit.language == ENGLISH for hit in hits)
    return embedders if english else embedders[-1:]
