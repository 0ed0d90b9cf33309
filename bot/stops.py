"""The stop button across replicas: the click arrives at one, the answer may be written by another.

The click is a NOTIFY in the transaction that accepts it; every worker process listens
(bot.signals).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

from knowledge.conversation import Answer, Event, Finished, Question, Seconds, Sentence


class Stops:
    """The answers that are being written in this process, by thread."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Event] = {}

    def watch(self, channel: str, thread_ts: str) -> asyncio.Event:
        """An event that is set when somebody stops the thread's answer."""
        return self._running.setdefault((channel, thread_ts), asyncio.Event())

    def unwatch(self, channel: str, thread_ts: str) -> None:
        """The thread's answer is finished."""
        self._running.pop((channel, thread_ts), None)

    def stop(self, channel: str, thread_ts: str) -> None:
        """Stop the thread's answer if it is written here."""
        if event := self._running.get((channel, thread_ts)):
            event.set()

    def heard(self, thread: Mapping[str, Any]) -> None:
        """Somebody stopped a thread's answer, at any replica."""
        self.stop(str(thread["channel"]), str(thread["thread_ts"]))


async def until_stopped(
    events: AsyncIterator[Event],
    stop: asyncio.Event,
    question: Question,
    logged: Callable[[UUID], Awaitable[tuple[UUID, str] | None]],
) -> AsyncGenerator[Event]:
    """The events until `stop` is set; then the generation is cancelled and what was said stands.

    `logged` finds the answer that the answerer notes when it is cancelled.
    """
    said: list[str] = []
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while True:
            step = asyncio.ensure_future(anext(events, None))
            try:
                await asyncio.wait({step, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():  # stopped, or the whole job is: the model must not go on
                    step.cancel()
                    await asyncio.wait({step})
            if step.cancelled():
                break
            if (event := step.result()) is None:
                return
            if isinstance(event, Sentence):
                said.append(event.text)
            yield event
            if isinstance(event, Finished):
                return
    finally:
        stopping.cancel()
        if isinstance(events, AsyncGenerator):
            await events.aclose()
    noted = await logged(question.id)
    yield Finished(_stopped(question, noted[0] if noted else uuid4(), " ".join(said)))


def _stopped(question: Question, answer_id: UUID, text: str) -> Answer:
    return Answer(
        id=answer_id,
        question_id=question.id,
        state="stopped",
        text=text,
        citations=(),
        nearest=(),
        reason=None,
        language="und",
        verification=None,
        model=None,
        adapter=None,
        seconds=Seconds(0.0, None, 0.0),
    )
