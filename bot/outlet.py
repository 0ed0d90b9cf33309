"""The one way out to Slack for answers and notices; nothing unfurls.

An unfurl fetches a link that nobody clicked: a way out for what should stay inside.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.arrival import Identity
from bot.asked import Asked
from bot.stream import Delivered, Place, deliver
from bot.texts import TextName, Texts
from bot.thread import notice_metadata
from knowledge.conversation import Event, Question

logger = logging.getLogger(__name__)

OnMessage = Callable[[str, str], Awaitable[None]]
"""Told of each message that shows the answer: its channel and ts, as soon as Slack took it."""


class Outlet:
    """Posts to one workspace."""

    def __init__(self, client: AsyncWebClient, us: Identity) -> None:
        self._client, self._us = client, us

    def place(self, asked: Asked) -> Place:
        """Where the answer to a question belongs."""
        return Place(
            team=self._us.team,
            channel=asked.channel,
            user=asked.user,
            thread_ts=asked.thread_ts,
            is_dm=asked.via == "direct",
            ephemeral=asked.ephemeral,
            response_url=asked.response_url,
            user_team=asked.team,
        )

    async def deliver(
        self,
        asked: Asked,
        question: Question,
        events: AsyncGenerator[Event],
        language: str,
        *,
        on_message: OnMessage,
        stop: asyncio.Event,
        name_of: Callable[[str], Awaitable[str | None]],
    ) -> Delivered:
        """Show an answer where it belongs, while it is being written where Slack can."""
        return await deliver(
            events,
            self.place(asked),
            self._client,
            Texts.of(language),
            question_id=question.id,
            on_message=on_message,
            stop=stop,
            name_of=name_of,
        )

    async def notice(self, asked: Asked, name: TextName, language: str, **values: object) -> None:
        """Say something that is no answer, where the answer would stand."""
        text = Texts.of(language).get(name, **values)
        if asked.ephemeral:
            await self.whisper(text, asked.user, asked.channel, asked.response_url)
            return
        await self._client.chat_postMessage(
            channel=asked.channel,
            thread_ts=asked.thread_ts,
            text=text,
            metadata=notice_metadata(asked.event_id, name),
            unfurl_links=False,
            unfurl_media=False,
        )

    async def apologize(self, asked: Asked, language: str, reason: str) -> None:
        """Say that there is no answer: in its place, or directly where that can't be written to."""
        try:
            await self.notice(asked, "failed", language, reason=reason)
        except SlackApiError:
            text = Texts.of(language).get("failed", reason=reason)
            await self._client.chat_postMessage(
                channel=asked.user, text=text, unfurl_links=False, unfurl_media=False
            )

    async def whisper(
        self,
        text: str,
        user: str,
        channel: str,
        response_url: str | None,
        blocks: list[dict[str, Any]] | None = None,
    ) -> None:
        """Tell one person: at the response URL, else in the channel, else directly."""
        if response_url:
            webhook = AsyncWebhookClient(response_url)
            response = await webhook.send(
                text=text,
                blocks=blocks,
                response_type="ephemeral",
                replace_original=False,
                unfurl_links=False,
                unfurl_media=False,
            )
            if response.status_code == 200:
                return
        try:
            await self._client.chat_postEphemeral(
                channel=channel, user=user, text=text, blocks=blocks
            )
        except SlackApiError:
            await self._client.chat_postMessage(
                channel=user, text=text, blocks=blocks, unfurl_links=False, unfurl_media=False
            )

    async def delete(self, channel: str, ts: str) -> None:
        """Take one of our messages back."""
        await self._client.chat_delete(channel=channel, ts=ts)
