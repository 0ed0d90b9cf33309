"""What was said in a thread before a question, as turns; and our own messages there."""

from collections.abc import Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.asked import Asked, plain
from knowledge.conversation import Turn

TURN_CHARACTERS = 1_000
PAGE, PAGES = 200, 5  # a thread of more than a thousand messages is read from its beginning only
Json = Mapping[str, Any]


class Threads:
    """Reads threads."""

    def __init__(self, client: AsyncWebClient, us: Identity) -> None:
        self._client, self._us = client, us

    async def before(self, asked: Asked, answers: Mapping[str, str], most: int) -> tuple[Turn, ...]:
        """The last turns before a question; `answers` are ours from the log, by ts."""
        if most == 0 or not asked.in_thread or not asked.thread_ts:
            return ()
        messages = await self.messages(asked.channel, asked.thread_ts)
        # An answer may be younger than the follow-up that came while it was being written.
        earlier = [
            m for m in messages if str(m.get("ts")) < str(asked.ts) or str(m.get("ts")) in answers
        ]
        turns = [turn for m in earlier if (turn := self._turn(m, answers)) is not None]
        return tuple(turns[-most:])

    def _turn(self, message: Json, answers: Mapping[str, str]) -> Turn | None:
        ours = self.is_ours(message)
        if ours and notice_of(message):
            return None  # help and apologies are no part of the conversation
        logged = answers.get(str(message.get("ts"))) if ours else None
        text = logged or plain(str(message.get("text") or ""), self._us)
        if ours and not logged and text.startswith("> "):
            ours, text = False, text[2:]  # a sample question, quoted in the asker's stead
        if not text:
            return None
        return Turn("assistant" if ours else "user", text[:TURN_CHARACTERS])

    def is_ours(self, message: Json) -> bool:
        """Whether the bot wrote a message."""
        return message.get("user") == self._us.user or (
            self._us.bot is not None and message.get("bot_id") == self._us.bot
        )

    async def messages(self, channel: str, thread_ts: str) -> Sequence[Json]:
        """A thread, oldest first, with metadata; nothing where it can't be read."""
        found: list[Json] = []
        cursor: str | None = None
        for _ in range(PAGES):
            try:
                page = await self._client.conversations_replies(
                    channel=channel,
                    ts=thread_ts,
                    limit=PAGE,
                    cursor=cursor,
                    include_all_metadata=True,
                )
            except SlackApiError as error:
                if error.response.get("error") in {"thread_not_found", "not_in_channel"}:
                    break
                raise
            found += page.get("messages") or []
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found


NOTICE = "lorewise_notice"


def notice_metadata(event_id: int, name: str) -> dict[str, Any]:
    """Marks a message of ours that is no answer, and says which arrival it belongs to."""
    return {"event_type": NOTICE, "event_payload": {"event": event_id, "notice": name}}


def notice_of(message: Json) -> Json | None:
    """The payload of `notice_metadata`, or None."""
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != NOTICE:
        return None
    payload: Json = metadata.get("event_payload") or {}
    return payload
