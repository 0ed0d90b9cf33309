"""The durable door, with real bolt over a real socket, the playground and a real Postgres."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, text

from bot.playground.message import Message
from bot.playground.seed import ASK_HR, GENERAL, NORA, SAM
from bot.playground.server import Playground
from knowledge.database import Database
from tests.running_bot import Scripted, running

BOT = "U0LOREWISE"


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground() as playground:
        yield playground


def answers_in(playground: Playground, channel: str, thread_ts: str) -> list[Message]:
    return [m for m in playground.messages(channel, thread_ts) if m.user == BOT]


async def answered(playground: Playground, channel: str, ts: str, count: int = 1) -> list[Message]:
    def whole() -> Any:
        said = [
            m
            for m in answers_in(playground, channel, ts)
            if (m.metadata or {}).get("event_payload", {}).get("answer_id")
        ]
        return said if len(said) >= count else None

    found: list[Message] = await playground.wait_for(whole, 10)
    await asyncio.sleep(0.3)  # whatever comes twice comes at once
    return found


async def rows(database: Database, statement: str) -> list[Any]:
    async with database.app.begin() as connection:
        return list(await connection.execute(text(statement)))


async def test_a_mention_told_twice_is_answered_once(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> how many days of leave?")
        await answered(playground, ASK_HR, asked.ts)
    told = [d.payload["event"]["type"] for d in playground.delivered("app_mention")]
    told += [d.payload["event"]["type"] for d in playground.delivered("message")]
    assert "app_mention" in told
    assert "message" in told
    assert len(scripted.questions) == 1
    assert len(answers_in(playground, ASK_HR, asked.ts)) == 1
    assert scripted.questions[0].text == "how many days of leave?"


async def test_an_event_that_slack_delivers_twice_is_answered_once(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted):
        dm = await playground.open_dm(NORA)
        playground.workspace.faults.duplicate_next_events(1)
        asked = await playground.say(NORA, dm.id, "What is a per diem?")
        await answered(playground, dm.id, asked.ts)
    deliveries = [
        d for d in playground.delivered("message") if d.payload["event"]["ts"] == asked.ts
    ]
    assert len(deliveries) == 2
    assert all(d.acknowledged for d in deliveries)
    assert len(scripted.questions) == 1


async def test_slack_is_told_only_after_the_commit(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    """While another transaction holds the event's key, there is neither a row nor an answer."""
    scripted = Scripted(database)
    key = f"message:T0PLAYGRND:{ASK_HR}:%"
    only = frozenset({"bot"})
    async with running(playground, database_url, tmp_path, answers=scripted, only=only):
        async with database.app.begin() as connection:
            await connection.execute(text("LOCK TABLE inbox_event IN SHARE MODE"))
            await playground.say(NORA, ASK_HR, f"<@{BOT}> when is payday?")
            await asyncio.sleep(0.5)
            assert not any(d.acknowledged for d in playground.delivered("app_mention"))
        await playground.wait_for(
            lambda: any(d.acknowledged for d in playground.delivered("app_mention"))
        )
    assert await rows(database, f"SELECT 1 FROM inbox_event WHERE key LIKE '{key}'")
    jobs = await rows(database, "SELECT task_name, args FROM queue.procrastinate_jobs")
    assert [job[0] for job in jobs] == ["answer_question"]
    assert list(jobs[0][1]) == ["event_id"]


async def test_without_postgres_nothing_is_acknowledged_and_a_retry_is_answered_once(
    database: Database, database_url: URL, tmp_path: Path, postgres: Any
) -> None:
    async with Playground() as playground:
        playground.workspace.limits = _quick_retries(playground)
        scripted = Scripted(database)
        async with running(playground, database_url, tmp_path, answers=scripted):
            name = database_url.database
            with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as admin:
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )
                asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who approves travel?")
                await playground.wait_for(lambda: _outcomes(playground, "app_mention"))
                assert not any(d.acknowledged for d in playground.delivered("app_mention"))
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await answered(playground, ASK_HR, asked.ts)
        assert len(answers_in(playground, ASK_HR, asked.ts)) == 1
        assert len(scripted.questions) == 1


def _outcomes(playground: Playground, kind: str) -> bool:
    return any(delivered.outcomes for delivered in playground.delivered(kind))


def _quick_retries(playground: Playground) -> Any:
    from dataclasses import replace

    return replace(playground.workspace.limits, retry_delays_seconds=(1.0, 2.0, 4.0))


async def test_what_is_none_of_our_business_is_not_stored(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted):
        said = await playground.say(NORA, GENERAL, "Lunch at twelve?")
        await playground.say(SAM, GENERAL, "Yes, where?", thread_ts=said.ts)
        await playground.react(SAM, GENERAL, said.ts, "thumbsup")
        await playground.edit(NORA, GENERAL, said.ts, "Lunch at one?")
        await playground.wait_for(
            lambda: [d for d in playground.delivered("reaction_added") if d.acknowledged]
        )
        await playground.wait_for(
            lambda: all(d.acknowledged for d in playground.delivered("message"))
        )
    assert await rows(database, "SELECT * FROM inbox_event") == []
    assert scripted.questions == []


async def test_an_edit_before_the_answer_counts_and_one_after_it_does_not(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(
        playground, database_url, tmp_path, answers=scripted, only=frozenset({"bot"})
    ):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> how many day of leaf?")
        await playground.wait_for(lambda: playground.delivered("app_mention")[0].acknowledged)
        await playground.edit(NORA, ASK_HR, asked.ts, f"<@{BOT}> how many days of leave?")
        await playground.wait_for(
            lambda: all(d.acknowledged for d in playground.delivered("message"))
        )
    async with running(playground, database_url, tmp_path, answers=scripted):
        await answered(playground, ASK_HR, asked.ts)
        await playground.edit(NORA, ASK_HR, asked.ts, f"<@{BOT}> something else?")
        await asyncio.sleep(0.5)
    assert [question.text for question in scripted.questions] == ["how many days of leave?"]


async def test_a_question_that_is_deleted_before_its_answer_is_forgotten(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(
        playground, database_url, tmp_path, answers=scripted, only=frozenset({"bot"})
    ):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> is my salary secret?")
        await playground.wait_for(lambda: playground.delivered("app_mention")[0].acknowledged)
        await playground.delete(NORA, ASK_HR, asked.ts)
        await playground.wait_for(
            lambda: all(d.acknowledged for d in playground.delivered("message"))
        )
    async with running(playground, database_url, tmp_path, answers=scripted):
        await asyncio.sleep(0.7)
    assert scripted.questions == []
    [(payload, outcome)] = await rows(database, "SELECT payload, outcome FROM inbox_event")
    assert "salary" not in str(payload)
    assert outcome == "deleted"


async def test_a_mention_that_comes_with_an_edit_is_a_question(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted):
        asked = await playground.say(NORA, ASK_HR, "When is payday?")
        await playground.edit(NORA, ASK_HR, asked.ts, f"<@{BOT}> When is payday?")
        await answered(playground, ASK_HR, asked.ts)
    assert [question.text for question in scripted.questions] == ["When is payday?"]


async def test_the_logs_hold_no_text_and_no_token(
    playground: Playground,
    database: Database,
    database_url: URL,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from bot.logs import quieten

    caplog.set_level(logging.DEBUG)
    quieten()
    async with running(playground, database_url, tmp_path, answers=Scripted(database)):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> the zebra's vacation?")
        await answered(playground, ASK_HR, asked.ts)
    logged = "\n".join(f"{r.getMessage()} {vars(r)}" for r in caplog.records)
    ours = "\n".join(
        f"{r.getMessage()} {vars(r)}" for r in caplog.records if not r.name.startswith("bot.playg")
    )
    assert "event_accepted" in logged
    assert "zebra" not in ours
    for token in (playground.bot_token, playground.app_token, playground.signing_secret):
        assert token not in ours
