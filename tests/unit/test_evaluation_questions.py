"""Questions with known answers: what is read, drawn and refused; the figures by hand."""

from pathlib import Path
from typing import Any

import pytest

from knowledge.errors import EvaluationDataError
from knowledge.evaluation.answers import Record, figures, is_grounded, record_of
from knowledge.evaluation.folds import fold_of, hidden_readers, readers_of
from knowledge.evaluation.questions import KnownQuestion, chosen, read_questions
from tests.collections import write_lines

ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "How many?", "answer": "25", "documents": ["x"], "answerable": True},
    {"id": "b", "question": "Who?", "answer": ["Ann", "Bo"], "documents": ["x", "y"]},
    {"id": "c", "question": "Why?", "answer": None, "documents": [], "answerable": False,
     "split": "test"},
]  # fmt: skip


def test_one_answer_several_and_none_are_read(tmp_path: Path) -> None:
    first, second, third = read_questions(write_lines(tmp_path / "q.jsonl", ROWS), {"x", "y"})
    assert first.answers == ("25",)
    assert second.answers == ("Ann", "Bo")
    assert second.answerable
    assert second.documents == {"x", "y"}
    assert (third.answers, third.answerable, third.split) == ((), False, "test")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "question": "x"}, "line 4: the id 'a' is there twice"),
        ({"id": "d"}, 'line 4: needs a text in "question"'),
        ({"id": "d", "question": "x", "answerable": "no"}, 'line 4: "answerable" is not'),
        ({"id": "d", "question": "x", "answer": 3}, 'line 4: "answer" is no text'),
        ({"id": "d", "question": "x", "documents": ["z"]}, "line 4: there is no document 'z'"),
    ],
)
def test_a_wrong_question_is_told_with_its_line(
    tmp_path: Path, row: dict[str, object], message: str
) -> None:
    path = write_lines(tmp_path / "q.jsonl", [*ROWS, row])
    with pytest.raises(EvaluationDataError, match=message):
        read_questions(path, {"x", "y"})


def test_a_sample_is_the_same_for_the_same_seed_and_of_its_split() -> None:
    every = [KnownQuestion(str(n), "?", (), frozenset(), True, "ab"[n % 2]) for n in range(100)]
    drawn = chosen(every, split="a", limit=10, seed=3)
    assert drawn == chosen(every, split="a", limit=10, seed=3)
    assert drawn != chosen(every, split="a", limit=10, seed=4)
    assert {each.split for each in drawn} == {"a"}
    assert chosen(every, limit=3) == every[:3]
    with pytest.raises(EvaluationDataError, match=r"Splits: a, b"):
        chosen(every, split="c")


def record(state: str, **values: object) -> Record:
    row = {
        "id": "1", "question": "?", "answerable": True, "references": ["25 days"],
        "documents": ["x", "y"], "state": state, "reason": None, "text": "25 days",
        "language": "en", "cited": ["x", "z"], "sentences": 2, "grounded": 1,
        "search_seconds": 0.1, "first_token_seconds": None, "seconds": 1.0, "run": "r",
    }  # fmt: skip
    made = record_of({**row, **values})
    assert made is not None
    return made


def test_the_figures_are_those_of_their_definitions() -> None:
    nothing = {"text": "", "cited": [], "sentences": 0, "grounded": 0}
    found = figures(
        [
            record("answered"),
            record("quoted", text="about 25 days", cited=["x", "y"], grounded=2),
            record("abstained", **nothing),
            record("abstained", **nothing, answerable=False, references=[], documents=[]),
            record("answered", answerable=False, references=[], documents=[], grounded=0),
            record("failed", **nothing, answerable=False, references=[], documents=[]),
        ]
    )
    assert found["token_f1"] == pytest.approx((1 + 0.8 + 0) / 3, abs=1e-4)
    assert found["exact_match"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["citation_precision"] == pytest.approx((0.5 + 1) / 2)
    assert found["citation_recall"] == pytest.approx((0.5 + 1) / 2)
    assert found["refusal_precision"] == 0.5
    assert found["refusal_recall"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["false_refusal"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["grounded"] == pytest.approx(3 / 6)
    assert found["states"] == {"abstained": 2, "answered": 2, "failed": 1, "quoted": 1}


def test_nothing_to_divide_by_is_no_figure() -> None:
    assert figures([])["token_f1"] is None


def test_a_record_survives_its_line_and_another_form_is_none() -> None:
    made = record("answered")
    assert record_of(made.as_json()) == made
    assert record_of({"id": "1"}) is None


def test_grounded_wants_every_number_and_most_words_in_one_passage() -> None:
    passage = "Employees receive 25 days of annual leave per year."
    assert is_grounded("You receive 25 days of annual leave.", [passage], "en")
    assert not is_grounded("You receive 28 days of annual leave.", [passage], "en")
    assert not is_grounded("You receive 25 gold bars and a car.", [passage], "en")
    assert not is_grounded("You receive 25 days of annual leave.", [], "en")


def test_a_hidden_documents_reader_may_read_all_but_its_fold() -> None:
    question = KnownQuestion("q", "?", (), frozenset({"doc"}), True)
    (hidden,) = hidden_readers([question]).values()
    assert not hidden & readers_of("doc")
    others = [f"doc{n}" for n in range(40)]
    assert all(hidden & readers_of(each) for each in others if fold_of(each) != fold_of("doc"))
    assert "everyone" in readers_of("doc")
    apart = next(each for each in others if fold_of(each) != fold_of("doc"))
    assert hidden_readers([KnownQuestion("q", "?", (), frozenset({"doc", apart}), True)]) == {}
