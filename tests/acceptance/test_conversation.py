"""Everyone's ways of asking, through Slack's protocol, from a person's point of view.

The model is scripted here; `test_conversation_answers.py` asks the real one.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from bot.playground.message import Message
from bot.playground.seed import ASK_HR, GENERAL, LEADERSHIP, NORA, SAM
from bot.playground.server import Playground
from bot.playground.team import Channel
from knowledge.conversation import Turn
from knowledge.database import Database
from tests.running_bot import Scripted, running

BOT = "U0LOREWISE"
TEAM = "T0PLAYGRND"


class Bench:
    """A playground, a running bot and its script."""

    def __init__(self, playground: Playground, scripted: Scripted, database: Database) -> None:
        self.playground, self.scripted, self.database = playground, scripted, database

    def said(
        self, channel: str, thread_ts: str | None = None, to: str | None = None
    ) -> list[Message]:
        return [m for m in self.playground.messages(channel, thread_ts, to) if m.user == BOT]

    async def answers(
        self, channel: str, thread_ts: str | None = None, to: str | None = None, count: int = 1
    ) -> list[Message]:
        """The answers there, once there are `count`, and whatever else comes at once."""

        def whole() -> list[Message] | None:
            texts = [m for m in self.said(channel, thread_ts, to) if "You asked" in m.text]
            done = [m for m in texts if not m.streaming]
            return done if len(done) >= count else None

        await self.playground.wait_for(whole, 10)
        await asyncio.sleep(0.4)
        return whole() or []

    @property
    def asked(self) -> list[str]:
        return [question.text for question in self.scripted.questions]


@pytest.fixture
async def bench(database: Database, database_url: URL, tmp_path: Path) -> AsyncIterator[Bench]:
    scripted = Scripted(database)
    async with (
        Playground() as playground,
        running(playground, database_url, tmp_path, answers=scripted),
    ):
        yield Bench(playground, scripted, database)


async def test_a_mention_is_answered_in_its_thread_for_all_who_read_there(bench: Bench) -> None:
    asked = await bench.playground.say(NORA, ASK_HR, f"<@{BOT}>  how many <@{SAM}> days & hours?")
    await bench.answers(ASK_HR, asked.ts)
    [question] = bench.scripted.questions
    assert question.text == "how many days & hours?"
    assert question.asker == f"user:{TEAM}:{NORA}"
    assert question.audience == {"everyone", f"channel:{TEAM}:{ASK_HR}"}
    assert question.place["thread"] == asked.ts
    assert not [m for m in bench.said(ASK_HR) if not m.is_reply]


async def test_a_direct_message_is_answered_with_the_asker_s_own_rights(bench: Bench) -> None:
    bench.playground.workspace.usergroups.append(
        {"id": "S0HR", "handle": "hr", "name": "HR", "users": [NORA]}
    )
    dm = await bench.playground.open_dm(NORA)
    asked = await bench.playground.say(NORA, dm.id, "what is a per diem?")
    await bench.answers(dm.id, asked.ts)
    [question] = bench.scripted.questions
    assert {"everyone", f"user:{TEAM}:{NORA}", f"group:{TEAM}:S0HR"} <= question.audience
    assert f"channel:{TEAM}:{ASK_HR}" in question.audience
    assert f"channel:{TEAM}:{LEADERSHIP}" not in question.audience


async def test_ask_is_answered_for_the_asker_alone(bench: Bench) -> None:
    outcome = await bench.playground.command(NORA, ASK_HR, "/ask", "what is a per diem?")
    assert "Looking" in outcome.payload["text"]
    [answer] = await bench.answers(ASK_HR, to=NORA)
    assert answer.viewer == NORA
    assert f"user:{TEAM}:{NORA}" in bench.scripted.questions[0].audience
    assert not bench.said(ASK_HR)


async def test_ask_works_where_the_bot_is_no_member(bench: Bench) -> None:
    outcome = await bench.playground.command(SAM, LEADERSHIP, "/ask", "who may sign?")
    assert outcome.acknowledged
    [answer] = await bench.answers(LEADERSHIP, to=SAM)
    assert answer.viewer == SAM


async def test_an_empty_ask_explains_itself(bench: Bench) -> None:
    await bench.playground.command(NORA, ASK_HR, "/ask", "  ")
    await bench.playground.wait_for(
        lambda: [m for m in bench.said(ASK_HR, to=NORA) if "after the command" in m.text]
    )
    assert bench.asked == []


async def test_the_shortcut_answers_a_message_in_its_thread(bench: Bench) -> None:
    said = await bench.playground.say(SAM, ASK_HR, "How do I book a trip?")
    await bench.playground.shortcut(NORA, ASK_HR, said.ts, "ask_lorewise")
    await bench.answers(ASK_HR, said.ts)
    [question] = bench.scripted.questions
    assert question.text == "How do I book a trip?"
    assert question.asker == f"user:{TEAM}:{NORA}"
    assert question.audience == {"everyone", f"channel:{TEAM}:{ASK_HR}"}


async def test_the_shortcut_answers_the_asker_alone_where_the_bot_is_no_member(
    bench: Bench,
) -> None:
    said = await bench.playground.say(SAM, LEADERSHIP, "Who may sign?")
    await bench.playground.shortcut(SAM, LEADERSHIP, said.ts, "ask_lorewise")
    [answer] = await bench.answers(LEADERSHIP, to=SAM)
    assert answer.viewer == SAM
    assert f"user:{TEAM}:{SAM}" in bench.scripted.questions[0].audience


async def test_a_follow_up_of_the_asker_is_answered_with_the_thread(bench: Bench) -> None:
    asked = await bench.playground.say(NORA, ASK_HR, f"<@{BOT}> how many days of leave?")
    await bench.answers(ASK_HR, asked.ts)
    await bench.playground.say(NORA, ASK_HR, "and for part-time staff?", thread_ts=asked.ts)
    await bench.answers(ASK_HR, asked.ts, count=2)
    first, second = bench.scripted.questions
    assert second.text == "and for part-time staff?"
    assert second.thread == (
        Turn("user", "how many days of leave?"),
        Turn("assistant", f"You asked: {first.text} (1) You asked: {first.text} (2)"),
    )


async def test_a_thread_is_left_alone_when_nobody_asks_us(bench: Bench) -> None:
    asked = await bench.playground.say(NORA, ASK_HR, f"<@{BOT}> how many days of leave?")
    await bench.answers(ASK_HR, asked.ts)
    for user, words in (
        (NORA, "Thanks!"),
        (SAM, "Was that right?"),
        (NORA, f"<@{SAM}> do you agree?"),
    ):
        await bench.playground.say(user, ASK_HR, words, thread_ts=asked.ts)
    await asyncio.sleep(0.8)
    assert len(bench.asked) == 1
    await bench.playground.say(SAM, ASK_HR, f"<@{BOT}> was it right?", thread_ts=asked.ts)
    await bench.answers(ASK_HR, asked.ts, count=2)
    assert bench.asked[1] == "was it right?"


async def test_follow_ups_in_a_direct_message_need_no_question_mark(bench: Bench) -> None:
    dm = await bench.playground.open_dm(NORA)
    asked = await bench.playground.say(NORA, dm.id, "leave days")
    await bench.answers(dm.id, asked.ts)
    await bench.playground.say(NORA, dm.id, "for part-time staff", thread_ts=asked.ts)
    await bench.answers(dm.id, asked.ts, count=2)
    assert bench.asked == ["leave days", "for part-time staff"]


async def test_a_follow_up_before_the_answer_waits_for_it(
    database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database, pause_seconds=0.5)
    async with (
        Playground() as playground,
        running(playground, database_url, tmp_path, answers=scripted),
    ):
        bench = Bench(playground, scripted, database)
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> how many days?")
        await playground.wait_for(lambda: scripted.questions)
        await playground.say(NORA, ASK_HR, "and hours?", thread_ts=asked.ts)
        await bench.answers(ASK_HR, asked.ts, count=2)
    assert scripted.questions[1].thread[-1].role == "assistant"


async def test_only_a_mention_is_met_with_help(bench: Bench) -> None:
    asked = await bench.playground.say(NORA, ASK_HR, f"<@{BOT}>")
    await bench.playground.wait_for(
        lambda: [m for m in bench.said(ASK_HR, asked.ts) if "What would you like" in m.text]
    )
    assert bench.asked == []


async def test_attached_files_are_named_as_not_read(bench: Bench) -> None:
    dm = await bench.playground.open_dm(NORA)
    asked = await bench.playground.say(NORA, dm.id, "what is this?", files={"scan*.pdf": b"%PDF"})
    await bench.answers(dm.id, asked.ts)
    await bench.playground.wait_for(
        lambda: [m for m in bench.said(dm.id, asked.ts) if "can't read attached" in m.text]
    )
    alone = await bench.playground.say(NORA, dm.id, "", files={"scan.pdf": b"%PDF"})
    await bench.playground.wait_for(
        lambda: [m for m in bench.said(dm.id, alone.ts) if "Please write" in m.text]
    )
    assert len(bench.asked) == 1


@pytest.mark.parametrize(
    "words",
    [
        "x" * 39_000,
        "؟" * 500,
        "\ud83d\ude00 what? \u202e reversed",
        "```\n" * 200 + "?",
        "<!channel> <!here> a \ufeff question?",
        "&lt;@U0LOREWISE&gt; {text} %s ' OR 1=1 --",
    ],
)
async def test_odd_and_long_questions_are_answered(bench: Bench, words: str) -> None:
    words = words.encode("utf-16", "surrogatepass").decode("utf-16")
    dm = await bench.playground.open_dm(NORA)
    asked = await bench.playground.say(NORA, dm.id, words)
    await bench.answers(dm.id, asked.ts)
    assert 0 < len(bench.asked[0]) <= 4_000


async def test_stop_ends_the_generation_and_leaves_what_was_said(
    database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database, sentences=50, pause_seconds=0.3)
    async with (
        Playground() as playground,
        running(playground, database_url, tmp_path, answers=scripted),
    ):
        bench = Bench(playground, scripted, database)
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> tell me everything?")
        await playground.wait_for(lambda: bench.said(ASK_HR, asked.ts), 10)
        await playground.stop(NORA, ASK_HR, asked.ts)
        await playground.wait_for(lambda: scripted.stopped, 5)
        await playground.wait_for(
            lambda: [m for m in bench.said(ASK_HR, asked.ts) if m.metadata], 5
        )
        await asyncio.sleep(0.3)
    [answer] = bench.said(ASK_HR, asked.ts)
    assert not answer.streaming
    async with database.app.begin() as connection:
        states = await connection.execute(text("SELECT state FROM answer"))
        assert [row[0] for row in states] == ["stopped"]
        outcome = await connection.execute(text("SELECT outcome FROM inbox_event"))
        assert outcome.scalar() == "stopped"


async def test_another_bot_s_message_is_no_question(bench: Bench) -> None:
    workspace = bench.playground.workspace
    message = workspace.new_message(workspace.channels[ASK_HR], SAM, f"<@{BOT}> hello?")
    message.bot = True
    workspace.add_message(message)
    await asyncio.sleep(0.6)
    assert bench.asked == []


async def test_every_event_that_we_subscribe_to_is_acknowledged(bench: Bench) -> None:
    playground = bench.playground
    await playground.open_home(NORA)
    await playground.look_at(NORA, GENERAL)
    playground.workspace.add_channel(Channel("C0NEW", "new", [NORA]))
    playground.workspace.join(BOT, "C0NEW")
    playground.workspace.join(SAM, "C0NEW")
    playground.workspace.leave(SAM, "C0NEW")
    for kind in ("app_uninstalled", "tokens_revoked"):
        playground.workspace.emit_to_app(kind, {"type": kind})
    await playground.wait_for(
        lambda: (
            len(playground.delivered()) >= 6
            and all(delivered.acknowledged for delivered in playground.delivered())
        )
    )
