"""Which units of the passages answer the question."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.embedding import Embedder
from knowledge.grounding import Evidence
from knowledge.units import Unit
from knowledge.wording import terms

LONGEST_UNIT_CHARACTERS = 600  # of what is embedded; a longer unit is a wall of text anyway
WORDS_WEIGHT = 0.15
"""Of the share of the question's words that a unit has, beside its meaning: an error code or a
name says more than its vector does."""
NUMBER_BONUS = 0.10
"""For a unit with a number, where the question asks for one."""

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


def scale_of(model: str) -> Scale:
    """The scale of an embedder, by its name without its precision."""
    return SCALES.get(model.split("@", maxsplit=1)[0].rsplit("/", 1)[-1], DEFAULT_SCALE)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A unit and how well it answers the question: about 0 to 1.25."""

    unit: Unit
    relevance: float


def asks_for_a_number(question: str) -> bool:
    """Whether a question wants a number, a date or a time, as far as its words tell."""
    return bool(_ASKS_FOR_A_NUMBER.search(question))


async def rank_units(
    question: str, language: str, evidence: Evidence, embedders: Sequence[Embedder]
) -> list[Ranked]:
    """The units of the evidence, best first, by the mean of the embedders.

    One call an embedder for all units: some eighty short texts, half a second on two cores.
    """
    if not evidence.units:
        return []
    meaning = np.mean(
        [await _meaning(question, evidence, embedder) for embedder in embedders], axis=0
    )
    asked = terms(question, language).stems
    bonus = NUMBER_BONUS if asks_for_a_number(question) else 0.0
    ranked = [
        Ranked(
            unit,
            float(similarity)
            + WORDS_WEIGHT * evidence.share(asked, evidence.stems_of(index))
            + (bonus if evidence.has_number(index) else 0.0),
        )
        for index, (unit, similarity) in enumerate(zip(evidence.units, meaning, strict=True))
    ]
    return sorted(ranked, key=lambda item: -item.relevance)


async def _meaning(question: str, evidence: Evidence, embedder: Embedder) -> NDArray[np.float64]:
    """How near each unit is to the question by one embedder, on the common scale: (units,).

    The mean of the unit alone and under its title and headings: the title says what "it" is, and
    drowns a short unit.
    """
    bare = [f"{unit.context} {unit.text}".strip() for unit in evidence.units]
    titled = [
        f"{evidence.titles[unit.passage]}: {text}"
        for unit, text in zip(evidence.units, bare, strict=True)
    ]
    texts = [text[:LONGEST_UNIT_CHARACTERS] for text in titled + bare]
    vectors, asked = await asyncio.gather(
        embedder.embed_passages(texts), embedder.embed_questions([question])
    )
    cosines = (vectors @ asked[0]).reshape(2, -1).mean(axis=0)
    scale = scale_of(embedder.name)
    return np.array([scale.relevance(float(cosine)) for cosine in cosines])
