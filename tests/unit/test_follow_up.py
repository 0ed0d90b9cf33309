"""Follow-ups in a thread: which there are, and what they are searched with."""

import json
from pathlib import Path
from typing import Any

import pytest

from knowledge.conversation import Question, Turn
from knowledge.follow_up import is_elliptical, searched_for

THREADS = [
    json.loads(line)
    for line in Path(__file__).parents[1].joinpath("threads.jsonl").read_text("utf-8").splitlines()
]
SAMPLE = Path(__file__).parents[2] / "bot" / "sample" / "questions.jsonl"


def asked(text: str, *thread: str) -> Question:
    turns = tuple(Turn("user", each) for each in thread)
    return Question(text, "someone", frozenset({"everyone"}), turns)


@pytest.mark.parametrize("row", THREADS, ids=lambda row: str(row["follow_up"]))
def test_a_follow_up_is_told_from_a_new_question(row: dict[str, Any]) -> None:
    assert is_elliptical(row["follow_up"]) is row["elliptical"]


def test_a_question_of_its_own_is_no_follow_up() -> None:
    questions = [json.loads(line)["question"] for line in SAMPLE.read_text("utf-8").splitlines()]
    assert [question for question in questions if is_elliptical(question)] == []


def test_a_follow_up_is_searched_for_with_what_it_follows() -> None:
    first = "How many vacation days do I get per year?"
    assert searched_for(asked("and for contractors?", first)) == f"{first} and for contractors?"


def test_the_topic_is_the_last_question_that_stands_on_its_own() -> None:
    first, second = "How many vacation days do I get?", "How do I set up the VPN on a laptop?"
    thread = (first, "and after five years?", second, "why?")
    assert searched_for(asked("and on a phone?", *thread)) == f"{second} and on a phone?"
    assert searched_for(asked("and on a phone?", "why?", "how?")) == "why? and on a phone?"


def test_a_new_question_in_a_thread_and_a_fragment_without_one_stay_alone() -> None:
    new = "Which meeting room in London has 14 seats?"
    assert searched_for(asked(new, "How many vacation days do I get?")) == new
    assert searched_for(asked("and for contractors?")) == "and for contractors?"


def test_what_the_bot_said_is_no_topic() -> None:
    question = Question(
        "and for contractors?",
        "someone",
        frozenset({"everyone"}),
        (Turn("assistant", "Employees receive 25 days of annual leave."),),
    )
    assert searched_for(question) == "and for contractors?"
