"""Votes on answers: real Postgres, and the playground's own payloads for clicks and reactions."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import text

from bot.blocks import feedback_buttons
from bot.errors import AnswerNotLoggedError
from bot.feedback import Feedback, Reactions, plain_name, read_value, slack_time
from bot.playground.seed import ASK_HR, LAYLA, NORA
from bot.playground.server import Playground
from bot.settings import BotSettings
from bot.texts import Texts
from knowledge.database import Database
from training.feedback import LastVote, Tally, Vote, last_vote, rated, record_vote, tally

REACTIONS = Reactions.of(BotSettings(positive_reactions=("+1", "tada"), negative_reactions=("-1",)))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
QUESTION = text("""
    INSERT INTO question (id, asked_at, asker, audience, text, language, place)
    VALUES (:id, now(), 'user:T:U', '{everyone}', 'How much leave?', 'en', '{}')
""")
ANSWER = text("""
    INSERT INTO answer (id, question_id, created_at, state, text, model, adapter, signals, seconds)
    VALUES (:id, :question_id, now(), 'answered', '25 days.', 'm1', 'a1', '{}', '{}')
""")
PASSAGE = text("""
    INSERT INTO passage (answer_id, number, document_key, title, url, heading_path, text, score,
        cited, acl_id)
    VALUES (:id, :number, 'leave.md', 'Leave', NULL, '{}', 'You get 25 days.', 1, :cited, 1)
""")
MESSAGE = text("""
    INSERT INTO slack_message (team, channel, ts, thread_ts, question_id, answer_id, state)
    VALUES (:team, :channel, :ts, NULL, :question_id, :answer_id, 'final')
""")


async def an_answer(database: Database) -> tuple[UUID, UUID]:
    """A logged answer with two passages: the question's id and its own."""
    question_id, answer_id = uuid4(), uuid4()
    async with database.app.begin() as connection:
        await connection.execute(QUESTION, {"id": question_id})
        await connection.execute(ANSWER, {"id": answer_id, "question_id": question_id})
        for number, cited in ((1, True), (2, False)):
            values = {"id": answer_id, "number": number, "cited": cited}
            await connection.execute(PASSAGE, values)
    return question_id, answer_id


@dataclass
class Voting:
    """One answer in Slack, and what takes votes on it in."""

    playground: Playground
    database: Database
    feedback: Feedback
    answer_id: UUID
    ts: str

    @property
    def team(self) -> str:
        return self.playground.workspace.team_id

    async def vote(self, user: str = NORA) -> LastVote | None:
        async with self.database.app.begin() as connection:
            return await last_vote(connection, self.answer_id, f"user:{self.team}:{user}")

    async def value(self, user: str = NORA) -> int | None:
        last = await self.vote(user)
        return last.vote if last else None

    async def react(self, name: str, user: str = NORA) -> dict[str, Any]:
        await self.playground.react(user, ASK_HR, self.ts, name)
        return self.events[-1]

    async def unreact(self, name: str, user: str = NORA) -> dict[str, Any]:
        await self.playground.unreact(user, ASK_HR, self.ts, name)
        return self.events[-1]

    def __post_init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.playground.workspace.emit = self.events.append

    def thanks(self, user: str = NORA) -> list[str]:
        seen = self.playground.messages(ASK_HR, user=user)
        return [message.text for message in seen if message.viewer == user]


@pytest.fixture
async def voting(database: Database) -> AsyncIterator[Voting]:
    async with Playground() as playground:
        client = AsyncWebClient(playground.bot_token, base_url=playground.api_url)
        question_id, answer_id = await an_answer(database)
        blocks = [feedback_buttons(answer_id, Texts.of("en"))]
        posted = await client.chat_postMessage(channel=ASK_HR, text="25 days.", blocks=blocks)
        team = playground.workspace.team_id

        async def language_of(user: str) -> str:
            return "ar" if user == LAYLA else "en"

        async with database.app.begin() as connection:
            values = {"team": team, "channel": ASK_HR, "ts": posted["ts"]}
            values |= {"question_id": question_id, "answer_id": answer_id}
            await connection.execute(MESSAGE, values)
        feedback = Feedback(database, client, REACTIONS, team=team, language_of=language_of)
        yield Voting(playground, database, feedback, answer_id, str(posted["ts"]))


def at(event: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The same event, so much later by Slack's clock."""
    moment = slack_time(event["event_ts"]) + timedelta(seconds=seconds)
    return event | {"event_ts": f"{moment.timestamp():.6f}"}


# reactions


@pytest.mark.parametrize(
    ("name", "value"), [("+1", 1), ("+1::skin-tone-3", 1), ("tada", 1), ("-1", -1)]
)
async def test_a_thumb_on_an_answer_is_a_vote(voting: Voting, name: str, value: int) -> None:
    assert await voting.feedback.reaction(await voting.react(name)) == "recorded"
    last = await voting.vote()
    assert last is not None
    assert (last.vote, last.origin) == (value, "reaction")


async def test_a_repeated_event_changes_nothing(voting: Voting) -> None:
    event = await voting.react("-1")
    assert await voting.feedback.reaction(event) == "recorded"
    assert await voting.feedback.reaction(event) == "unchanged"
    assert len(voting.thanks()) == 1


async def test_taking_a_reaction_back_takes_the_vote_back(voting: Voting) -> None:
    await voting.feedback.reaction(await voting.react("+1"))
    assert await voting.feedback.reaction(await voting.unreact("+1")) == "recorded"
    assert await voting.value() == 0


async def test_the_last_of_two_votes_counts(voting: Voting) -> None:
    await voting.feedback.reaction(await voting.react("+1"))
    await voting.feedback.reaction(await voting.react("-1"))
    assert await voting.value() == -1


@pytest.mark.parametrize(
    ("first", "second", "removed", "left"),
    [
        ("+1", "-1", "-1", 1),
        ("+1", "-1", "+1", -1),
        ("+1", "tada", "tada", 1),
        ("+1", "tada", "+1", 1),
        ("+1", "+1::skin-tone-3", "+1", 1),
    ],
)
async def test_of_two_reactions_the_one_that_is_left_counts(
    voting: Voting, first: str, second: str, removed: str, left: int
) -> None:
    for event in (
        await voting.react(first), await voting.react(second), await voting.unreact(removed)
    ):  # fmt: skip
        await voting.feedback.reaction(event)
    assert await voting.value() == left


async def test_a_late_event_does_not_bring_a_vote_back(voting: Voting) -> None:
    added, removed = await voting.react("+1"), await voting.unreact("+1")
    await voting.feedback.reaction(removed)
    assert await voting.feedback.reaction(added) == "unchanged"
    assert await voting.value() == 0


async def test_a_late_event_of_a_reaction_that_is_gone_does_not_replace_another(
    voting: Voting,
) -> None:
    kept, added = await voting.react("+1"), await voting.react("-1")
    removed = await voting.unreact("-1")
    for event in (kept, removed, added):
        await voting.feedback.reaction(event)
    assert await voting.value() == 1


async def test_people_vote_each_for_themselves(voting: Voting) -> None:
    await voting.feedback.reaction(await voting.react("+1", NORA))
    await voting.feedback.reaction(await voting.react("-1", LAYLA))
    async with voting.database.app.begin() as connection:
        assert await tally(connection, voting.answer_id) == Tally(1, 1)
    assert voting.thanks(LAYLA) == [Texts.of("ar").get("feedback_thanks")]
    assert voting.thanks(NORA) == []


async def test_other_reactions_and_other_messages_are_ignored(voting: Voting) -> None:
    other = await voting.playground.say(NORA, ASK_HR, "Lunch?")
    await voting.playground.react(LAYLA, ASK_HR, other.ts, "+1")
    assert await voting.feedback.reaction(voting.events[-1]) == "ignored"
    assert await voting.feedback.reaction(await voting.react("eyes")) == "ignored"
    assert await voting.feedback.reaction({"type": "reaction_added", "reaction": "+1"}) == "ignored"


async def test_the_bots_own_reactions_are_ignored(voting: Voting) -> None:
    bot = voting.playground.workspace.bot.id
    event = (await voting.react("+1")) | {"user": bot, "item_user": bot}
    assert await voting.feedback.reaction(event) == "ignored"


async def test_a_vote_on_an_answer_that_is_being_written_is_tried_again(voting: Voting) -> None:
    async with voting.database.app.begin() as connection:
        await connection.execute(text("UPDATE slack_message SET answer_id = NULL"))
    event = await voting.react("+1")
    with pytest.raises(AnswerNotLoggedError):
        await voting.feedback.reaction(event)
    async with voting.database.app.begin() as connection:
        values = {"answer_id": voting.answer_id}
        await connection.execute(text("UPDATE slack_message SET answer_id = :answer_id"), values)
    assert await voting.feedback.reaction(event) == "recorded"


async def test_where_slack_does_not_say_what_is_left_the_vote_is_taken_back(
    voting: Voting,
) -> None:
    await voting.feedback.reaction(await voting.react("+1"))
    removed = await voting.unreact("+1")
    voting.playground.workspace.faults.remove_method("reactions.get", "missing_scope")
    await voting.feedback.reaction(removed)
    assert await voting.value() == 0


# buttons


async def test_a_press_on_a_thumb_is_a_vote(voting: Voting) -> None:
    value = f"{voting.answer_id}:-1"
    await voting.playground.click(NORA, ASK_HR, voting.ts, "answer_feedback", value)
    payload = voting.playground.delivered("block_actions")[0].payload
    assert await voting.feedback.button(payload) == "recorded"
    last = await voting.vote()
    assert last == LastVote(-1, "button", None, slack_time(payload["actions"][0]["action_ts"]))
    assert voting.thanks()[-1] == Texts.of("en").get("feedback_thanks")


def press(voting: Voting, vote: Literal[1, -1], *, seconds: float) -> dict[str, Any]:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    action = {
        "type": "feedback_buttons",
        "action_id": "answer_feedback",
        "block_id": "b",
        "value": f"{voting.answer_id}:{vote}",
        "action_ts": f"{moment.timestamp():.6f}",
    }
    return {
        "type": "block_actions",
        "user": {"id": NORA, "team_id": voting.team},
        "team": {"id": voting.team},
        "channel": {"id": ASK_HR},
        "message": {"ts": voting.ts},
        "actions": [action],
    }


async def test_a_button_and_a_reaction_are_one_persons_one_vote(voting: Voting) -> None:
    event = await voting.react("-1")
    await voting.feedback.reaction(event)
    await voting.feedback.button(press(voting, 1, seconds=5))
    assert await voting.value() == 1
    async with voting.database.app.begin() as connection:
        assert await tally(connection) == Tally(1, 0)


async def test_taking_a_reaction_back_leaves_a_later_press_on_a_button(voting: Voting) -> None:
    await voting.feedback.reaction(await voting.react("-1"))
    await voting.feedback.button(press(voting, 1, seconds=5))
    removed = at(await voting.unreact("-1"), 10)
    assert await voting.feedback.reaction(removed) == "unchanged"
    assert await voting.value() == 1


async def test_other_buttons_and_unknown_answers_are_ignored(voting: Voting) -> None:
    payload = press(voting, 1, seconds=0)
    payload["actions"][0]["action_id"] = "home_prompt_1"
    assert await voting.feedback.button(payload) == "ignored"
    unknown = press(voting, 1, seconds=0)
    unknown["actions"][0]["value"] = f"{uuid4()}:1"
    assert await voting.feedback.button(unknown) == "unchanged"


@pytest.mark.parametrize("value", ["", "x", f"{uuid4()}", f"{uuid4()}:2", f"{uuid4()}:0", "1:1"])
def test_a_strange_value_is_no_vote(value: str) -> None:
    assert read_value(value)[1] == 0


# the table


async def test_a_rating_comes_with_answer_model_adapter_and_passages(database: Database) -> None:
    _, answer_id = await an_answer(database)
    async with database.app.begin() as connection:
        await record_vote(
            connection, answer_id, "user:T:A", 1, origin="reaction", reaction="+1", voted_at=NOON
        )
        [one] = await rated(connection)
    assert (one.question, one.answer, one.model, one.adapter) == (
        "How much leave?", "25 days.", "m1", "a1",
    )  # fmt: skip
    assert [(p.number, p.cited) for p in one.passages] == [(1, True), (2, False)]


async def test_votes_that_were_taken_back_are_not_counted(database: Database) -> None:
    _, answer_id = await an_answer(database)
    async with database.app.begin() as connection:
        votes: list[tuple[Vote, int]] = [(1, 0), (0, 1)]
        for vote, later in votes:
            await record_vote(
                connection, answer_id, "user:T:A", vote, origin="reaction", reaction="+1",
                voted_at=NOON + timedelta(seconds=later),
            )  # fmt: skip
        assert await tally(connection, answer_id) == Tally(0, 0)
        assert await rated(connection) == []
        assert len(await rated(connection, with_taken_back=True)) == 1


VOTES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([-1, 0, 1]), st.integers(0, 50)),
    min_size=1,
    max_size=12,
    unique_by=lambda vote: (vote[0], vote[2]),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(votes=VOTES, data=st.data())
async def test_in_whatever_order_votes_arrive_the_last_by_slacks_clock_counts(
    database: Database, votes: list[tuple[str, Literal[-1, 0, 1], int]], data: st.DataObject
) -> None:
    arriving = data.draw(st.permutations([*votes, votes[0]]))
    _, answer_id = await an_answer(database)
    async with database.app.begin() as connection:
        for voter, vote, second in arriving:
            await record_vote(
                connection, answer_id, voter, vote, origin="button", reaction=None,
                voted_at=NOON + timedelta(seconds=second),
            )  # fmt: skip
        for voter in {vote[0] for vote in votes}:
            expected = max((v for v in votes if v[0] == voter), key=lambda vote: vote[2])
            last = await last_vote(connection, answer_id, voter)
            assert last is not None
            assert last.vote == expected[1]


def test_slacks_time_keeps_its_microseconds() -> None:
    assert slack_time("1700000001.123456").microsecond == 123456
    assert slack_time("1700000001").microsecond == 0


@pytest.mark.parametrize("name", ["+1", ":+1:", "thumbsup", "+1::skin-tone-6", ":thumbsup:"])
def test_an_emoji_has_one_name(name: str) -> None:
    assert plain_name(name) == "+1"
