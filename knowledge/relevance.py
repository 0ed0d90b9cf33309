"""Which units of the passages answer the question, and whether that is enough to answer at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.embedding import Embedder
from knowledge.grounding import Evidence
from knowledge.units import Unit
from knowledge.wording import terms

LONGEST_UNIT_CHARACTERS = 600  # of what is embedded; a longer unit is a wall of text anyway
NUMBER_BONUS = 0.03
_ASKS_FOR_A_NUMBER = re.compile(
    r"\b(how (many|much|long|often|soon|quickly|fast|far|old)|when|what time|deadline|maximum|"
    r"minimum|combien|wie viele?|wie lange|wann|cuánt\w+|cuándo)\b|كم|متى",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Scale:
    """Makes cosines of different embedders comparable: `middle` becomes 0.5, `middle` plus or
    minus `spread` becomes 1 or 0. Measured on answerable and unanswerable questions
    (docs/LOG.md)."""

    middle: float
    spread: float

    def relevance(self, cosine: float) -> float:
        """The cosine on the common scale, 0 to 1."""
        return min(1.0, max(0.0, 0.5 + (cosine - self.middle) / (2 * self.spread)))


SCALES = {
    "all-MiniLM-L6-v2": Scale(0.50, 0.50),
    "multilingual-e5-small": Scale(0.84, 0.14),
}
DEFAULT_SCALE = Scale(0.50, 0.50)


def scale_of(embedder: Embedder) -> Scale:
    """The scale of an embedder, by the model's name without its precision."""
    return SCALES.get(embedder.name.split("@")[0].rsplit("/", 1)[-1], DEFAULT_SCALE)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A unit and how well it answers the question, 0 to 1."""

    unit: Unit
    relevance: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the evidence suffices. `relevance` is the best unit's; `coverage` is the weighted
    share of the question's words that the best unit's passage contains."""

    answerable: bool
    relevance: float
    coverage: float


async def rank_units(
    question: str, units: Sequence[Unit], titles: Sequence[str], embedder: Embedder
) -> list[Ranked]:
    """The units, best first. `titles` (with headings) are those of the passages.

    One batch for all units: some forty short texts, a quarter of a second on two cores.
    """
    if not units:
        return []
    texts = [
        f"{titles[unit.passage]}: {unit.context} {unit.text}"[:LONGEST_UNIT_CHARACTERS]
        for unit in units
    ]
    vectors = await embedder.embed_passages(texts)
    [asked] = await embedder.embed_questions([question])
    scale = scale_of(embedder)
    bonus = NUMBER_BONUS if _ASKS_FOR_A_NUMBER.search(question) else 0.0
    ranked = [
        Ranked(unit, scale.relevance(float(cosine)) + (bonus if _has_number(unit) else 0.0))
        for unit, cosine in zip(units, np.asarray(vectors @ asked), strict=True)
    ]
    return sorted(ranked, key=lambda item: -item.relevance)


def _has_number(unit: Unit) -> bool:
    return bool(terms(unit.text, "en").numbers)


ENOUGH = 0.50
"""What `relevance + COVERAGE_WEIGHT * (coverage - 0.5)` must reach for an answer."""
COVERAGE_WEIGHT = 0.30


def judge(question: str, language: str, ranked: Sequence[Ranked], evidence: Evidence) -> Verdict:
    """Decide whether there is enough to answer from."""
    if not ranked:
        return Verdict(answerable=False, relevance=0.0, coverage=0.0)
    best = ranked[0]
    coverage = evidence.coverage(question, language, best.unit.passage)
    score = best.relevance + COVERAGE_WEIGHT * (coverage - 0.5)
    return Verdict(score >= ENOUGH, best.relevance, coverage)
