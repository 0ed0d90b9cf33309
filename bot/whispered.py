"""An answer that the asker alone sees: at the response URL, else ephemerally, else directly."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.blocks import Block, Post, posts, simpler
from bot.posting import LostResponseError, Mark, Poster

logger = logging.getLogger(__name__)

OnMessage = Callable[[str, str], Awaitable[None]]
USES = 5  # of one response URL, within half an hour


class WhisperWriter:
    """Shows a finished answer; it can't be changed afterwards, so nothing is shown before."""

    def __init__(self, poster: Poster, question_id: UUID, on_message: OnMessage) -> None:
        self._poster, self._question_id, self._on_message = poster, question_id, on_message
        self._uses = USES
        self.ts: list[str] = []

    async def finish(self, markdown: str, below: Sequence[Block], answer_id: UUID | None) -> None:
        """Show all of the text and what stands below it."""
        for index, post in enumerate(posts(markdown, below)):
            if not await self._responded(post) and not await self._whispered(post):
                await self._written_directly(post, Mark(self._question_id, index, answer_id))

    async def _responded(self, post: Post) -> bool:
        url = self._poster.place.response_url
        if not url or self._uses <= 0:
            return False
        webhook = AsyncWebhookClient(url, timeout=max(1, round(self._poster.pace.call_seconds)))
        for blocks in (post.blocks, simpler(post.blocks)):
            if self._uses <= 0:
                break
            self._uses -= 1
            try:
                response = await webhook.send(
                    text=post.text,
                    blocks=blocks,
                    response_type="ephemeral",
                    replace_original=False,
                    unfurl_links=False,
                    unfurl_media=False,
                )
            except (aiohttp.ClientError, TimeoutError):
                break
            if response.status_code == 200:
                return True
            if "blocks" not in (response.body or ""):
                self._uses = 0  # used up or too old
        return False

    async def _whispered(self, post: Post) -> bool:
        try:
            await self._poster.whisper(post)
        except (SlackApiError, LostResponseError, aiohttp.ClientError) as error:
            logger.info(
                "An answer could not be shown where it was asked: %s",
                type(error).__name__,
                extra={"action": "whisper_failed"},
            )
            return False
        return True

    async def _written_directly(self, post: Post, mark: Mark) -> None:
        """Into the direct message with the asker: the bot isn't in the conversation."""
        opened = await self._poster.call("conversations.open", users=self._poster.place.user)
        channel = str((opened.get("channel") or {}).get("id"))
        place = replace(self._poster.place, channel=channel, thread_ts=None, is_dm=True)
        ts = await self._poster.at(place).post(post, mark)
        self.ts.append(ts)
        await self._on_message(channel, ts)
