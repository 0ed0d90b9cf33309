"""From a question to a cited answer, step by step, as a stream of events."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from knowledge.answer_log import AnswerLog
from knowledge.calibration import Calibrations
from knowledge.conversation import (
    Answer,
    Citation,
    Event,
    Finished,
    Question,
    Reason,
    Searching,
    Seconds,
    Sentence,
    State,
    Verification,
    Writing,
)
from knowledge.draft import Draft, Held, left_out, quotes
from knowledge.errors import GenerationError
from knowledge.findings import find_evidence
from knowledge.follow_up import searched_for
from knowledge.generation.chat import ChatMessage, ChatModel
from knowledge.grounding import Evidence
from knowledge.languages import ENGLISH, detect
from knowledge.prompt import PromptPassage, fit, new_fence, render
from knowledge.relevance import Ranked
from knowledge.search import Hit, Search
from knowledge.signals import signals_of
from knowledge.units import Unit
from knowledge.verified import Verified, VerifiedAnswers

logger = logging.getLogger(__name__)

FOCUS_UNITS = 6
"""Units that the model sees at the most where the prompt is narrow."""
WIDE_PROMPT_TOKENS = 1000
"""Prompts that may be wider are for models that can read a fence and deserve patience."""
NEAREST = 3
"""Documents that an abstention names."""


@dataclass(slots=True)
class _Course:
    """What is known of one question while it is being answered."""

    question: Question
    language: str
    answer_id: UUID = field(default_factory=uuid4)
    began: float = field(default_factory=time.monotonic)
    hits: Sequence[Hit] = ()
    ranked: Sequence[Ranked] = ()
    said: list[Held] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # index of the hit -> citation's number
    quotes: dict[int, str] = field(default_factory=dict)
    signals: dict[str, Any] = field(default_factory=dict)
    search_seconds: float = 0.0
    first_token_seconds: float | None = None

    def is_apart(self, unit: Unit) -> bool:
        """Whether a quote begins a paragraph: it comes from elsewhere, or is a row or a list."""
        return bool(self.said) and (not unit.flows or self.said[-1].unit.passage != unit.passage)

    def say(self, text: str, unit: Unit, *, starts_paragraph: bool) -> Sentence:
        """Take a sentence into the answer and number the passage that it stands on."""
        number = self.numbers.setdefault(unit.passage, len(self.numbers) + 1)
        self.quotes.setdefault(unit.passage, unit.text)
        self.said.append(Held(text, unit, starts_paragraph))
        return Sentence(text, (number,), starts_paragraph)


class Answerer:
    """Answers questions from what their audience may read, and writes the answer log."""

    def __init__(
        self,
        search: Search,
        chat_model: ChatModel,
        *,
        passages: int = 6,
        prompt_width_tokens: int = 400,
        max_new_tokens: int = 160,
    ) -> None:
        """`search.embedders` must not be empty: they also rank the units of the passages."""
        self._search = search
        self._chat_model = chat_model
        self._passages = passages
        self._prompt_width_tokens = prompt_width_tokens
        self._reads_wide = prompt_width_tokens > WIDE_PROMPT_TOKENS
        self._max_new_tokens = max_new_tokens
        self._log = AnswerLog(search.database)
        self._calibrations = Calibrations(search.database)

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        """The events of one answer; the last is always `Finished`.

        Closing the generator stops the model and notes the answer as stopped.
        """
        course = _Course(question, _language(question.text))
        await self._log.ask(question, course.language)
        finished = False
        try:
            async with aclosing(self._steps(course)) as events:
                async for event in events:
                    finished = isinstance(event, Finished)
                    yield event
        except (GeneratorExit, asyncio.CancelledError):
            if not finished:
                await self._finish(course, "stopped")
            raise

    async def close(self) -> None:
        """Close the chat model."""
        await self._chat_model.close()

    async def _steps(self, course: _Course) -> AsyncGenerator[Event, None]:
        yield Searching()
        question = course.question
        verified = VerifiedAnswers(self._search.database, self._search.embedders[-1])
        approved = await verified.find(question.text, course.language, question.audience)
        if approved:
            yield Sentence(approved.answer, ())
            yield Finished(await self._finish_verified(course, approved))
            return
        evidence, suffices = await self._gather(course)
        if not suffices:
            reason: Reason = "no_evidence" if course.signals["visible"] else "nothing_readable"
            yield Finished(await self._finish(course, "abstained", reason))
            return
        yield Writing(len(course.hits))
        failure: Reason | None = None
        try:
            async with aclosing(self._write(course, evidence)) as sentences:
                async for sentence in sentences:
                    yield sentence
        except GenerationError as error:
            logger.warning(
                "The chat model failed; the passages are quoted instead: %s",
                error,
                extra={"action": "generation_failed"},
            )
            failure = "model_failed"
        if course.said and not self._reads_wide:
            missed = left_out(course.ranked, course.said, course.language)
            for unit in missed:
                yield course.say(unit.text, unit, starts_paragraph=course.is_apart(unit))
        state: State = "answered" if course.said else "quoted"
        if not course.said:
            for unit in quotes(course.ranked, evidence.units, course.language):
                yield course.say(unit.text, unit, starts_paragraph=course.is_apart(unit))
        yield Finished(await self._finish(course, state, failure))

    async def _gather(self, course: _Course) -> tuple[Evidence, bool]:
        """Find evidence, and decide whether it is enough to answer from."""
        findings = await find_evidence(
            self._search,
            searched_for(course.question),
            course.language,
            course.question.audience,
            self._passages,
        )
        course.search_seconds = findings.search_seconds
        course.hits, course.ranked = findings.hits, findings.ranked
        course.language = findings.language
        signals = signals_of(findings)
        calibration = await self._calibrations.current(
            [embedder.name for embedder in self._search.embedders]
        )
        course.signals = {
            "visible": findings.results.signals.visible_chunks,
            "probability": round(calibration.probability(signals), 4),
            "threshold": calibration.threshold,
            "calibration": calibration.data_hash,
            **{name: round(value, 4) for name, value in signals.items()},
        }
        return findings.evidence, bool(course.ranked) and calibration.suffices(signals)

    async def _write(self, course: _Course, evidence: Evidence) -> AsyncGenerator[Sentence, None]:
        """The model's sentences that hold."""
        patience = 3 if self._reads_wide else 1  # quotes stand ready: waiting costs more
        draft = Draft(evidence, course.ranked, course.language, patience)
        deltas = self._chat_model.stream(self._prompt(course), max_new_tokens=self._max_new_tokens)
        try:
            async with aclosing(deltas), aclosing(draft.follow(_timed(deltas, course))) as held:
                async for sentence in held:
                    yield course.say(
                        sentence.text,
                        sentence.unit,
                        starts_paragraph=sentence.starts_paragraph,
                    )
        finally:
            course.signals["dropped"] = draft.dropped

    def _prompt(self, course: _Course) -> list[ChatMessage]:
        question = course.question
        # A small model answers with the fence itself; its prompts are narrow (docs/LOG.md).
        fence = new_fence() if self._reads_wide else None

        def messages(passages: Sequence[PromptPassage]) -> list[ChatMessage]:
            return render(
                question.text,
                passages,
                language=course.language,
                thread=question.thread,
                fence=fence,
            )

        whole = [
            PromptPassage(hit.full_title, hit.text, hit.summary if self._reads_wide else "")
            for hit in course.hits
        ]
        count = self._chat_model.count_tokens
        if count(messages(whole)) <= self._prompt_width_tokens:
            return messages(whole)
        focused = _focused(course)
        return messages(
            fit(focused, self._prompt_width_tokens, lambda passages: count(messages(passages)))
        )

    async def _finish_verified(self, course: _Course, approved: Verified) -> Answer:
        answer = Answer(
            id=course.answer_id,
            question_id=course.question.id,
            state="verified",
            text=approved.answer,
            citations=tuple(
                Citation(number, source.title, source.url, (), None, "", "")
                for number, source in enumerate(approved.sources, 1)
            ),
            nearest=(),
            reason=None,
            language=course.language,
            verification=Verification(approved.approver, approved.approved_at),
            model=None,
            adapter=None,
            seconds=self._seconds(course),
        )
        await self._log.finish(answer, (), frozenset(), {"verified_answer": str(approved.id)})
        return answer

    async def _finish(self, course: _Course, state: State, reason: Reason | None = None) -> Answer:
        written = state in ("answered", "stopped")
        text = "".join(
            ("" if index == 0 else "\n\n" if held.starts_paragraph else " ") + held.text
            for index, held in enumerate(course.said)
        )
        answer = Answer(
            id=course.answer_id,
            question_id=course.question.id,
            state=state,
            text=text,
            citations=tuple(
                _citation(number, course.hits[index], course.quotes[index])
                for index, number in course.numbers.items()
            ),
            nearest=_nearest(course.hits) if state == "abstained" else (),
            reason=reason,
            language=course.language,
            verification=None,
            model=self._chat_model.name if written else None,
            adapter=self._chat_model.adapter if written else None,
            seconds=self._seconds(course),
        )
        cited = frozenset(index + 1 for index in course.numbers)
        await self._log.finish(answer, course.hits, cited, course.signals)
        logger.info(
            "A question ended as %s.",
            state,
            extra={"action": "question_answered", "state": state, "seconds": answer.seconds.total},
        )
        return answer

    def _seconds(self, course: _Course) -> Seconds:
        return Seconds(
            search=course.search_seconds,
            first_token=course.first_token_seconds,
            total=time.monotonic() - course.began,
        )


async def _timed(deltas: AsyncIterator[str], course: _Course) -> AsyncIterator[str]:
    async for delta in deltas:
        if course.first_token_seconds is None:
            course.first_token_seconds = time.monotonic() - course.began
        yield delta


def _language(text: str) -> str:
    return detect(text, among=(ENGLISH,))


def _focused(course: _Course) -> list[PromptPassage]:
    """The most relevant units, grouped by passage, the best passage first."""
    best = [item.unit for item in course.ranked[:FOCUS_UNITS]]
    passages = list(dict.fromkeys(unit.passage for unit in best))
    return [
        PromptPassage(
            course.hits[passage].title,
            " ".join(
                f"{unit.context} {unit.text}".strip() for unit in best if unit.passage == passage
            ),
        )
        for passage in passages
    ]


def _citation(number: int, hit: Hit, quote: str) -> Citation:
    return Citation(number, hit.title, hit.url, hit.heading_path, hit.page, quote, hit.document_key)


def _nearest(hits: Sequence[Hit]) -> tuple[Citation, ...]:
    """The nearest documents, each once."""
    first = {hit.document_id: hit for hit in reversed(hits)}
    ranked = sorted(first.values(), key=lambda hit: hit.rank)[:NEAREST]
    return tuple(_citation(number, hit, "") for number, hit in enumerate(ranked, 1))
