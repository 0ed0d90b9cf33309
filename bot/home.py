"""The app's Home tab, and the questions that are suggested to whoever opens the app."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import text

from bot.arrival import Arrival, Identity, message_key
from bot.blocks import Block, note, section
from bot.features import REFUSALS, Features
from bot.markup import escape_mrkdwn, one_line
from bot.texts import Texts
from knowledge.database import Database
from training.feedback import Tally, tally

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]
PROMPT_ACTION = "home_prompt"
PROMPTS_METHOD = "assistant.threads.setSuggestedPrompts"
MOST_PROMPTS = 4

# Under the person's own rights: who may read nothing sees nothing of what there is.
_KNOWN = text("""
    SELECT count(*), (
        SELECT max(s.synced_at) FROM source s WHERE s.id IN (SELECT source_id FROM document)
    ) FROM document
""")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to begin with, and what its button says."""

    title: str
    question: str


@dataclass(frozen=True, slots=True)
class Known:
    """What there is for one person: documents that they may read, their last sync, all votes."""

    documents: int
    synced_at: datetime | None
    votes: Tally


def sample_prompts(texts: Texts) -> tuple[Prompt, ...]:
    """Questions that any company's documents may answer."""
    return (
        Prompt(texts.get("prompt_1_title"), texts.get("prompt_1")),
        Prompt(texts.get("prompt_2_title"), texts.get("prompt_2")),
        Prompt(texts.get("prompt_3_title"), texts.get("prompt_3")),
    )


def home_view(texts: Texts, known: Known, prompts: Sequence[Prompt], mention: str) -> Block:
    """The Home tab of one person."""
    title = {"type": "plain_text", "text": one_line(texts.get("home_title"), 150)}
    blocks: list[Block] = [
        {"type": "header", "text": title},
        section(texts.get("home_what")),
        section(texts.get("home_how", mention=mention)),
    ]
    if prompts:
        blocks += [section(f"*{texts.get('home_try')}*"), _buttons(prompts)]
    blocks += [{"type": "divider"}, *_facts(texts, known)]
    return {"type": "home", "blocks": blocks}


def _buttons(prompts: Sequence[Prompt]) -> Block:
    elements = [
        {
            "type": "button",
            "action_id": f"{PROMPT_ACTION}_{number}",
            "text": {"type": "plain_text", "text": one_line(prompt.question, 75)},
            "value": prompt.question[:2_000],
        }
        for number, prompt in enumerate(prompts[:MOST_PROMPTS], 1)
    ]
    return {"type": "actions", "elements": elements}


def _facts(texts: Texts, known: Known) -> list[Block]:
    if not known.documents:
        return [note(texts.get("home_no_documents"))]
    when = known.synced_at
    synced = texts.get("home_never_synced")
    if when is not None:
        day = f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        date = f"<!date^{int(when.timestamp())}^{{date_short_pretty}} {{time}}|{day}>"
        synced = texts.get("home_synced", when=date)
    votes = texts.get("home_votes", up=known.votes.up, down=known.votes.down)
    lines = [texts.get("home_documents", documents=f"{known.documents:,}"), synced, votes]
    return [section("\n".join(lines))]


class Home:
    """Shows the Home tab and suggests questions, in one workspace."""

    def __init__(
        self,
        database: Database,
        client: AsyncWebClient,
        us: Identity,
        *,
        readers_alone: Callable[[str], Awaitable[frozenset[str]]],
        language_of: Callable[[str], Awaitable[str]],
        prompts: Sequence[Prompt] = (),
        features: Features | None = None,
    ) -> None:
        """`readers_alone` gives a person's principals; without `prompts` the sample ones."""
        self._database, self._client, self._us = database, client, us
        self._readers_alone, self._language_of = readers_alone, language_of
        self._prompts, self._features = prompts, features or Features()

    async def opened(self, payload: Json) -> Literal["shown", "suggested", "ignored"]:
        """Somebody opened the app; `payload` is the `app_home_opened` event."""
        user = str(payload["user"])
        texts = Texts.of(await self._language_of(user))
        if payload.get("tab") == "home":
            await self._publish(user, texts)
            return "shown"
        if payload.get("tab") == "messages" and payload.get("channel"):
            suggested = await self.suggest(str(payload["channel"]), texts)
            return "suggested" if suggested else "ignored"
        return "ignored"

    async def suggest(self, channel: str, texts: Texts, thread_ts: str | None = None) -> bool:
        """Suggest questions in a direct message; False where this Slack has no such thing."""
        if not self._features.has(self._us.team, PROMPTS_METHOD):
            return False
        chosen = self._prompts or sample_prompts(texts)
        try:
            await self._client.assistant_threads_setSuggestedPrompts(
                channel_id=channel,
                thread_ts=thread_ts,
                title=texts.get("prompts_title"),
                prompts=[
                    {"title": one_line(prompt.title, 75), "message": prompt.question}
                    for prompt in chosen[:MOST_PROMPTS]
                ],
            )
        except SlackApiError as error:
            code = str(error.response.get("error"))
            if code in REFUSALS:
                self._features.refused(self._us.team, PROMPTS_METHOD)
            logger.info(
                "No questions were suggested: %s", code, extra={"action": "prompts_refused"}
            )
            return False
        return True

    async def pressed(self, payload: Json) -> Arrival | None:
        """A sample question's button: write the question into the direct message.

        Gives the question that is to be answered there, as if the person had asked it; None for
        other buttons. Nobody can write in a person's name, so the bot quotes it.
        """
        action = next(filter(is_prompt, payload.get("actions") or []), None)
        user = str((payload.get("user") or {}).get("id") or "")
        question = str((action or {}).get("value") or "").strip()
        if not user or not question:
            return None
        opened = await self._client.conversations_open(users=user)
        channel = str(opened["channel"]["id"])
        posted = await self._client.chat_postMessage(
            channel=channel,
            text=f"> {escape_mrkdwn(question)}",
            unfurl_links=False,
            unfurl_media=False,
        )
        ts = str(posted["ts"])
        asked = {"user": user, "text": question, "ts": ts, "channel": channel, "via": "direct"}
        key = message_key(self._us.team, channel, ts)
        return Arrival(key, "question", {**asked, "team": self._us.team, "files": []})

    async def _publish(self, user: str, texts: Texts) -> None:
        known = await self._known(user)
        prompts = self._prompts or sample_prompts(texts)
        view = home_view(texts, known, prompts if known.documents else (), self._us.mention)
        await self._client.views_publish(user_id=user, view=view)

    async def _known(self, user: str) -> Known:
        readers = await self._readers_alone(user)
        async with self._database.acting_as(readers) as connection:
            documents, synced_at = (await connection.execute(_KNOWN)).one()
            return Known(documents, synced_at, await tally(connection))


def is_prompt(action: Json) -> bool:
    """Whether an action is a press on a sample question."""
    return str(action.get("action_id") or "").startswith(PROMPT_ACTION)
