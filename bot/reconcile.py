"""Before an answer is written again: what is of it in Slack already?

The one window that a commit cannot close is between Slack's accepting a message and our noting
it. Our messages carry the arrival's number in their metadata, so after a first attempt we read
the thread: a whole answer that we find is noted and not written twice, a begun one is deleted.
"""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from slack_sdk.errors import SlackApiError

from bot.asked import Asked
from bot.ledger import Ledger
from bot.outlet import Outlet
from bot.posting import mark_of
from bot.thread import Threads, notice_of

logger = logging.getLogger(__name__)


class Reconciler:
    """Compares our tables with Slack."""

    def __init__(self, outlet: Outlet, ledger: Ledger, threads: Threads) -> None:
        self._outlet, self._ledger, self._threads = outlet, ledger, threads

    async def settled(self, asked: Asked, question_id: UUID, attempt: int) -> bool:
        """True if the answer is in Slack; else whatever was begun of it is gone."""
        shown = await self._ledger.shown(asked.event_id)
        final = next((message for message in shown if message.final), None)
        if final is not None:
            await self._ledger.finish(asked.event_id, "answered")
            return True
        if not shown and attempt == 1:
            return False
        if await self._found_in_slack(asked, question_id):
            return True
        await self.clear(asked)
        return False

    async def clear(self, asked: Asked) -> None:
        """Delete the messages that an earlier attempt began and didn't finish."""
        for message in await self._ledger.shown(asked.event_id):
            if not message.final:
                await self._delete(message.channel, message.ts)

    async def _found_in_slack(self, asked: Asked, question_id: UUID) -> bool:
        if asked.ephemeral or not asked.thread_ts:
            return False  # an ephemeral answer is in no history
        messages = await self._threads.messages(asked.channel, asked.thread_ts)
        ours = [message for message in messages if self._threads.is_ours(message)]
        if any(_is_failure(message, asked.event_id) for message in ours):
            await self._ledger.finish(asked.event_id, "failed")
            return True
        parts = [
            (m, mark) for m in ours if (mark := mark_of(m)) and mark.question_id == question_id
        ]
        answer_id = next((mark.answer_id for _, mark in parts if mark.answer_id), None)
        if answer_id is None:
            for message, _ in parts:
                await self._delete(asked.channel, str(message["ts"]))
            await self._delete_stubs(asked, ours)
            return False
        for message, _ in parts:
            await self._ledger.keep(
                asked.event_id,
                question_id,
                channel=asked.channel,
                ts=str(message["ts"]),
                thread_ts=asked.thread_ts,
                answer_id=answer_id,
            )
        await self._ledger.settle(asked.event_id, answer_id, "answered")
        logger.info("An answer was in Slack already", extra={"action": "answer_reconciled"})
        return True

    async def _delete_stubs(self, asked: Asked, ours: list[Mapping[str, Any]]) -> None:
        """Messages that Slack took and nobody knows of. One thread's answers are written one
        after the other (the job's lock), so such a message is nobody's but this arrival's."""
        known = await self._ledger.known_messages(asked.channel, asked.thread_ts or "")
        for message in ours:
            later = str(message.get("ts")) > str(asked.ts or "")
            if later and not message.get("metadata") and str(message["ts"]) not in known:
                await self._delete(asked.channel, str(message["ts"]))

    async def _delete(self, channel: str, ts: str) -> None:
        try:
            await self._outlet.delete(channel, ts)
        except SlackApiError as error:
            if error.response.get("error") != "message_not_found":
                raise
        await self._ledger.drop(channel, ts)


def _is_failure(message: Mapping[str, Any], event_id: int) -> bool:
    notice = notice_of(message) or {}
    return notice.get("event") == event_id and notice.get("notice") == "failed"
