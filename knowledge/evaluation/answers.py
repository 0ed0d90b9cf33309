"""How well it answers: the real answerer asked questions whose answers are known.

docs/evaluation.md defines each figure; `figures` computes them from the records alone, so that a
file of details can be judged again.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import text

from knowledge.answer import Answerer
from knowledge.conversation import Answer, Finished, Question, Sentence
from knowledge.database import Database
from knowledge.evaluation.indexed import READERS
from knowledge.evaluation.overlap import exact_match, token_f1
from knowledge.evaluation.questions import KnownQuestion
from knowledge.evaluation.retrieval import Asking
from knowledge.wording import FUNCTION_WORDS, terms

GROUNDED_SHARE = 0.75
"""Of a sentence's words that a cited passage must have."""
GIVEN = frozenset({"answered", "quoted", "verified"})

_CITED = text("SELECT title || ' ' || text FROM passage WHERE answer_id = :answer AND cited")


@dataclass(frozen=True, slots=True)
class Record:
    """One question with what came of it; a line of the details."""

    id: str
    question: str
    answerable: bool
    references: tuple[str, ...]
    documents: tuple[str, ...]
    state: str
    reason: str | None
    text: str
    language: str
    cited: tuple[str, ...]
    sentences: int
    grounded: int
    search_seconds: float
    first_token_seconds: float | None
    seconds: float
    run: str
    """What the answer depends on; another run's answers are not taken up."""

    def as_json(self) -> dict[str, Any]:
        """The record with its own scores."""
        judged = self.answerable and bool(self.references)
        return {
            **asdict(self),
            "token_f1": token_f1(self.text, self.references, self.language) if judged else None,
        }


def record_of(row: Mapping[str, Any]) -> Record | None:
    """A line of the details as a record; None where it is of another form."""
    try:
        values = {name: row[name] for name in Record.__dataclass_fields__}
        for name in ("references", "documents", "cited"):
            values[name] = tuple(values[name])
        return Record(**values)
    except (KeyError, TypeError):
        return None


def fingerprint(parts: Iterable[object]) -> str:
    """What a run depends on, as sixteen hex digits."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]


async def ask_all(
    answerer: Answerer,
    database: Database,
    questions: Sequence[KnownQuestion],
    *,
    run: str,
    known: Mapping[str, Record] | None = None,
    concurrency: int = 2,
    tell: Callable[[Asking], None] | None = None,
    keep: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Ask each question that `known` has no record of, so many at a time; all records in order."""
    records = dict(known or {})
    waiting = [each for each in questions if each.id not in records]
    free = asyncio.Semaphore(concurrency)

    async def ask(question: KnownQuestion) -> None:
        async with free:
            record = await ask_one(answerer, database, question, run)
        records[question.id] = record
        if keep:
            keep(record)
        if tell:
            tell(Asking(len(records), len(questions)))

    async with asyncio.TaskGroup() as tasks:
        for question in waiting:
            tasks.create_task(ask(question))
    return [records[question.id] for question in questions]


async def ask_one(answerer: Answerer, database: Database, known: KnownQuestion, run: str) -> Record:
    """Ask one question as a reader of everything."""
    said: list[str] = []
    answer: Answer | None = None
    async for event in answerer.answer(Question(known.question, "evaluation", READERS)):
        if isinstance(event, Sentence):
            said.append(event.text)
        if isinstance(event, Finished):
            answer = event.answer
    if answer is None:
        raise RuntimeError("an answer ended without its last event")
    async with database.app.begin() as connection:
        passages = [row[0] for row in await connection.execute(_CITED, {"answer": answer.id})]
    return Record(
        id=known.id,
        question=known.question,
        answerable=known.answerable,
        references=known.answers,
        documents=tuple(sorted(known.documents)),
        state=answer.state,
        reason=answer.reason,
        text=answer.text,
        language=answer.language,
        cited=tuple(dict.fromkeys(citation.document_key for citation in answer.citations)),
        sentences=len(said),
        grounded=sum(is_grounded(sentence, passages, answer.language) for sentence in said),
        search_seconds=answer.seconds.search,
        first_token_seconds=answer.seconds.first_token,
        seconds=answer.seconds.total,
        run=run,
    )


def is_grounded(sentence: str, passages: Iterable[str], language: str) -> bool:
    """Whether one cited passage has all of a sentence's numbers and most of its words."""
    said = terms(sentence, language)
    wanted = said.stems - FUNCTION_WORDS or said.stems
    for passage in passages:
        there = terms(passage, language)
        if said.numbers <= there.numbers and len(wanted & there.stems) >= GROUNDED_SHARE * len(
            wanted
        ):
            return True
    return False


def figures(records: Sequence[Record]) -> dict[str, Any]:
    """All figures of a run; None where there is nothing to divide by."""
    answerable = [each for each in records if each.answerable]
    unanswerable = [each for each in records if not each.answerable]
    refused = [each for each in records if each.state == "abstained"]
    given = [each for each in records if each.state in GIVEN]
    referenced = [each for each in answerable if each.references]
    sourced = [each for each in given if each.answerable and each.documents]
    return {
        "token_f1": _mean(token_f1(_given(e), e.references, e.language) for e in referenced),
        "exact_match": _mean(exact_match(_given(e), e.references, e.language) for e in referenced),
        "citation_precision": _mean(_precision(each) for each in sourced if each.cited),
        "citation_recall": _mean(_recall(each) for each in sourced),
        "refusal_precision": _mean(not each.answerable for each in refused),
        "refusal_recall": _mean(each.state == "abstained" for each in unanswerable),
        "false_refusal": _mean(each.state == "abstained" for each in answerable),
        "grounded": _ratio(sum(e.grounded for e in given), sum(e.sentences for e in given)),
        "states": dict(sorted(Counter(each.state for each in records).items())),
        "questions": len(records),
        "answerable": len(answerable),
        "seconds": {
            **_percentiles("search", [each.search_seconds for each in records]),
            **_percentiles("answer", [each.seconds for each in records]),
        },
    }


def _given(record: Record) -> str:
    """A refusal says nothing, however it is worded."""
    return record.text if record.state in GIVEN else ""


def _precision(record: Record) -> float:
    return len(set(record.cited) & set(record.documents)) / len(set(record.cited))


def _recall(record: Record) -> float:
    return len(set(record.cited) & set(record.documents)) / len(set(record.documents))


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return round(sum(listed) / len(listed), 4) if listed else None


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _percentiles(name: str, seconds: Sequence[float]) -> dict[str, float | None]:
    return {
        f"{name}_p{at}": round(float(np.percentile(seconds, at)), 4) if seconds else None
        for at in (50, 95)
    }
