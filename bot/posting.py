"""Posting and changing one message of an answer, each exactly once.

A response that is lost says nothing about whether Slack took the message. Each message carries
the question's id and its part in its metadata, so before it is posted again the thread is read.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import Block, Post, simpler
from bot.features import REFUSALS, Features

logger = logging.getLogger(__name__)

READING = frozenset({"conversations.replies", "conversations.history"})  # these take no JSON
RATE_LIMIT_RETRIES = 5
LONGEST_WAIT_SECONDS = 90.0
ANSWER_EVENT = "lorewise_answer"
RICH_BLOCKS = "blocks:markdown"
Json = Mapping[str, Any]

# Slack failed inside: it may have carried the call out or not.
UNCERTAIN = frozenset(
    {"internal_error", "fatal_error", "request_timeout", "service_unavailable", "unknown_error"}
)
BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "unsupported_block_type"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer belongs, and who asked.

    `thread_ts` is the thread that it is written in (None: not in a thread), `response_url` the
    URL that a slash command or an ephemeral shortcut granted.
    """

    team: str
    channel: str
    user: str
    thread_ts: str | None = None
    is_dm: bool = False
    ephemeral: bool = False
    response_url: str | None = None
    user_team: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an answer is shown, and how patient we are. Tests shorten it."""

    flush_seconds: float = 1.0
    flush_characters: int = 400
    update_seconds: float = 1.2
    slowest_seconds: float = 10.0
    stream_seconds: float = 240.0  # a stream dies 5 minutes after its start
    stream_characters: int = 11_000
    call_seconds: float = 15.0
    settle_seconds: float = 1.0  # after a lost response, until Slack shows what it took
    stop_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What the metadata of one of our messages says. Only a whole answer has an `answer_id`."""

    question_id: UUID
    part: int
    answer_id: UUID | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """The mark as Slack's metadata."""
        payload: dict[str, Any] = {"question_id": str(self.question_id), "part": self.part}
        if self.answer_id is not None:
            payload["answer_id"] = str(self.answer_id)
        return {"event_type": ANSWER_EVENT, "event_payload": payload}


def mark_of(message: Json) -> Mark | None:
    """The mark of a message that shows an answer or a part of one; None for any other."""
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    if metadata.get("event_type") != ANSWER_EVENT:
        return None
    try:
        answer = payload.get("answer_id")
        question_id, part = UUID(payload["question_id"]), int(payload.get("part", 0))
        return Mark(question_id, part, UUID(answer) if answer else None)
    except (KeyError, ValueError, TypeError):
        return None


class LostResponseError(Exception):
    """Slack's response didn't arrive; whether the call took effect is not known."""


def code_of(error: SlackApiError) -> str:
    """Slack's word for what is wrong; "" where the response had none."""
    response = error.response
    code = response.get("error") if hasattr(response, "get") else None
    return str(code or "")


class Poster:
    """The Web API calls of one answer."""

    def __init__(
        self, client: AsyncWebClient, place: Place, features: Features, pace: Pace
    ) -> None:
        self.place, self.features, self.pace = place, features, pace
        self._client = _bare(client)

    def at(self, place: Place) -> "Poster":
        """The same for another place."""
        return Poster(self._client, place, self.features, self.pace)

    async def call(self, method: str, *, waits: bool = True, **arguments: Any) -> Json:
        """One call; waits out rate limits (unless told not to), and repeats nothing else.

        Raises:
            LostResponseError: it may have taken effect.
            SlackApiError: Slack refused it.
        """
        for _ in range(RATE_LIMIT_RETRIES if waits else 0):
            try:
                return await self._call(method, arguments)
            except SlackApiError as error:
                if error.response.status_code != 429:
                    raise
                await asyncio.sleep(_retry_after_seconds(error))
        return await self._call(method, arguments)

    async def _call(self, method: str, arguments: Json) -> Json:
        given = {name: value for name, value in arguments.items() if value is not None}
        kind, verb = ("params", "GET") if method in READING else ("json", "POST")
        try:
            # The client's own time limit doesn't hold for a session that it shares.
            async with asyncio.timeout(self.pace.call_seconds):
                response = await self._client.api_call(method, http_verb=verb, **{kind: given})
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LostResponseError(method) from error
        except SlackApiError as error:
            if code_of(error) in UNCERTAIN or not code_of(error):
                raise LostResponseError(method) from error
            raise
        return response.data if isinstance(response.data, dict) else {}

    async def try_call(self, method: str, **arguments: Any) -> bool:
        """A call that is nice to have; a refusal is remembered, nothing is raised."""
        if not self.features.has(self.place.team, method):
            return False
        try:
            await self.call(method, waits=False, **arguments)
        except SlackApiError as error:
            self.note_refusal(method, error)
            return False
        except (LostResponseError, aiohttp.ClientError):
            return False
        return True

    def note_refusal(self, method: str, error: SlackApiError) -> None:
        """Remember a method that the workspace doesn't have for us."""
        if code_of(error) in REFUSALS:
            self.features.refused(self.place.team, method)
            logger.info(
                "The workspace refuses %s: %s",
                method,
                code_of(error),
                extra={"action": "method_refused", "method": method},
            )

    async def post(self, post: Post, mark: Mark) -> str:
        """Post a message once and give its ts."""
        place = self.place
        for attempt in (1, 2):
            try:
                return await self._send(
                    "chat.postMessage",
                    post,
                    channel=place.channel,
                    thread_ts=place.thread_ts,
                    metadata=mark.metadata,
                )
            except LostResponseError:
                if found := await self.find(lambda message: mark_of(message) == mark):
                    return found
                if attempt == 2:
                    raise
        raise AssertionError

    async def update(self, ts: str, post: Post, mark: Mark) -> None:
        """Change a message; doing it twice does no harm."""
        for attempt in (1, 2):
            try:
                await self._send(
                    "chat.update", post, channel=self.place.channel, ts=ts, metadata=mark.metadata
                )
                return
            except LostResponseError:
                if attempt == 2:
                    raise

    async def whisper(self, post: Post) -> None:
        """Show a message to the asker alone, in the conversation."""
        place = self.place
        await self._send(
            "chat.postEphemeral",
            post,
            channel=place.channel,
            user=place.user,
            thread_ts=place.thread_ts,
        )

    async def _send(self, method: str, post: Post, **arguments: Any) -> str:
        """One call with blocks, in simpler blocks where Slack doesn't take ours."""

        async def attempt(blocks: Sequence[Block]) -> str:
            answer = await self.call(
                method,
                text=post.text,
                blocks=list(blocks),
                unfurl_links=False,
                unfurl_media=False,
                **arguments,
            )
            return str(answer.get("ts") or answer.get("message_ts") or "")

        return await self.with_blocks(post.blocks, attempt)

    async def with_blocks(
        self, blocks: Sequence[Block], attempt: Callable[[Sequence[Block]], Awaitable[str]]
    ) -> str:
        """`attempt` with our blocks, or with simpler ones where those are refused."""
        if not self.features.has(self.place.team, RICH_BLOCKS):
            return await attempt(simpler(blocks))
        try:
            return await attempt(blocks)
        except SlackApiError as error:
            if code_of(error) not in BAD_BLOCKS:
                raise
        sent = await attempt(simpler(blocks))
        self.features.refused(self.place.team, RICH_BLOCKS)
        return sent

    async def find(self, wanted: Callable[[Json], bool]) -> str | None:
        """The ts of a message of the thread (or of the channel's end), after a lost response."""
        await asyncio.sleep(self.pace.settle_seconds)
        place = self.place
        arguments: dict[str, Any] = {"channel": place.channel, "include_all_metadata": "true"}
        method = "conversations.history"
        if place.thread_ts:
            method = "conversations.replies"
            arguments |= {"ts": place.thread_ts, "limit": 200}
        cursor: str | None = None
        try:
            while True:
                page = await self.call(method, cursor=cursor, **arguments)
                for message in reversed(page.get("messages") or []):
                    if wanted(message):
                        return str(message["ts"])
                cursor = (page.get("response_metadata") or {}).get("next_cursor")
                if not cursor or not place.thread_ts:
                    return None
        except (SlackApiError, LostResponseError) as error:
            # What can't be looked up may be there twice; not answering at all would be worse.
            logger.warning(
                "Whether a message was posted can't be looked up: %s",
                type(error).__name__,
                extra={"action": "reconcile_failed"},
            )
            return None


def _retry_after_seconds(error: SlackApiError) -> float:
    after = str(error.response.headers.get("Retry-After") or "")
    return min(float(after) if after.isdigit() else 1.0, LONGEST_WAIT_SECONDS)


def _bare(client: AsyncWebClient) -> AsyncWebClient:
    """A copy that retries nothing by itself: a broken connection may have posted the message."""
    return AsyncWebClient(
        token=client.token,
        base_url=client.base_url,
        timeout=client.timeout,
        ssl=client.ssl,
        proxy=client.proxy,
        session=client.session,
        trust_env_in_session=client.trust_env_in_session,
        headers=dict(client.headers),
        retry_handlers=[],
    )
