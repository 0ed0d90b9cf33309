"""The signals that the decision to answer is made from: numbers of one question's findings.

All are made so that they mean the same in a large and in a small collection and by any embedder:
shares, places and cosines on the common scale, not raw scores.
"""

import math
from collections.abc import Sequence

from knowledge.findings import Findings
from knowledge.languages import ENGLISH
from knowledge.relevance import scale_of
from knowledge.search import Hit
from knowledge.wording import FUNCTION_WORDS, terms

NAMES = (
    "relevance",
    "relevance_gap",
    "covered",
    "covered_by_document",
    "headline",
    "unknown",
    "lexical_strength",
    "lexical_lead",
    "dense_strength",
    "dense_lead",
    "agreement",
    "fused_spread",
    "concentration",
)
"""The signals' names, in the order of a calibration's coefficients."""


NEAR = 6
"""The hits among which a document can be alone."""
SHARPNESS = 8.0
"""Of the softmax over fused scores, which lie between 0 and 1: 0.1 less is half as likely."""


def signals_of(findings: Findings) -> dict[str, float]:
    """The signals of a question's findings; all are 0 where nothing was found."""
    hits = findings.results.hits
    if not hits or not findings.ranked:
        return dict.fromkeys(NAMES, 0.0)
    first = [hit for hit in hits if hit.document_id == hits[0].document_id]
    others = [hit for hit in hits if hit.document_id != hits[0].document_id]
    return {
        **_units(findings),
        **_words(findings, first),
        **_places(findings, first, others),
    }


def _units(findings: Findings) -> dict[str, float]:
    """How relevant the best unit is, and how far it is before the next five."""
    best = [item.relevance for item in findings.ranked]
    return {
        "relevance": best[0],
        "relevance_gap": best[0] - sum(best[1:6]) / len(best[1:6]) if best[1:] else 0.0,
    }


def _words(findings: Findings, first: Sequence[Hit]) -> dict[str, float]:
    """Of the question's words: what the best passage, its document's passages and all have.

    The headline is the question's first line: the rest of a long one is often only a log.
    """
    there = frozenset[str]().union(*(_stems(hit) for hit in first))
    evidence, language = findings.evidence, findings.language
    asked = terms(findings.question, language).stems - FUNCTION_WORDS
    headline = terms(findings.question.strip().partition("\n")[0], language).stems - FUNCTION_WORDS
    return {
        "covered": findings.results.signals.covered,
        "covered_by_document": evidence.share(asked, there),
        "headline": evidence.share(headline, there),
        "unknown": findings.results.signals.unknown,
    }


def _stems(hit: Hit) -> frozenset[str]:
    return terms(f"{hit.full_title} {hit.text}", hit.language).stems


def _places(findings: Findings, first: Sequence[Hit], others: Sequence[Hit]) -> dict[str, float]:
    """How strong the best document is by each leg, and how far before the next one."""
    signals = findings.results.signals
    bm25 = max((hit.bm25 or 0.0 for hit in first), default=0.0)
    next_bm25 = max((hit.bm25 or 0.0 for hit in others), default=0.0)
    asked = signals.asked or 1.0
    dense = _dense(findings, first)
    return {
        "lexical_strength": (signals.top_bm25 or 0.0) / asked,
        "lexical_lead": (bm25 - next_bm25) / asked,
        "dense_strength": dense,
        "dense_lead": dense - _dense(findings, others),
        "agreement": _agreement([*first, *others], first[0].document_id),
        "fused_spread": _spread([*first, *others]),
        "concentration": sum(hit.rank <= NEAR for hit in first)
        / sum(hit.rank <= NEAR for hit in [*first, *others]),
    }


def _agreement(hits: Sequence[Hit], document: int) -> float:
    """One over the document's place among documents, the mean over the rankings; 0: in none."""
    rankings = {name for hit in hits for name in hit.ranks}
    places = [_place(hits, name, document) for name in rankings]
    return sum(1 / place for place in places if place) / max(1, len(places))


def _place(hits: Sequence[Hit], ranking: str, document: int) -> int | None:
    """The document's place in one ranking, counted in documents."""
    ranked = sorted((hit for hit in hits if ranking in hit.ranks), key=lambda h: h.ranks[ranking])
    documents = list(dict.fromkeys(hit.document_id for hit in ranked))
    return documents.index(document) + 1 if document in documents else None


def _spread(hits: Sequence[Hit]) -> float:
    """How evenly the fused score is spread: the entropy of the best ten documents' as a softmax.

    One that stands out gives little, ten that are alike ln 10.
    """
    best: dict[int, float] = {}
    for hit in hits:
        best[hit.document_id] = max(hit.score, best.get(hit.document_id, hit.score))
    scores = sorted(best.values(), reverse=True)[:10]
    weights = [math.exp(SHARPNESS * (score - scores[0])) for score in scores]
    shares = [weight / sum(weights) for weight in weights]
    return -sum(share * math.log(share) for share in shares if share > 0)


def _dense(findings: Findings, hits: Sequence[Hit]) -> float:
    """The best cosine of these passages on the common scale, each by its own embedder."""
    models = list(findings.results.signals.top_cosines)
    if not models:
        return 0.0
    found = [
        scale_of(models[0] if hit.language == ENGLISH else models[-1]).relevance(hit.cosine)
        for hit in hits
        if hit.cosine is not None
    ]
    return max(found, default=0.0)
