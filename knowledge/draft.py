"""Follows a model's text as it streams and lets through only the sentences that hold.

A sentence holds when a unit of the passages says it and that unit is about as relevant to the
question as the best one: a true sentence that answers another question is no answer.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field

from sentencex import segment

from knowledge.grounding import Evidence, is_repeated
from knowledge.relevance import Ranked
from knowledge.units import Unit, plain

NEAR_THE_BEST = 0.03
"""How much less relevant than the best unit the one may be that a sentence stands on."""
LONGEST_SENTENCES = 4
LONGEST_SENTENCE_WORDS = 60
"""A sentence that is longer and has not ended is a model that goes on and on."""

_SPEAKER = re.compile(r"^(?:(?:answer|assistant|passage \d+[^:]{0,80})\s*:\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Held:
    """A sentence that holds, and the unit it stands on."""

    text: str
    unit: Unit
    starts_paragraph: bool


@dataclass(slots=True)
class Draft:
    """What came of one generation so far."""

    evidence: Evidence
    ranked: Sequence[Ranked]
    language: str
    patience: int = 2
    """Sentences that may fail, one after the other, before the model is stopped."""
    held: list[Held] = field(default_factory=list)
    dropped: int = 0
    _failed: int = 0
    _raw: str = ""

    async def follow(self, deltas: AsyncIterator[str]) -> AsyncGenerator[Held, None]:
        """Sentences that hold, as soon as each is complete; ends when enough has been said."""
        async for delta in deltas:
            self._raw += delta
            for sentence, paragraph in self._complete():
                held = self._judge(sentence, starts_paragraph=paragraph)
                if held:
                    yield held
                if self.is_done:
                    return
            if self.is_done:
                return
        for sentence, paragraph in self._rest():
            held = self._judge(sentence, starts_paragraph=paragraph)
            if held:
                yield held
            if self.is_done:
                return

    @property
    def is_done(self) -> bool:
        """Whether the model should stop: enough was said, or nothing good is coming."""
        endless = len(self._raw.split()) > LONGEST_SENTENCE_WORDS
        return endless or len(self.held) >= LONGEST_SENTENCES or self._failed >= self.patience

    def _complete(self) -> list[tuple[str, bool]]:
        """Take the complete sentences off the raw text; the last one may still grow."""
        paragraphs = self._raw.split("\n")
        done = [(text, True) for part in paragraphs[:-1] for text in self._segment(part)]
        last = self._segment(paragraphs[-1], keep_space=True)
        first_of_last = len(paragraphs) > 1
        for index, text in enumerate(last[:-1]):
            done.append((text.strip(), first_of_last and index == 0))
        self._raw = last[-1] if last else ""
        return done

    def _rest(self) -> list[tuple[str, bool]]:
        rest, self._raw = self._raw, ""
        return [(text, False) for text in self._segment(rest)]

    def _segment(self, text: str, *, keep_space: bool = False) -> list[str]:
        language = self.language if self.language != "und" else "en"
        parts = list(segment(language, text)) if text.strip() else []
        return parts if keep_space else [part.strip() for part in parts if part.strip()]

    def _judge(self, sentence: str, *, starts_paragraph: bool) -> Held | None:
        text = _SPEAKER.sub("", plain(sentence)).strip()
        if not any(character.isalnum() for character in text):
            return None
        if is_repeated(text, [held.text for held in self.held], self.language):
            self._failed += 1
            return None
        support = self.evidence.support(text, self.language)
        if support is None or not self._is_relevant(support.unit):
            self.dropped += 1
            self._failed += 1
            return None
        self._failed = 0
        held = Held(text, support.unit, starts_paragraph and bool(self.held))
        self.held.append(held)
        return held

    def _is_relevant(self, unit: Unit) -> bool:
        best = self.ranked[0].relevance
        return any(
            item.unit == unit and item.relevance >= best - NEAR_THE_BEST for item in self.ranked
        )


QUOTED_UNITS = 2
QUOTED_WORDS = 70
NEAR_QUOTE = 0.12
"""How much less relevant than the best unit another one may be that is quoted."""
NEAR_ROW = 0.05
"""The same for a table row: the rows of a table are all alike, and one of them is meant."""
NEAR_NEIGHBOUR = 0.25
"""The same for the sentence right before or after one that is quoted: it often ends the thought."""


def quotes(ranked: Sequence[Ranked], units: Sequence[Unit], language: str) -> list[Unit]:
    """What to quote where the model left nothing: the best units with their neighbours.

    `units` are all units in reading order. The quotes of one passage keep that order; the best
    passage comes first; never two that say the same.
    """
    if not ranked:
        return []
    relevance = {item.unit: item.relevance for item in ranked}
    best = ranked[0].relevance
    chosen: list[Unit] = []
    for item in ranked[:QUOTED_UNITS]:
        if item.relevance >= best - (NEAR_QUOTE if item.unit.flows else NEAR_ROW):
            _take(chosen, item.unit, language)
    for unit in chosen:
        for neighbour in _neighbours(unit, units):
            if relevance[neighbour] >= best - NEAR_NEIGHBOUR:
                _take(chosen, neighbour, language)
    order = {unit: index for index, unit in enumerate(units)}
    passages = list(dict.fromkeys(unit.passage for unit in chosen))
    return sorted(chosen, key=lambda unit: (passages.index(unit.passage), order[unit]))


def left_out(ranked: Sequence[Ranked], said: Sequence[Held], language: str) -> list[Unit]:
    """Units as relevant as the best one that an answer does not use: it may have missed the point.

    At most two; none that says what was said.
    """
    used, found = {held.unit for held in said}, list[Unit]()
    for item in ranked[:3]:
        near = item.relevance >= ranked[0].relevance - NEAR_THE_BEST
        earlier = [held.text for held in said] + [unit.text for unit in found]
        if near and item.unit not in used and not is_repeated(item.unit.text, earlier, language):
            found.append(item.unit)
    return found[:2]


def _take(chosen: list[Unit], unit: Unit, language: str) -> None:
    words = sum(len(taken.text.split()) for taken in chosen)
    fits = not chosen or words + len(unit.text.split()) <= QUOTED_WORDS
    if fits and not is_repeated(unit.text, [taken.text for taken in chosen], language):
        chosen.append(unit)


def _neighbours(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """The sentences right after and before a sentence, of the same passage."""
    if not unit.flows:
        return []
    index = units.index(unit)
    around = [*units[index + 1 : index + 2], *units[max(0, index - 1) : index]]
    return [other for other in around if other.flows and other.passage == unit.passage]
