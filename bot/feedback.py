"""Thumbs under an answer and reactions to it become votes.

A reaction carries only the message's ts: the message tells the answer. Whatever isn't a reaction
of a person to an answer of ours is ignored.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import text

from bot.blocks import FEEDBACK_ACTION
from bot.errors import AnswerNotLoggedError
from bot.settings import BotSettings
from bot.texts import Texts
from knowledge.database import Database
from training.feedback import Vote, confirm_vote, last_vote, record_vote

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]
Outcome = Literal["recorded", "unchanged", "ignored"]
LanguageOf = Callable[[str], Awaitable[str]]
ALIASES = {"thumbsup": "+1", "thumbsdown": "-1"}  # Slack sends the short names

_ANSWER_OF_MESSAGE = text("""
    SELECT m.answer_id, a.id IS NOT NULL FROM slack_message m
    LEFT JOIN answer a ON a.id = m.answer_id
    WHERE m.team = :team AND m.channel = :channel AND m.ts = :ts
""")


@dataclass(frozen=True, slots=True)
class Reactions:
    """Which reactions are votes, by their names without skin tones."""

    positive: frozenset[str]
    negative: frozenset[str]

    @staticmethod
    def of(settings: BotSettings) -> "Reactions":
        """The reactions of the settings."""
        return Reactions(
            frozenset(map(plain_name, settings.positive_reactions)),
            frozenset(map(plain_name, settings.negative_reactions)),
        )

    def vote(self, name: str) -> Vote:
        """1 or -1; 0 for a reaction that is no vote."""
        plain = plain_name(name)
        if plain in self.positive:
            return 1
        return -1 if plain in self.negative else 0


def plain_name(name: str) -> str:
    """An emoji's name without colons, skin tone and alias: `:thumbsup::skin-tone-3:` is `+1`."""
    plain = name.strip(":").partition("::")[0]
    return ALIASES.get(plain, plain)


class Feedback:
    """Takes votes in for one workspace."""

    def __init__(
        self,
        database: Database,
        client: AsyncWebClient,
        reactions: Reactions,
        *,
        team: str,
        language_of: LanguageOf | None = None,
    ) -> None:
        """With `language_of` (a user's language), who votes down is thanked in it."""
        self._database, self._client, self._reactions = database, client, reactions
        self._team, self._language_of = team, language_of

    async def reaction(self, payload: Json) -> Outcome:
        """Take a `reaction_added` or `reaction_removed` in; `payload` is the inner event.

        Raises:
            AnswerNotLoggedError: the answer is still being written; try again when it is not.
        """
        name, item = plain_name(str(payload.get("reaction") or "")), payload.get("item") or {}
        vote, user = self._reactions.vote(name), str(payload.get("user") or "")
        own = user == payload.get("item_user")  # the author of an answer is the bot
        if not vote or not user or own or item.get("type") != "message":
            return "ignored"
        channel = str(item["channel"])
        answer_id = await self._answer_of(channel, str(item["ts"]))
        if answer_id is None:
            return "ignored"
        voter, at = f"user:{self._team}:{user}", slack_time(payload["event_ts"])
        if payload["type"] == "reaction_removed":
            if await self._still_holds(answer_id, voter, name, at):
                return "unchanged"
            left = await self._left(payload)
            name, vote = left or name, self._reactions.vote(left) if left else 0
        changed = await self._record(answer_id, voter, vote, at, reaction=name)
        if changed and vote == -1 and payload["type"] == "reaction_added":
            await self._thank(channel, user, None)
        return "recorded" if changed else "unchanged"

    async def button(self, payload: Json) -> Outcome:
        """Take a press on the thumbs in; `payload` is the whole `block_actions` payload."""
        action = next(filter(is_feedback, payload.get("actions") or []), None)
        user = payload.get("user") or {}
        answer_id, vote = read_value(str((action or {}).get("value") or ""))
        if action is None or answer_id is None or not user.get("id"):
            return "ignored"
        voter = f"user:{self._team}:{user['id']}"  # as a reaction, which names no team, has it
        changed = await self._record(answer_id, voter, vote, slack_time(action["action_ts"]))
        if changed and vote == -1:
            channel = (payload.get("channel") or {}).get("id") or ""
            thread_ts = (payload.get("message") or {}).get("thread_ts")
            await self._thank(str(channel), str(user["id"]), thread_ts)
        return "recorded" if changed else "unchanged"

    async def _record(
        self, answer_id: UUID, voter: str, vote: Vote, at: datetime, *, reaction: str | None = None
    ) -> bool:
        async with self._database.app.begin() as connection:
            changed = await record_vote(
                connection,
                answer_id,
                voter,
                vote,
                origin="reaction" if reaction else "button",
                reaction=reaction,
                voted_at=at,
            )
        if changed:
            logger.info(
                "A vote was recorded",
                extra={"action": "vote_recorded", "answer": str(answer_id), "vote": vote},
            )
        return changed

    async def _answer_of(self, channel: str, ts: str) -> UUID | None:
        """The answer that a message shows; None for a message that shows none."""
        async with self._database.app.begin() as connection:
            values = {"team": self._team, "channel": channel, "ts": ts}
            row = (await connection.execute(_ANSWER_OF_MESSAGE, values)).first()
        if row is not None and not row[1]:
            raise AnswerNotLoggedError(
                "The answer that was voted on isn't in the log yet; the vote is tried again."
            )
        return row[0] if row else None

    async def _still_holds(self, answer_id: UUID, voter: str, name: str, at: datetime) -> bool:
        """Whether the vote stands on something else than the reaction that is gone."""
        async with self._database.app.begin() as connection:
            last = await last_vote(connection, answer_id, voter)
            if last is None or (last.origin, last.reaction) == ("reaction", name):
                return False
            await confirm_vote(connection, answer_id, voter, at=at)
        return True

    async def _left(self, payload: Json) -> str | None:
        """The voting reaction that the person still has on the message, as Slack shows it now."""
        item = payload["item"]
        try:
            answer = await self._client.reactions_get(
                channel=item["channel"], timestamp=item["ts"], full=True
            )
        except SlackApiError as error:
            logger.info(
                "Slack doesn't say which reactions are left: %s",
                error.response.get("error"),
                extra={"action": "reactions_unknown"},
            )
            return None  # so the person took back the only one that we know of
        shown = (answer.get("message") or {}).get("reactions") or []
        names = [
            plain_name(str(reaction.get("name")))
            for reaction in shown
            if payload["user"] in (reaction.get("users") or [])
        ]
        voting = [name for name in names if self._reactions.vote(name)]
        return voting[-1] if voting else None

    async def _thank(self, channel: str, user: str, thread_ts: str | None) -> None:
        """Tell who voted down, and nobody else, that it was heard; a courtesy that may fail."""
        if self._language_of is None:
            return
        try:
            texts = Texts.of(await self._language_of(user))
            await self._client.chat_postEphemeral(
                channel=channel,
                user=user,
                text=texts.get("feedback_thanks"),
                thread_ts=thread_ts,
            )
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            logger.info(
                "A vote could not be acknowledged: %s",
                type(error).__name__,
                extra={"action": "thanks_failed"},
            )


def is_feedback(action: Json) -> bool:
    """Whether an action is a press on the thumbs, in any of their two shapes."""
    return str(action.get("action_id") or "").startswith(FEEDBACK_ACTION)


def read_value(value: str) -> tuple[UUID | None, Vote]:
    """The answer and the vote of a thumb's value; (None, 0) for anything else."""
    answer, _, vote = value.rpartition(":")
    try:
        answer_id = UUID(answer)
    except ValueError:
        return None, 0
    votes: dict[str, Vote] = {"1": 1, "-1": -1}
    return (answer_id, votes[vote]) if vote in votes else (None, 0)


def slack_time(ts: object) -> datetime:
    """Slack's time, such as `1700000001.123456`, to the microsecond."""
    seconds, _, fraction = str(ts).partition(".")
    microseconds = int((fraction + "000000")[:6])
    return datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=microseconds)
