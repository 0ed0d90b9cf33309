"""Passages are cut into pieces that can be quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.units import LIST_WIDTH_WORDS, plain, units


def texts(markdown: str, language: str = "en") -> list[str]:
    return [unit.text for unit in units(0, markdown, language)]


def test_a_paragraph_is_cut_into_sentences() -> None:
    assert texts("Leave is 25 days.\nIt must be booked, e.g. by e-mail. Ask Ms. Green.") == [
        "Leave is 25 days.",
        "It must be booked, e.g. by e-mail.",
        "Ask Ms. Green.",
    ]


def test_a_short_list_stays_together_with_the_line_that_leads_into_it() -> None:
    markdown = "Leave grows with time:\n\n* under 3 years: 4 hours\n* over 3 years: 6 hours\n"
    assert texts(markdown) == [
        "Leave grows with time: under 3 years: 4 hours; over 3 years: 6 hours."
    ]


def test_steps_stay_together_in_their_order() -> None:
    assert texts("1. Install Zoom.\n2. Click `Sign in`.\n3. Enter **acme.example**.") == [
        "1. Install Zoom. 2. Click Sign in. 3. Enter acme.example."
    ]


def test_a_long_list_is_cut_into_items_that_know_their_lead() -> None:
    item = "word " * (LIST_WIDTH_WORDS // 2)
    found = units(0, f"You may:\n- {item}one.\n- {item}two.\n- {item}three.", "en")
    assert [unit.text.split()[-1] for unit in found] == ["one.", "two.", "three."]
    assert {unit.context for unit in found} == {"You may:"}


def test_a_table_row_names_its_columns() -> None:
    markdown = "| City | Rate |\n|---|---|\n| Amman | 45 JOD |\n| Leeds | 60 GBP |"
    assert texts(markdown) == ["City: Amman; Rate: 45 JOD", "City: Leeds; Rate: 60 GBP"]


def test_an_arabic_paragraph_is_cut_into_sentences() -> None:
    assert len(texts("يحق لكل موظف 21 يوماً. هل يمكن ترحيلها؟ نعم.", "ar")) == 3


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("see [the *form*](https://x.example/a_b)", "see the form"),
        ("![logo](a.png) text", "logo text"),
        ("**bold** and `code_name` and snake_case", "bold and code_name and snake_case"),
        (r"a \- b", "a - b"),
        ("mail <help@x.example>", "mail help@x.example"),
        ('<a href="x">link</a>', "link"),
    ],
)
def test_markup_is_taken_off(markdown: str, expected: str) -> None:
    assert plain(markdown) == expected


@given(st.lists(st.text(alphabet="abc ABC.!?\n", min_size=1, max_size=60), max_size=8))
def test_no_word_of_a_plain_text_is_lost(paragraphs: list[str]) -> None:
    markdown = "\n\n".join(paragraphs)
    words = "".join(character for character in markdown if character.isalpha())
    found = "".join(character for text in texts(markdown) for character in text)
    assert "".join(character for character in found if character.isalpha()) == words
