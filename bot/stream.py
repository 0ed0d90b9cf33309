"""The events of an answer, shown in Slack while they come: streamed, else by changing messages,
else whispered to the asker.

Whatever happens, what stands in Slack at the end says how it ended.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import Block, Body, body_of, closing, note
from bot.errors import AnswerBrokenError
from bot.features import Features
from bot.posting import Mark, Pace, Place, Poster, mark_of
from bot.streamed import START, NoStreamError, StoppedByUserError, StreamWriter
from bot.texts import Texts
from bot.updated import UpdateWriter
from bot.whispered import WhisperWriter
from knowledge.conversation import Answer, Event, Finished, Sentence, Writing

__all__ = ["Delivered", "Features", "Mark", "Pace", "Place", "deliver", "mark_of"]

logger = logging.getLogger(__name__)

OnMessage = Callable[[str, str], Awaitable[None]]
NameOf = Callable[[str], Awaitable[str | None]]
STATUS, SESSION = "assistant.threads.setStatus", "agents.sessions.setStatus"
FEATURES = Features()


@dataclass(frozen=True, slots=True)
class Delivered:
    """An answer as it stands in Slack. `answer` is None where the asker stopped it unfinished."""

    messages: tuple[str, ...]
    mode: Literal["stream", "update", "ephemeral"]
    stopped: bool
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class _Broken:
    """The events ended with an error, or without Finished."""

    error: Exception


async def deliver(
    events: AsyncIterator[Event],
    place: Place,
    client: AsyncWebClient,
    texts: Texts,
    *,
    question_id: UUID,
    on_message: OnMessage | None = None,
    stop: asyncio.Event | None = None,
    name_of: NameOf | None = None,
    features: Features = FEATURES,
    pace: Pace | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Delivered:
    """Show an answer in Slack as its events come.

    `on_message(channel, ts)` is awaited as soon as a message is there, before more is written to
    it. When the asker presses stop, `stop` is set (whoever makes the events ends them then with a
    Finished answer); without it the events are closed. `name_of` gives an approver's name.

    Raises:
        SlackApiError, LostResponseError: Slack takes no answer at this place.
        AnswerBrokenError, or what `events` raised: after Slack shows that the answer broke off.
    """
    pace = pace or Pace()
    delivery = _Delivery(
        Poster(client, place, features, pace), texts, question_id, on_message or _ignore, now
    )
    queue: asyncio.Queue[Event | _Broken] = asyncio.Queue()
    pump = asyncio.create_task(_pump(events, queue))
    try:
        return await delivery.run(queue, pump, stop, name_of)
    finally:
        await _end(pump)
        await delivery.rest()


async def _pump(events: AsyncIterator[Event], queue: "asyncio.Queue[Event | _Broken]") -> None:
    """Read the events in one task, as generators with context managers inside want it."""
    try:
        async for event in events:
            queue.put_nowait(event)
            if isinstance(event, Finished):
                return
        queue.put_nowait(_Broken(AnswerBrokenError("The answer ended before it was finished.")))
    except Exception as error:  # noqa: BLE001 - the edge: the asker must see that it broke off
        queue.put_nowait(_Broken(error))
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def _end(pump: "asyncio.Task[None]") -> None:
    pump.cancel()
    with suppress(asyncio.CancelledError):
        await pump


async def _ignore(_channel: str, _ts: str) -> None:
    """Nobody wants to know."""


class _Delivery:
    """The state of one answer on its way into Slack."""

    def __init__(
        self,
        poster: Poster,
        texts: Texts,
        question_id: UUID,
        on_message: OnMessage,
        now: Callable[[], float],
    ) -> None:
        self._poster, self._texts, self._question_id = poster, texts, question_id
        self._on_message, self._now = on_message, now
        self._pace, self._place = poster.pace, poster.place
        self._body = Body()
        self._stream: StreamWriter | None = None
        self._update: UpdateWriter | None = None
        self._earlier: list[str] = []  # messages of a stream that couldn't go on
        self._whispered: list[str] = []
        self._stopped = False
        self._in_session = False
        self._flushed_at, self._flushed, self._pause = 0.0, 0, self._pace.flush_seconds

    # from beginning to end

    async def run(
        self,
        queue: "asyncio.Queue[Event | _Broken]",
        pump: "asyncio.Task[None]",
        stop: asyncio.Event | None,
        name_of: NameOf | None,
    ) -> Delivered:
        if not self._place.ephemeral:
            await self._begin()
        last = await self._follow(queue)
        if last is None:  # the stop button
            last = await self._stop(queue, pump, stop)
        if isinstance(last, _Broken):
            await self._finish([note(self._texts.get("broken"))], None)
            raise last.error
        if last is None:
            await self._finish([note(self._texts.get("stopped"))], None)
            return self._delivered(None)
        answer = last.answer
        self._stopped = self._stopped or answer.state == "stopped"
        approver = None
        if answer.verification is not None and name_of is not None:
            approver = await name_of(answer.verification.approver)
        below = closing(answer, self._texts, approver=approver)
        if not self._body.markdown and answer.state != "stopped":
            self._body.markdown = body_of(answer, self._texts)
        await self._finish(below, answer.id)
        return self._delivered(answer)

    async def rest(self) -> None:
        """The thread's session waits for the next question."""
        if self._in_session:
            await self._set_session("active")

    def _delivered(self, answer: Answer | None) -> Delivered:
        if self._place.ephemeral:
            return Delivered(tuple(self._whispered), "ephemeral", self._stopped, answer)
        streamed = self._stream.ts if self._stream else self._earlier
        updated = self._update.ts if self._update else []
        mode: Literal["stream", "update"] = "update" if updated else "stream"
        return Delivered((*streamed, *updated), mode, self._stopped, answer)

    # signs of life

    async def _begin(self) -> None:
        shown = await self._set_status("status_searching")
        if self._place.thread_ts:
            self._in_session = await self._set_session("processing")
        if self._can_stream:
            self._stream = StreamWriter(
                self._poster, self._question_id, self._on_message, self._now
            )
            if not shown:
                await self._streaming(self._stream.begin)
        else:
            await self._to_updates()

    @property
    def _can_stream(self) -> bool:
        has = self._poster.features.has
        return bool(self._place.thread_ts) and has(self._place.team, START)

    async def _set_status(self, name: Literal["status_searching", "status_writing"]) -> bool:
        if not self._place.thread_ts:
            return False
        return await self._poster.try_call(
            STATUS,
            channel_id=self._place.channel,
            thread_ts=self._place.thread_ts,
            status=self._texts.get(name),
            loading_messages=[
                self._texts.get("loading_1"),
                self._texts.get("loading_2"),
                self._texts.get("loading_3"),
            ],
        )

    async def _set_session(self, status: Literal["processing", "active"]) -> bool:
        return await self._poster.try_call(
            SESSION,
            channel_id=self._place.channel,
            thread_ts=self._place.thread_ts,
            status=status,
        )

    # while it grows

    async def _follow(self, queue: "asyncio.Queue[Event | _Broken]") -> Finished | _Broken | None:
        """Show the sentences until the end; None when the asker stops it."""
        while True:
            event = await self._next(queue)
            if isinstance(event, Finished | _Broken):
                return event
            if isinstance(event, Writing) and not self._place.ephemeral and self._stream:
                if not self._stream.has_begun:
                    await self._set_status("status_writing")
            elif isinstance(event, Sentence):
                self._body.add(event)
            try:
                await self._flush_if_due()
            except StoppedByUserError:
                return None

    async def _next(self, queue: "asyncio.Queue[Event | _Broken]") -> Event | _Broken | None:
        """The next event, or None when it is time to show or to rotate."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_seconds()):
                return await queue.get()
        return None

    def _wait_seconds(self) -> float | None:
        waits = []
        if len(self._body.markdown) > self._flushed and not self._place.ephemeral:
            waits.append(max(0.0, self._flushed_at + self._pause - self._now()))
        if self._stream and self._stream.ends_in_seconds is not None:
            waits.append(self._stream.ends_in_seconds)
        return min(waits, default=None)

    async def _flush_if_due(self) -> None:
        if self._place.ephemeral:
            return
        if self._stream and self._stream.ends_in_seconds == 0.0:
            await self._streaming(self._stream.rotate)
        new = len(self._body.markdown) - self._flushed
        due = self._now() >= self._flushed_at + self._pause
        much = self._stream is not None and new >= self._pace.flush_characters
        if new and (due or (much and self._pause <= self._pace.flush_seconds)):
            await self._flush()

    async def _flush(self) -> None:
        began = self._now()
        self._flushed = len(self._body.markdown)
        await self._show()
        self._flushed_at = self._now()
        took, usual = self._flushed_at - began, self._usual_pause
        # A slow call was a rate limit that was waited out, or a Slack in trouble: go slower.
        slower = max(usual, 2 * took if took > 0.8 else self._pause * 0.8)
        self._pause = min(slower, max(usual, self._pace.slowest_seconds))

    @property
    def _usual_pause(self) -> float:
        return self._pace.flush_seconds if self._stream else self._pace.update_seconds

    async def _show(self) -> None:
        if stream := self._stream:
            await self._streaming(lambda: stream.show(self._body.markdown))
        if not self._stream and self._update:
            await self._update.show(self._body.markdown)

    async def _streaming(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except NoStreamError:
            await self._to_updates()

    async def _to_updates(self) -> None:
        """Go on with ordinary messages, below what a stream has shown."""
        stream = self._stream
        start, part = (stream.sent, len(stream.ts)) if stream else (0, 0)
        self._update = UpdateWriter(
            self._poster, self._question_id, self._on_message, start=start, part=part
        )
        self._earlier = stream.ts if stream else []
        self._stream = None
        if not self._earlier and not self._body.markdown:
            await self._update.begin(self._texts.get("looking"))

    # the end

    async def _stop(
        self,
        queue: "asyncio.Queue[Event | _Broken]",
        pump: "asyncio.Task[None]",
        stop: asyncio.Event | None,
    ) -> Finished | None:
        """End the generation; what is shown stays. None where no answer was finished."""
        self._stopped = True
        if self._stream:
            self._body.markdown = self._body.markdown[: self._stream.sent]
        if stop is None:
            await _end(pump)
            return None
        stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.stop_seconds):
                while not isinstance(event := await queue.get(), _Broken):
                    if isinstance(event, Finished):
                        return event
        return None

    async def _finish(self, below: list[Block], answer_id: UUID | None) -> None:
        markdown = self._body.markdown
        if self._place.ephemeral:
            whisper = WhisperWriter(self._poster, self._question_id, self._on_message)
            await whisper.finish(markdown, below, answer_id)
            self._whispered = whisper.ts
            return
        stream = self._stream
        if stream and stream.has_begun:
            await self._streaming(lambda: stream.finish(markdown, below, answer_id))
        elif stream:
            self._stream = None  # nothing was streamed: a plain message can be posted once
            self._update = UpdateWriter(self._poster, self._question_id, self._on_message)
        if not self._stream and self._update:
            text = self._texts.get("sources")
            await self._update.finish(markdown, below, answer_id, text)
