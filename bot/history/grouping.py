"""Which messages are knowledge, and which document each belongs to.

A thread is a document of its own; what isn't in a thread stands together by its day (UTC), so
that a message's document is known from its time alone and an edit changes no other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.arrival import WRITTEN, Identity
from bot.history.rendering import moment

Json = Mapping[str, Any]
TAKEN = WRITTEN | {"me_message"}


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose messages are taken."""

    us: Identity
    bots: bool = False
    """Other apps' messages too; ours never: an answer must not become a source."""

    def why_not(self, message: Json) -> str | None:
        """Why a message is left out, in words; None where it is taken."""
        if self.ours(message):
            return "the bot's own messages"
        subtype = message.get("subtype")
        if message.get("bot_id") or subtype == "bot_message":
            return None if self.bots else "messages of apps"
        if subtype not in TAKEN or message.get("hidden") or message.get("user") == "USLACKBOT":
            return "messages of Slack itself"
        if not str(message.get("text") or "").strip():
            return "messages without text"
        return None

    def ours(self, message: Json) -> bool:
        """Whether the bot wrote it."""
        return message.get("user") == self.us.user or (
            self.us.bot is not None and message.get("bot_id") == self.us.bot
        )

    def asks_us(self, message: Json) -> bool:
        """Whether it is a question to the bot: no knowledge, but its thread may hold some."""
        return self.us.mention in str(message.get("text") or "")

    def thread(self, messages: Sequence[Json]) -> list[Json]:
        """What is taken of a thread. Where the bot took part, only what somebody else than the
        asker has said makes it more than a question with our answer."""
        kept = [message for message in messages if self.why_not(message) is None]
        if any(map(self.ours, messages)) or any(map(self.asks_us, messages)):
            askers = {message.get("user") for message in kept if self.asks_us(message)}
            askers = askers or {messages[0].get("user")}  # the shortcut, which mentions nobody
            if all(message.get("user") in askers for message in kept):
                return []
        return kept

    def why_not_alone(self, message: Json) -> str | None:
        """The same for a message that isn't in a thread, where a question is nothing yet."""
        asked = "questions to the bot" if self.asks_us(message) else None
        return self.why_not(message) or asked


def day_of(ts: str) -> str:
    """The day (UTC) of a message: the key of its document, where it isn't in a thread."""
    return moment(ts).date().isoformat()


def is_day(key: str) -> bool:
    """Whether the end of a document's key is a day, and no thread's first ts."""
    return "-" in key


def times_of(day: str) -> tuple[str, str]:
    """The first and the last ts that a message of a day may have."""
    start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    return f"{start}.000000", f"{start + 86_399}.999999"


def is_thread(message: Json) -> bool:
    """Whether a message of a channel's history begins a thread."""
    return bool(message.get("reply_count")) and not is_reply(message)


def is_reply(message: Json) -> bool:
    """Whether a message stands in another one's thread, though it may be shown in the channel."""
    thread_ts = message.get("thread_ts")
    return bool(thread_ts) and thread_ts != message.get("ts")


def state_of(root: Json) -> list[Any]:
    """What changes when a thread gets or loses a reply, or its first message is edited."""
    edited = (root.get("edited") or {}).get("ts")
    return [root.get("reply_count"), root.get("latest_reply"), edited, root.get("subtype")]


def oldest_first(messages: Iterable[Json]) -> list[Json]:
    """In the order of their writing."""
    return sorted(messages, key=lambda message: float(message["ts"]))
