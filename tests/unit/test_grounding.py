"""The guard lets a sentence through only when a passage says it."""

import pytest

from knowledge.grounding import Evidence, is_repeated
from knowledge.units import units
from knowledge.wording import terms

PASSAGES = [
    (
        "Parental leave",
        """You are entitled to 12 weeks of paid time off for the birth of a child.
        The leave must be used within a year. You need approval before you use it.""",
    ),
    (
        "Security incidents",
        """If you notice suspicious activity, do not turn off your computer.
        Report incidents within one hour to the service desk.""",
    ),
    ("Court leave", "You can receive court leave for however long you serve on a jury."),
]


@pytest.fixture
def evidence() -> Evidence:
    cut = [unit for n, (_, text) in enumerate(PASSAGES) for unit in units(n, text, "en")]
    return Evidence(cut, [title for title, _ in PASSAGES], ["en"] * len(PASSAGES))


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("You are entitled to 12 weeks of paid time off.", 0),
        ("Twelve weeks of paid time off for the birth of a child.", 0),
        ("Incidents must be reported within 1 hour.", 1),
        ("Do not turn off your computer.", 1),
    ],
)
def test_what_a_passage_says_is_supported(evidence: Evidence, sentence: str, passage: int) -> None:
    support = evidence.support(sentence, "en")
    assert support is not None
    assert support.unit.passage == passage


@pytest.mark.parametrize(
    "sentence",
    [
        "You are entitled to 16 weeks of paid time off.",  # a wrong number
        "Turn off your computer.",  # a lost negation
        "You are not entitled to 12 weeks of paid time off.",  # a negation that is not there
        "Report incidents within one hour to Alice Smith.",  # a name from nowhere
        "Bananas are served on Fridays.",
        "Court leave lasts 10 days.",  # a number where the passage has none
        "",
    ],
)
def test_what_no_passage_says_is_not_supported(evidence: Evidence, sentence: str) -> None:
    assert evidence.support(sentence, "en") is None


def test_a_rare_word_weighs_more_than_a_common_one(evidence: Evidence) -> None:
    assert evidence.weight("orthodont") > evidence.weight("leav") > evidence.weight("the")


def test_a_sentence_said_before_in_other_words_is_repeated() -> None:
    assert is_repeated(
        "You can carry over 240 hours.", ["You can carry over 240 hours a year."], "en"
    )
    assert not is_repeated("Award leave expires.", ["You can carry over 240 hours."], "en")


@pytest.mark.parametrize(
    ("text", "language", "stems", "numbers", "negated"),
    [
        ("You can't carry 240 hours", "en", {"hour", "carri"}, {"240"}, True),
        ("لا يحق للموظف ٢١ يوماً", "ar", set(), {"21"}, True),
        ("有給休暇は12日です", "ja", {"休暇"}, {"12"}, False),
        ("trois jours", "fr", {"jour"}, set(), False),
    ],
)
def test_stems_numbers_and_negation_are_read_in_any_language(
    text: str, language: str, stems: set[str], numbers: set[str], negated: bool
) -> None:
    found = terms(text, language)
    assert stems <= found.stems
    assert found.numbers == numbers
    assert found.negated is negated
