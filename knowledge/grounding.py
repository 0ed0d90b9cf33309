"""Does a passage say what a sentence says? The guard between the model and the reader.

The check is lexical and strict on purpose: a small model's errors are numbers, names and
negations that no passage contains, and those are exactly what words can tell.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.units import Unit
from knowledge.wording import FUNCTION_WORDS, Terms, terms

SUPPORT = 0.75
"""Share of a sentence's weight that its unit must contain; docs/LOG.md holds the figures."""


FUNCTION_WORD_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Support:
    """The unit that says it, and the share of the sentence's weight that it contains."""

    unit: Unit
    share: float


class Evidence:
    """The units of the passages at hand, ready to be asked whether they support a sentence."""

    def __init__(
        self, units: Sequence[Unit], titles: Sequence[str], languages: Sequence[str]
    ) -> None:
        """`titles` and `languages` are those of the passages that the units come from."""
        self.units = units
        self.titles = titles
        self._terms = [terms(f"{u.context} {u.text}", languages[u.passage]) for u in units]
        self._title_stems = [
            terms(title, language).stems for title, language in zip(titles, languages, strict=True)
        ]
        counts = Counter(stem for unit in self._terms for stem in unit.stems)
        # A word that stands in most units says little; one that stands in none says the most.
        self._weights = {stem: math.log(1 + len(units) / n) for stem, n in counts.items()}
        self._unseen = math.log(1 + 2 * max(1, len(units)))

    def weight(self, stem: str) -> float:
        """How much a word says among these units."""
        if stem in FUNCTION_WORDS:
            return FUNCTION_WORD_WEIGHT
        return self._weights.get(stem, self._unseen)

    def share(self, wanted: Iterable[str], present: frozenset[str]) -> float:
        """The weighted share of `wanted` that is `present`; 0 for nothing wanted."""
        weights = {stem: self.weight(stem) for stem in wanted}
        total = sum(weights.values())
        return sum(w for stem, w in weights.items() if stem in present) / total if total else 0.0

    def stems_of(self, index: int) -> frozenset[str]:
        """The stems of a unit and of its passage's title."""
        return self._terms[index].stems | self._title_stems[self.units[index].passage]

    def has_number(self, index: int) -> bool:
        """Whether a unit says a number."""
        return bool(self._terms[index].numbers)

    def support(self, sentence: str, language: str) -> Support | None:
        """The best unit (alone, or with the next one) that says the sentence, or None.

        Every number of the sentence must stand in that unit, and it must be negated as the
        sentence is: a wrong number or a lost "not" is worse than no answer.
        """
        said = terms(sentence, language)
        if not said.stems:
            return None
        best: Support | None = None
        for index, unit in enumerate(self.units):
            for present in self._windows(index):
                if said.numbers - present.numbers or said.negated != present.negated:
                    continue
                share = self.share(said.stems, present.stems | self._title_stems[unit.passage])
                if share >= SUPPORT and (best is None or share > best.share):
                    best = Support(unit, share)
        return best

    def _windows(self, index: int) -> Iterable[Terms]:
        alone = self._terms[index]
        yield alone
        following = index + 1
        if following < len(self.units) and (
            self.units[following].passage == self.units[index].passage
        ):
            after = self._terms[following]
            yield Terms(
                alone.stems | after.stems,
                alone.numbers | after.numbers,
                alone.negated or after.negated,
            )


def is_repeated(sentence: str, earlier: Iterable[str], language: str) -> bool:
    """Whether the sentence says what an earlier one said, as small models like to.

    A new number is something new, however alike the words are.
    """
    new = terms(sentence, language)
    return any(
        len(new.stems & old.stems) >= 0.8 * len(new.stems) and new.numbers <= old.numbers
        for old in (terms(text, language) for text in earlier)
        if new.stems
    )
