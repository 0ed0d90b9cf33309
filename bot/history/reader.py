"""Reading Slack in bulk: page by page, at a pace that leaves answers their share of the limits."""

import logging
import time
from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from knowledge.errors import SourceError

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]
PAGE = 200  # Slack advises no more for messages; a page of 999 may time out
PEOPLE_PAGE = 999
CALLS_PER_MINUTE = 40.0  # of Tier 3's fifty: the threads of questions are read by the same methods
PACES_PER_MINUTE = {"users.list": 15.0}  # Tier 2
BURST = 15.0
WAITS, LONGEST_WAIT_SECONDS = 5, 120.0
PAUSES_SECONDS = (1.0, 4.0, 15.0)  # after a lost connection: reading twice does no harm

WHAT_TO_DO = {
    "missing_scope": "The app lacks a scope: `lorewise manifest` prints what it needs.",
    "not_authed": "Set LOREWISE_SLACK_BOT_TOKEN.",
    "invalid_auth": "Check LOREWISE_SLACK_BOT_TOKEN.",
    "account_inactive": "Install the app again.",
    "token_revoked": "Install the app again and copy the new token.",
}
GONE = frozenset({"thread_not_found", "message_not_found"})
CLOSED = frozenset({"channel_not_found", "not_in_channel", "is_archived"})


class ChannelClosedError(SourceError):
    """A channel can't be read any more: the bot was taken out of it, or it is gone."""


class Pace:
    """A bucket of calls: a burst is free, then so many a minute."""

    def __init__(
        self,
        per_minute: float = CALLS_PER_MINUTE,
        burst: float = BURST,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._now = per_minute / 60, burst, now
        self._left, self._since = burst, now()

    def wait_seconds(self) -> float:
        """Take one call out of the bucket; how long to wait before making it."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._since) * self._per_second)
        self._since = now
        self._left -= 1
        return max(0.0, -self._left / self._per_second)


class Reader:
    """Slack's reading methods. Raises SourceError, which says what to do."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._paces: dict[str, Pace] = {}

    async def channels(self) -> list[Json]:
        """The public and private channels that the bot is a member of, archived ones too."""
        return [
            channel
            async for page in self._pages(
                "users.conversations", "channels", types="public_channel,private_channel"
            )
            for channel in page
        ]

    async def people(self) -> list[Json]:
        """Everyone of the workspace."""
        pages = self._pages("users.list", "members", limit=PEOPLE_PAGE)
        return [person async for page in pages for person in page]

    async def person(self, user: str) -> Json:
        """One person; nothing where Slack knows none."""
        try:
            found = await self._call("users.info", user=user)
        except SourceError:
            return {}
        person: Json = found.get("user") or {}
        return person

    def history(self, channel: str, oldest: str, latest: str) -> AsyncIterator[list[Json]]:
        """The messages of `oldest` <= ts <= `latest`, newest first, without replies."""
        return self._pages(
            "conversations.history", "messages", channel=channel, oldest=oldest, latest=latest,
            inclusive=1,
        )  # fmt: skip

    async def thread(self, channel: str, root: str) -> list[Json]:
        """A thread's messages, oldest first; none where it is gone."""
        pages = self._pages("conversations.replies", "messages", channel=channel, ts=root)
        return [message async for page in pages for message in page]

    async def _pages(self, method: str, items: str, **arguments: Any) -> AsyncIterator[list[Json]]:
        cursor = ""
        arguments.setdefault("limit", PAGE)
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = await self._call(method, **arguments, **more)
            yield list(page.get(items) or [])
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    async def _call(self, method: str, **arguments: Any) -> Json:
        if method not in self._paces:
            self._paces[method] = Pace(PACES_PER_MINUTE.get(method, CALLS_PER_MINUTE))
        if wait := self._paces[method].wait_seconds():
            await sleep(wait)
        limited, lost = 0, 0
        while True:
            try:
                response = await self._client.api_call(method, http_verb="GET", params=arguments)
            except SlackApiError as error:
                if error.response.get("error") in GONE:
                    return {}
                limited += 1
                await self._wait_or_raise(error, method, limited)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if lost == len(PAUSES_SECONDS):
                    raise SourceError(
                        f"Slack can't be reached ({type(error).__name__}): check the network. "
                        "The next run goes on from here."
                    ) from error
                await sleep(PAUSES_SECONDS[lost])
                lost += 1
            else:
                data = response.data
                assert isinstance(data, dict)
                return data

    async def _wait_or_raise(self, error: SlackApiError, method: str, tries: int) -> None:
        code = str(error.response.get("error"))
        if code in {"ratelimited", "rate_limited"} and tries <= WAITS:
            after = str(error.response.headers.get("Retry-After") or "30")
            seconds = float(after) if after.replace(".", "").isdigit() else 30.0
            logger.info(
                "Slack asks to wait %s s before %s", after, method,
                extra={"action": "slack_rate_limited", "method": method},
            )  # fmt: skip
            await sleep(min(seconds, LONGEST_WAIT_SECONDS))
            return
        raise _error(code, method) from error


def _error(code: str, method: str) -> SourceError:
    if code in CLOSED:
        return ChannelClosedError(f"The channel can't be read ({code}): invite the bot to it.")
    what = WHAT_TO_DO.get(code, "Try again later; the next run goes on from here.")
    return SourceError(f"Slack refuses {method} ({code}). {what}")
