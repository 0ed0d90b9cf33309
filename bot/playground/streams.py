"""Streamed messages: chat.startStream, appendStream, stopStream, and the person's stop button."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bot.playground.errors import SlackError, invalid
from bot.playground.message import Message

if TYPE_CHECKING:
    from bot.playground.team import Channel
    from bot.playground.workspace import Workspace

Json = dict[str, Any]
CHUNKS = ("markdown_text", "task_update", "plan_update", "blocks")


@dataclass(slots=True)
class Stream:
    """One streamed message and how far it is."""

    message: Message
    started_at: float
    state: Literal["streaming", "stopped_by_user", "done"] = "streaming"
    blocks: list[Json] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Streams:
    """All streams of the workspace by (channel, ts)."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._streams: dict[tuple[str, str], Stream] = {}

    def start(self, channel: "Channel", thread_ts: str, text: str) -> Message:
        """Begin a streamed reply in a thread."""
        workspace = self._workspace
        message = workspace.new_message(
            channel,
            workspace.bot.id,
            text,
            thread_ts=thread_ts,
            streaming=True,
            stream_markdown=text,
        )
        stream = Stream(message, workspace.now())
        lifetime = workspace.limits.stream_lifetime_seconds
        stream.timer = asyncio.get_running_loop().call_later(lifetime, self._expire, stream)
        self._streams[channel.id, message.ts] = stream
        workspace.add_message(message)
        return message

    def append(self, channel_id: str, ts: str, text: str) -> Message:
        """Add text to a stream that is still open."""
        stream = self._open(channel_id, ts)
        self._write(stream, text)
        self._workspace.agents.answered(stream.message)
        self._workspace.show(stream.message)
        return stream.message

    def stop(
        self, channel_id: str, ts: str, text: str, blocks: list[Json], metadata: Json | None
    ) -> Message:
        """Finish a stream: the last text, the blocks below it, the metadata.

        A stream that a person stopped may still be finished once, to say so and to clean up.
        """
        stream = self._open(channel_id, ts, stopped_too=True)
        before = self._workspace.slack_message(stream.message)
        self._write(stream, text)
        message = stream.message
        written = [{"type": "markdown", "text": message.text}] if message.text else []
        message.blocks = [*written, *blocks] or None
        message.metadata = metadata
        self._end(stream, "done")
        self._workspace.agents.answered(message)
        self._workspace.show(message)
        self._workspace.announce_change(message, before)
        return message

    def stop_by_user(self, channel_id: str, thread_ts: str) -> list[str]:
        """A person pressed stop: end the open streams of the thread, give their ts."""
        stopped = [
            stream
            for (channel, _), stream in self._streams.items()
            if channel == channel_id and stream.message.root == thread_ts and self._alive(stream)
        ]
        for stream in stopped:
            self._end(stream, "stopped_by_user")
            self._workspace.show(stream.message)
        return [stream.message.ts for stream in stopped]

    def is_open(self, channel_id: str, ts: str) -> bool:
        """True while the message may still be appended to."""
        stream = self._streams.get((channel_id, ts))
        return stream is not None and self._alive(stream)

    def close(self) -> None:
        """Stop every timer."""
        for stream in self._streams.values():
            if stream.timer:
                stream.timer.cancel()

    def _open(self, channel_id: str, ts: str, *, stopped_too: bool = False) -> Stream:
        message = self._workspace.message(channel_id, ts)
        stream = self._streams.get((channel_id, ts))
        if stream is None:
            own = message.user == self._workspace.bot.id
            raise SlackError(
                "message_not_in_streaming_state" if own else "message_not_owned_by_app"
            )
        if stream.state == "stopped_by_user" and not stopped_too:
            raise SlackError("stopped_by_user")
        if stream.state == "done" or self._too_old(stream):
            raise SlackError("message_not_in_streaming_state")
        return stream

    def _too_old(self, stream: Stream) -> bool:
        age_seconds = self._workspace.now() - stream.started_at
        return age_seconds >= self._workspace.limits.stream_lifetime_seconds

    def _alive(self, stream: Stream) -> bool:
        return stream.state == "streaming" and not self._too_old(stream)

    def _write(self, stream: Stream, text: str) -> None:
        message = stream.message
        written = (message.stream_markdown or "") + text
        if len(written) > self._workspace.limits.markdown_message:
            raise SlackError("msg_too_long")
        message.stream_markdown = message.text = written

    def _expire(self, stream: Stream) -> None:
        if stream.state == "streaming":
            self._end(stream, "done")
            self._workspace.show(stream.message)

    def _end(self, stream: Stream, state: Literal["stopped_by_user", "done"]) -> None:
        stream.state = state
        stream.message.streaming = False
        if stream.timer:
            stream.timer.cancel()


def text_of_chunks(markdown_text: str | None, chunks: list[Any] | None, most: int) -> str:
    """The markdown that one call adds; raises for both at once, or for more than `most`."""
    if markdown_text is not None and chunks:
        raise invalid("markdown_text and chunks cannot be used together")
    parts = [markdown_text or ""]
    for chunk in chunks or []:
        if not isinstance(chunk, dict) or chunk.get("type") not in CHUNKS:
            raise SlackError("invalid_chunks")
        if chunk["type"] == "markdown_text":
            parts.append(str(chunk.get("text") or ""))
        elif chunk["type"] == "task_update" and chunk.get("status") == "in_progress":
            parts.append(f"\n_{chunk.get('title', '')}_\n")
    text = "".join(parts)
    if len(text) > most:
        raise SlackError("msg_too_long")
    return text
