"""The sample knowledge of `lorewise demo`: documents of an invented company, with questions."""

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KNOWLEDGE", "SampleQuestion", "questions", "suggested_prompts"]

_HERE = Path(__file__).parent

KNOWLEDGE = _HERE / "knowledge"


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """A question as an employee would ask it, with what a right answer needs.

    `answer` is None and `documents` empty where the knowledge holds no answer. `documents` are
    paths relative to KNOWLEDGE, the best one first. A right answer holds, whatever the case,
    at least one alternative of every list in `must_contain`. `page` counts from 1, for PDF.
    """

    id: str
    question: str
    answer: str | None
    documents: tuple[str, ...]
    answerable: bool
    must_contain: tuple[tuple[str, ...], ...]
    language: str
    page: int | None = None


def questions() -> list[SampleQuestion]:
    """Return the sample questions in their order: the answerable ones first."""
    lines = (_HERE / "questions.jsonl").read_text("utf-8").splitlines()
    return [_question(json.loads(line)) for line in lines]


def _question(row: dict[str, object]) -> SampleQuestion:
    documents, must_contain = row.pop("documents"), row.pop("must_contain")
    assert isinstance(documents, list)
    assert isinstance(must_contain, list)
    return SampleQuestion(
        documents=tuple(documents),
        must_contain=tuple(tuple(alternatives) for alternatives in must_contain),
        **row,  # type: ignore[arg-type]
    )


def suggested_prompts() -> list[dict[str, str]]:
    """Return the four prompts {title, message} that Slack's assistant pane offers."""
    prompts: list[dict[str, str]] = json.loads(
        (_HERE / "suggested_prompts.json").read_text("utf-8")
    )
    return prompts
