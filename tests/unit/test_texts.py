"""Every language says everything, with the same placeholders."""

import string
import tomllib
from importlib.resources import files
from typing import get_args

import pytest

from bot.texts import TextName, Texts, languages
from knowledge.conversation import Reason

NAMES = frozenset(get_args(TextName))


def texts_of(language: str) -> dict[str, str]:
    return tomllib.loads((files("bot.texts") / f"{language}.toml").read_text("utf-8"))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", sorted(languages()))
def test_every_language_has_every_text_and_no_other(language: str) -> None:
    assert set(texts_of(language)) == NAMES


@pytest.mark.parametrize("language", sorted(languages()))
def test_every_translation_has_the_placeholders_of_the_english_text(language: str) -> None:
    english, translated = texts_of("en"), texts_of(language)
    differing = {
        name for name in NAMES if placeholders(english[name]) != placeholders(translated[name])
    }
    assert differing == set()


@pytest.mark.parametrize("language", sorted(languages()))
def test_no_text_is_empty(language: str) -> None:
    assert all(text.strip() for text in texts_of(language).values())


@pytest.mark.parametrize("language", sorted(languages()))
def test_labels_fit_into_slacks_buttons(language: str) -> None:
    texts = texts_of(language)
    assert all(
        len(texts[name]) <= 75
        for name in NAMES
        if name.startswith("feedback_") and name != "feedback_thanks"
    )
    assert all(len(texts[f"prompt_{n}_title"]) <= 75 for n in (1, 2, 3))


def test_every_reason_for_giving_no_answer_has_a_text() -> None:
    assert {f"abstained_{reason}" for reason in get_args(Reason)} <= NAMES


def test_english_and_arabic_are_spoken() -> None:
    assert {"en", "ar"} <= languages()


@pytest.mark.parametrize(
    ("tag", "spoken"),
    [("en-US", "en"), ("ar", "ar"), ("ar_EG", "ar"), ("AR-eg", "ar"), ("tlh", "en"), (None, "en")],
)
def test_a_language_tag_finds_its_language_or_english(tag: str | None, spoken: str) -> None:
    assert Texts.of(tag).language == spoken


def test_a_text_that_a_language_lacks_is_said_in_english() -> None:
    assert Texts("xx", {}).get("sources") == Texts.of("en").get("sources")


def test_placeholders_are_filled_in() -> None:
    assert Texts.of("en").get("page", page=7) == "p. 7"
