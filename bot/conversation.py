"""From a payload in the inbox to an answer in Slack, once.

Where an answer belongs: in a channel always in the thread of the question (its readers bound what
it may say); in a direct message in that message's thread; for `/ask`, and for the shortcut where
the bot is no member, with the asker alone.

A job may run twice: a worker dies, or Slack takes an answer and we don't get to note it. So every
attempt first looks at what is already in Slack (`bot.reconcile`).
"""

import logging
from collections.abc import AsyncIterator
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from slack_sdk.errors import SlackApiError, SlackClientError
from sqlalchemy.exc import SQLAlchemyError

from bot.access import People
from bot.arrival import Identity
from bot.asked import Asked, read_asked
from bot.ledger import Ledger
from bot.markup import escape_mrkdwn, one_line
from bot.outlet import OnMessage, Outlet
from bot.reconcile import Reconciler
from bot.stops import Stops, until_stopped
from bot.texts import TextName, Texts
from bot.thread import Threads
from knowledge.conversation import Event, Question
from knowledge.errors import DatabaseError, GenerationError

logger = logging.getLogger(__name__)


class Answers(Protocol):
    """What answers questions: knowledge.answer.Answerer."""

    def answer(self, question: Question) -> AsyncIterator[Event]:
        """The events of one answer; the last is always Finished."""
        ...


class Conversation:
    """Answers the questions of one workspace."""

    def __init__(
        self,
        *,
        us: Identity,
        ledger: Ledger,
        people: People,
        threads: Threads,
        outlet: Outlet,
        answers: Answers,
        stops: Stops,
        history_turns: int,
    ) -> None:
        self._us, self._ledger, self._people = us, ledger, people
        self._threads, self._outlet, self._answers = threads, outlet, answers
        self._stops, self._history_turns = stops, history_turns
        self._reconciler = Reconciler(outlet, ledger, threads)

    async def answer(self, event_id: int, attempt: int) -> None:
        """Answer one arrival; does nothing where that was done before."""
        taken = await self._ledger.load(event_id)
        if taken is None or taken.finished:
            return
        asked = read_asked(taken.id, taken.kind, taken.payload, self._us)
        if await self._reconciler.settled(asked, question_id(asked, self._us), attempt):
            return
        asked = await self._placed(asked)
        language = await self._people.language_of(asked.user)
        if not asked.text:
            await self._help(asked, language)
            await self._ledger.finish(event_id, "helped")
            return
        await self._answer(asked, language)
        if asked.files:
            await self._outlet.notice(asked, "files", language, files=_names(asked.files))

    async def gave_up(self, event_id: int, error: BaseException) -> None:
        """Tell the asker, after the last attempt, that there will be no answer, and why."""
        taken = await self._ledger.load(event_id)
        if taken is None or taken.finished:
            return
        if taken.kind not in {"question", "command"}:
            await self._ledger.finish(event_id, "failed")
            return
        asked = read_asked(taken.id, taken.kind, taken.payload, self._us)
        try:
            await self._reconciler.clear(asked)
            asked = await self._placed(asked)
            language = await self._people.language_of(asked.user)
            reason = Texts.of(language).get(_reason(error))
            await self._outlet.apologize(asked, language, reason)
        except SlackApiError as refusal:
            # We were taken out of the channel, or the person left: there is nobody to tell.
            logger.error(
                "A question can't be answered, nor can the asker be told: %s",
                refusal.response.get("error"),
                extra={"action": "answer_undeliverable", "event": event_id},
            )
            await self._ledger.finish(event_id, "undeliverable")
        else:
            await self._ledger.finish(event_id, "failed")

    async def _placed(self, asked: Asked) -> Asked:
        """A shortcut's answer stays with the asker where the bot is no member."""
        if asked.via == "shortcut" and not await self._people.are_in(asked.channel):
            return asked.alone()
        return asked

    async def _help(self, asked: Asked, language: str) -> None:
        if asked.files:
            await self._outlet.notice(asked, "files_only", language, files=_names(asked.files))
        elif asked.via == "ask":
            await self._outlet.notice(asked, "empty_ask", language)
        else:
            help_ = Texts.of(language).get("help")
            await self._outlet.notice(asked, "empty", language, help=help_)

    async def _answer(self, asked: Asked, language: str) -> None:
        question = await self._question(asked)
        stop = self._stops.watch(asked.channel, asked.thread_ts or "")
        try:
            events = until_stopped(
                self._answers.answer(question), stop, question, self._ledger.last_answer
            )
            delivered = await self._outlet.deliver(
                asked,
                question,
                events,
                language,
                on_message=self._keeper(asked, question),
                stop=stop,
                name_of=self._people.name_of,
            )
        finally:
            self._stops.unwatch(asked.channel, asked.thread_ts or "")
        if delivered.answer is None:
            await self._ledger.finish(asked.event_id, "stopped")
        else:
            answer = delivered.answer
            await self._ledger.settle(asked.event_id, answer.id, answer.state)

    def _keeper(self, asked: Asked, question: Question) -> OnMessage:
        async def keep(channel: str, ts: str) -> None:
            await self._ledger.keep(
                asked.event_id, question.id, channel=channel, ts=ts, thread_ts=asked.thread_ts
            )

        return keep

    async def _question(self, asked: Asked) -> Question:
        if asked.is_private:
            audience = await self._people.readers_alone(asked.user)
        else:
            audience = await self._people.readers_of_channel(asked.channel)
        answers = (
            await self._ledger.thread_answers(asked.channel, asked.thread_ts)
            if asked.in_thread and asked.thread_ts
            else {}
        )
        place = {"team": self._us.team, "channel": asked.channel, "via": asked.via}
        place |= {"message": asked.ts} if asked.ts else {}
        place |= {"thread": asked.thread_ts} if asked.thread_ts else {}
        return Question(
            text=asked.text,
            asker=asked.asker,
            audience=audience,
            thread=await self._threads.before(asked, answers, self._history_turns),
            place=place,
            id=question_id(asked, self._us),
        )


def question_id(asked: Asked, us: Identity) -> UUID:
    """The same for every attempt, so that the answer log holds the question once."""
    return uuid5(NAMESPACE_URL, f"lorewise:{us.team}:{asked.event_id}")


def _names(files: tuple[str, ...]) -> str:
    return escape_mrkdwn(one_line(", ".join(files), 300))


def _reason(error: BaseException) -> TextName:
    if isinstance(error, GenerationError):
        return "failed_model"
    if isinstance(error, DatabaseError | SQLAlchemyError):
        return "failed_database"
    if isinstance(error, SlackClientError):
        return "failed_slack"
    return "failed_other"
