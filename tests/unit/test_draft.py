"""Of a model's text only the sentences that hold reach the reader."""

from collections.abc import AsyncIterator

from knowledge.draft import Draft, quotes
from knowledge.grounding import Evidence
from knowledge.relevance import Ranked
from knowledge.units import units

TEXT = (
    "You can carry over 240 hours of annual leave. The leave year ends in January. "
    "Award leave expires one year after it is issued."
)
CUT = units(0, TEXT, "en")
RANKED = [Ranked(CUT[0], 0.8), Ranked(CUT[1], 0.5), Ranked(CUT[2], 0.3)]


def draft() -> Draft:
    return Draft(Evidence(CUT, ["Leave"], ["en"]), RANKED, "en")


async def said(text: str, width: int = 3) -> list[str]:
    async def deltas() -> AsyncIterator[str]:
        for start in range(0, len(text), width):
            yield text[start : start + width]

    return [held.text async for held in draft().follow(deltas())]


async def test_a_supported_sentence_passes_and_an_invented_one_does_not() -> None:
    text = "You can carry over 240 hours. You can also carry over 500 dollars."
    assert await said(text) == ["You can carry over 240 hours."]


async def test_a_true_sentence_that_answers_another_question_does_not_pass() -> None:
    assert await said("Award leave expires one year after it is issued.") == []


async def test_a_repeated_sentence_is_said_once() -> None:
    assert await said("You can carry over 240 hours. " * 5) == ["You can carry over 240 hours."]


async def test_the_label_of_a_passage_is_not_part_of_a_sentence() -> None:
    text = "Passage 1 (Leave): You can carry over 240 hours of annual leave."
    assert await said(text) == ["You can carry over 240 hours of annual leave."]


async def test_the_model_is_stopped_when_nothing_good_comes() -> None:
    read = 0

    async def endless() -> AsyncIterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "Bananas are free. "

    assert [held async for held in draft().follow(endless())] == []
    assert read < 10


async def test_markup_of_the_model_is_taken_off() -> None:
    text = "You can carry over **240 hours** of [annual leave](https://evil.example)."
    assert await said(text) == ["You can carry over 240 hours of annual leave."]


def test_the_best_units_are_quoted_and_the_far_ones_are_not() -> None:
    assert [unit.text for unit in quotes(RANKED, CUT, "en")] == [CUT[0].text]
