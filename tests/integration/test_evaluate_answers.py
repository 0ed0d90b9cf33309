"""Answers are asked of the real answerer, kept, taken up again; calibrations decide."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from knowledge.answer import Answerer
from knowledge.calibration import Calibration, Calibrations, Weight, default_calibration
from knowledge.database import Database
from knowledge.evaluation.answers import Record, ask_all, figures
from knowledge.evaluation.calibrate import samples_of
from knowledge.evaluation.collection import read_corpus
from knowledge.evaluation.folds import hidden_readers, readers_of
from knowledge.evaluation.indexed import IndexedCorpus, indexed_corpus
from knowledge.evaluation.questions import KnownQuestion
from knowledge.generation.chat import ChatMessage
from knowledge.search import Search
from knowledge.signals import NAMES
from tests.collections import write_collection
from tests.hashing_embedder import HashingEmbedder

QUESTIONS = [
    KnownQuestion("leave", "How many days of paid leave do I get?", ("25 days of paid leave",),
                  frozenset({"leave"}), True),
    KnownQuestion("park", "Where do I park my car?", ("level two",),
                  frozenset({"path/to page?#1"}), True),
    KnownQuestion("share", "Zebra quagga okapi?", (), frozenset(), False),
]  # fmt: skip


class Silent:
    """A chat model that says nothing: the passages are quoted."""

    name = "silent"
    adapter: str | None = None

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """See ChatModel."""
        return sum(len(message.content.split()) for message in messages)

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_new_tokens: int = 256,
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[str, None]:
        """See ChatModel."""
        nothing: Sequence[str] = ()
        for word in nothing:
            yield word

    async def close(self) -> None:
        """See ChatModel."""


def words_decide(threshold: float, models: tuple[str, ...] = ("hashing",)) -> Calibration:
    """Half of the question's words in the best passage is a probability of one half."""
    return Calibration(
        models, datetime(2026, 1, 1, tzinfo=UTC), {"covered": Weight(0.5, 0.1, 1.0)}, 0.0,
        threshold, "hash", {},
    )  # fmt: skip


@pytest.fixture
async def corpus(database: Database, tmp_path: Path) -> AsyncIterator[IndexedCorpus]:
    documents = read_corpus(write_collection(tmp_path))
    embedders = [(HashingEmbedder(dimensions=256), lambda _: True)]
    async with indexed_corpus(
        database, documents, embedders, width_tokens=200, readers=readers_of
    ) as indexed:
        yield indexed


def answerer(corpus: IndexedCorpus) -> Answerer:
    return Answerer(Search(corpus.database, [HashingEmbedder(dimensions=256)]), Silent())


async def test_questions_are_answered_refused_kept_and_taken_up_again(
    corpus: IndexedCorpus,
) -> None:
    await Calibrations(corpus.database).store(words_decide(0.5))
    kept: list[Record] = []
    ask = answerer(corpus)
    records = await ask_all(ask, corpus.database, QUESTIONS, run="r", keep=kept.append)
    assert [record.state for record in records] == ["quoted", "quoted", "abstained"]
    found = figures(records)
    assert found["citation_recall"] == 1
    assert found["refusal_recall"] == found["refusal_precision"] == 1
    assert found["false_refusal"] == 0
    assert found["grounded"] == 1
    assert found["token_f1"] > 0.4
    assert sorted(record.id for record in kept) == ["leave", "park", "share"]

    known = {record.id: record for record in kept if record.id != "park"}
    again: list[Record] = []
    resumed = await ask_all(
        ask, corpus.database, QUESTIONS, run="r", known=known, keep=again.append
    )
    assert [record.id for record in again] == ["park"]
    assert [record.id for record in resumed] == [record.id for record in records]


async def test_the_stored_calibration_decides_at_once_and_only_for_its_embedders(
    corpus: IndexedCorpus,
) -> None:
    stored = Calibrations(corpus.database)
    assert await stored.current(["hashing"]) == default_calibration()
    ask = answerer(corpus)
    for threshold, state in ((0.0, "quoted"), (1.0, "abstained")):
        await stored.store(words_decide(threshold))
        (record,) = await ask_all(ask, corpus.database, QUESTIONS[:1], run="r")
        assert record.state == state
    assert (await stored.current(["hashing"])).threshold == 1.0
    assert await stored.current(["another"]) == default_calibration()
    await stored.store(words_decide(0.3, ("b", "a")))
    assert (await stored.current(["a", "b"])).threshold == 0.3


async def test_the_signals_tell_a_known_question_from_an_unknown_and_a_hidden_one(
    corpus: IndexedCorpus,
) -> None:
    search = Search(corpus.database, [HashingEmbedder(dimensions=256)])
    hidden = hidden_readers(QUESTIONS)
    leave, unread, _, _, zebra = await samples_of(search, QUESTIONS, passages=3, hidden=hidden)
    assert (leave.answerable, unread.answerable, zebra.answerable) == (True, False, False)
    assert leave.signals.keys() == set(NAMES)
    assert leave.signals["covered"] > 0.5
    assert leave.signals["unknown"] < 0.5
    assert zebra.signals["unknown"] == 1
    for name in ("covered", "covered_by_document", "lexical_lead", "relevance", "headline"):
        assert unread.signals[name] < leave.signals[name], name
    json.dumps(leave.signals)
