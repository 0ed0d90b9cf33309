"""Questions with what is known of their answers: a .jsonl file.

A line is {id, question, answer, documents, answerable[, split]}: `answer` a text, several that are
right, or null; `documents` the ids of those that hold it; `answerable` false where none does.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import EvaluationDataError
from knowledge.evaluation.lines import existing, records, text_field


@dataclass(frozen=True, slots=True)
class KnownQuestion:
    """A question of which it is known whether there is an answer, and where."""

    id: str
    question: str
    answers: tuple[str, ...]
    documents: frozenset[str]
    answerable: bool
    split: str | None = None


def read_questions(path: Path, documents: Collection[str] | None = None) -> list[KnownQuestion]:
    """Read the file; where the ids of all documents are given, no other may be named.

    Raises:
        EvaluationDataError: names the file and the line that is wrong.
    """
    path = existing(path)
    found: dict[str, KnownQuestion] = {}
    for number, record in records(path):
        known = _question(path, number, record)
        if known.id in found:
            raise EvaluationDataError(f"{path}, line {number}: the id {known.id!r} is there twice.")
        missing = sorted(known.documents - set(documents)) if documents is not None else []
        if missing:
            raise EvaluationDataError(
                f"{path}, line {number}: there is no document {missing[0]!r}."
            )
        found[known.id] = known
    if not found:
        raise EvaluationDataError(f"{path} holds no question.")
    return list(found.values())


def chosen(
    questions: Sequence[KnownQuestion],
    *,
    split: str | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> list[KnownQuestion]:
    """Those of a split; of them the first `limit`, or so many drawn with `seed`.

    Raises:
        EvaluationDataError: there is none of the split.
    """
    of_split = [each for each in questions if split is None or each.split == split]
    if not of_split:
        known = ", ".join(sorted({each.split for each in questions if each.split})) or "none"
        raise EvaluationDataError(f"No question is of the split {split!r}. Splits: {known}.")
    if limit is None or limit >= len(of_split):
        return of_split
    if seed is None:
        return of_split[:limit]
    drawn = random.Random(seed).sample(range(len(of_split)), limit)  # noqa: S311 - no secret
    return [of_split[index] for index in sorted(drawn)]


def _question(path: Path, number: int, record: dict[str, Any]) -> KnownQuestion:
    answerable = record.get("answerable", True)
    if not isinstance(answerable, bool):
        raise EvaluationDataError(f'{path}, line {number}: "answerable" is not true or false.')
    split = record.get("split")
    return KnownQuestion(
        id=text_field(path, number, record, "id"),
        question=text_field(path, number, record, "question"),
        answers=tuple(_texts(path, number, record, "answer")),
        documents=frozenset(_texts(path, number, record, "documents")),
        answerable=answerable,
        split=str(split) if split is not None else None,
    )


def _texts(path: Path, number: int, record: dict[str, Any], name: str) -> list[str]:
    """A text, a list of texts, or nothing."""
    value = record.get(name)
    if value is None:
        return []
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in listed):
        raise EvaluationDataError(
            f'{path}, line {number}: "{name}" is no text and no list of them.'
        )
    return listed
