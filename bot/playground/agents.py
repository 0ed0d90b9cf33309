"""What an agent shows besides messages: the status line, the session, the suggested prompts."""

import asyncio
from typing import TYPE_CHECKING, Any

from bot.playground.errors import invalid
from bot.playground.message import Message

if TYPE_CHECKING:
    from bot.playground.workspace import Workspace

Json = dict[str, Any]
SESSION_STATUSES = ("active", "processing", "suspended", "closed")


class Agents:
    """The agent's state by thread: (channel, thread_ts)."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        self.sessions: dict[tuple[str, str], Json] = {}
        self.titles: dict[tuple[str, str], str] = {}
        self.prompts: dict[str, Json] = {}

    def set_status(
        self, channel: str, thread_ts: str, status: str, loading_messages: list[str]
    ) -> None:
        """Show a status line in a thread; an empty one clears it, and so does time."""
        key = (channel, thread_ts)
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if status:
            self.statuses[key] = status
            seconds = self._workspace.limits.status_lifetime_seconds
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(
                seconds, self.set_status, channel, thread_ts, "", []
            )
        else:
            self.statuses.pop(key, None)
        self._push(
            channel,
            {
                "type": "status",
                "channel": channel,
                "thread_ts": thread_ts,
                "status": status,
                "loading_messages": loading_messages,
            },
        )

    def answered(self, message: Message) -> None:
        """The app wrote something: the status line of that thread goes."""
        if (message.channel, message.root) in self.statuses:
            self.set_status(message.channel, message.root, "", [])

    def set_session(self, channel: str, thread_ts: str, status: str, title: str = "") -> Json:
        """Move a thread's session to `status`; the title counts only for a new session."""
        if status not in SESSION_STATUSES:
            raise invalid(f"status must be one of {', '.join(SESSION_STATUSES)}")
        if len(title) > self._workspace.limits.session_title:
            raise invalid("title is too long")
        session = self.sessions.setdefault((channel, thread_ts), {"title": title})
        session["status"] = status
        self._push(
            channel,
            {
                "type": "session",
                "channel": channel,
                "thread_ts": thread_ts,
                "status": status,
            },
        )
        return session

    def set_prompts(self, channel: str, title: str, prompts: list[Json]) -> None:
        """Suggest up to four questions in a conversation."""
        self.prompts[channel] = {"title": title, "prompts": prompts}
        self._push(
            channel, {"type": "prompts", "channel": channel, "title": title, "prompts": prompts}
        )

    def close(self) -> None:
        """Stop every timer."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _push(self, channel: str, update: Json) -> None:
        self._workspace.pages.push(self._workspace.channels[channel].members, update)
