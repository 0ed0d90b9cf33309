"""An answer as Slack's own streamed message, or several where one gets too long or too old."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from slack_sdk.errors import SlackApiError

from bot.blocks import BLOCKS, Block, Post, fallback, markdown_block
from bot.posting import LostResponseError, Mark, Poster, code_of
from bot.split import split_markdown

logger = logging.getLogger(__name__)

START, APPEND, STOP = "chat.startStream", "chat.appendStream", "chat.stopStream"
DEAD = frozenset({"message_not_in_streaming_state", "message_not_owned_by_app"})
OnMessage = Callable[[str, str], Awaitable[None]]


class StoppedByUserError(Exception):
    """The asker pressed stop."""


class NoStreamError(Exception):
    """This answer can't be streamed, or not any further; what was shown stays."""


@dataclass(slots=True)
class _Open:
    """The stream that is being written: its message, its beginning in time, what it shows."""

    ts: str
    started_at: float
    text: str
    uncertain: bool = False  # a response was lost: Slack may show more or less than `text`


class StreamWriter:
    """Shows a growing text in streamed messages; `ts` are all of them, `sent` is how much of the
    text they show."""

    def __init__(
        self,
        poster: Poster,
        question_id: UUID,
        on_message: OnMessage,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poster, self._question_id = poster, question_id
        self._on_message, self._now = on_message, now
        self._open: _Open | None = None
        self.ts: list[str] = []
        self.sent = 0

    @property
    def has_begun(self) -> bool:
        """Whether any message is there."""
        return bool(self.ts)

    @property
    def ends_in_seconds(self) -> float | None:
        """When the open stream is to be closed, because Slack would soon end it."""
        if self._open is None:
            return None
        return max(0.0, self._open.started_at + self._poster.pace.stream_seconds - self._now())

    async def show(self, markdown: str) -> None:
        """Show all of `markdown`, which begins with what was shown before.

        Raises:
            StoppedByUserError, NoStreamError.
        """
        while (new := markdown[self.sent :]) and new.strip():
            before = self.sent
            if self._open and not self._room():
                await self.rotate()
            piece = self._piece(new)
            if self._open:
                await self._append(piece)
            else:
                self.sent += len(new) - len(new.lstrip())
                await self._start(piece.lstrip())
            if self.sent == before and self._open:
                return  # too many calls: a later flush brings it

    async def begin(self) -> None:
        """Open an empty stream: a sign of life where there is no status line."""
        await self._start("")

    async def rotate(self) -> None:
        """End the open message; what follows goes into a new one."""
        if self._open:
            await self._close([], Mark(self._question_id, len(self.ts) - 1))

    async def finish(self, markdown: str, below: Sequence[Block], answer_id: UUID | None) -> None:
        """Show all of the text and what stands below it, and end the stream.

        Raises:
            NoStreamError: the last part has to go into a message of another kind.
        """
        try:
            await self.show(markdown)
        except StoppedByUserError:
            self.sent = len(markdown)  # who pressed stop wants no more of it
        if self._open is None:
            raise NoStreamError
        if rest := markdown[self.sent :]:
            self._open.text += rest
            self._open.uncertain = True
            self.sent = len(markdown)
        await self._close(below, Mark(self._question_id, len(self.ts) - 1, answer_id))

    def _room(self) -> int:
        """How many characters the open message may still take; 0: none, close it."""
        assert self._open is not None
        room = self._poster.pace.stream_characters - len(self._open.text)
        full = room < min(200, self._poster.pace.stream_characters // 4)
        crowded = self._open.text.count("\n\n") >= BLOCKS - 10
        return 0 if full or crowded or self.ends_in_seconds == 0.0 else room

    def _piece(self, new: str) -> str:
        """As much of `new` as the open message, or a new one, can take."""
        room = self._room() if self._open else self._poster.pace.stream_characters
        if len(new) <= room:
            return new
        lead = len(new) - len(new.lstrip("\n"))
        first = split_markdown(new, max(room - lead, 100))[0]
        # Cut code blocks and tables get lines that aren't in the text: only whole text is sent.
        return new[: lead + len(first)] if new[lead:].startswith(first) else new[:room]

    async def _start(self, text: str) -> None:
        poster, place = self._poster, self._poster.place
        if not place.thread_ts or not poster.features.has(place.team, START):
            raise NoStreamError
        outside = not place.is_dm
        started_at = self._now()
        try:
            answer = await poster.call(
                START,
                waits=False,  # 20 starts a minute: who must wait gets a plain message
                channel=place.channel,
                thread_ts=place.thread_ts,
                markdown_text=text or None,
                recipient_team_id=(place.user_team or place.team) if outside else None,
                recipient_user_id=place.user if outside else None,
            )
            ts = str(answer["ts"])
        except SlackApiError as error:
            poster.note_refusal(START, error)
            raise NoStreamError from error
        except LostResponseError as error:
            found = await self._find_started(text)
            if found is None:
                raise NoStreamError from error
            ts = found
        self._open = _Open(ts, started_at, text)
        self.ts.append(ts)
        self.sent += len(text)
        await self._on_message(place.channel, ts)

    async def _find_started(self, text: str) -> str | None:
        """A stream whose start was answered with silence: the message with just that text."""
        ours = set(self.ts)
        return await self._poster.find(
            lambda message: (
                bool(message.get("bot_id"))
                and message.get("text") == text
                and not message.get("metadata")
                and str(message.get("ts")) not in ours
            )
        )

    async def _append(self, text: str) -> None:
        stream = self._open
        assert stream is not None
        try:
            await self._poster.call(
                APPEND, channel=self._poster.place.channel, ts=stream.ts, markdown_text=text
            )
        except LostResponseError:
            stream.uncertain = True
        except SlackApiError as error:
            await self._not_appended(error, text)
            return
        stream.text += text
        self.sent += len(text)

    async def _not_appended(self, error: SlackApiError, text: str) -> None:
        stream = self._open
        assert stream is not None
        code = code_of(error)
        if code == "stopped_by_user":
            raise StoppedByUserError from error
        if code in DEAD:  # Slack ended it; what it lost is written into the same message
            stream.text += text
            self.sent += len(text)
            stream.uncertain = True
            await self.rotate()
        elif code == "msg_too_long":
            await self.rotate()
        elif code != "ratelimited":  # then the next flush tries again
            self._poster.note_refusal(APPEND, error)
            stream.uncertain = True
            await self.rotate()
            raise NoStreamError from error

    async def _close(self, below: Sequence[Block], mark: Mark) -> None:
        stream = self._open
        assert stream is not None
        self._open = None
        channel = self._poster.place.channel

        async def stop(blocks: Sequence[Block]) -> str:
            await self._poster.call(
                STOP,
                channel=channel,
                ts=stream.ts,
                blocks=list(blocks) or None,
                metadata=mark.metadata,
            )
            return stream.ts

        for _ in (1, 2):  # a second stop does no harm, and an open stream can't be updated
            try:
                await self._poster.with_blocks(below, stop)
                break
            except LostResponseError:
                stream.uncertain = True
            except SlackApiError as error:
                logger.info(
                    "A stream could not be ended (%s) and is written anew",
                    code_of(error),
                    extra={"action": "stream_repaired", "error": code_of(error)},
                )
                stream.uncertain = True
                break
        if stream.uncertain:
            shown = [markdown_block(stream.text)] if stream.text.strip() else []
            post = Post(fallback(stream.text), [*shown, *below])
            await self._poster.update(stream.ts, post, mark)
