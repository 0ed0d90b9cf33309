"""The queue: dead workers, failures, drains; with real processes and real signals."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import URL, text

from bot import jobs
from bot.app import own_schedules
from bot.clock import Clock, Ticking
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, NORA
from bot.playground.server import Playground
from knowledge.database import Database
from knowledge.sources.registered import register_source, remove_source
from tests.hashing_embedder import HashingEmbedder
from tests.running_bot import Scripted, running, start_process

BOT = "U0LOREWISE"
BOT_ONLY = frozenset({"bot"})


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground() as playground:
        yield playground


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PAUSES_SECONDS", (0,))
    monkeypatch.setattr(jobs, "STALLED_SECONDS", 6.0)
    monkeypatch.setattr(jobs, "RECOVERY_SECONDS", 0.5)
    monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 1.0)


def from_us(playground: Playground, ts: str) -> list[Message]:
    return [m for m in playground.messages(ASK_HR, ts) if m.user == BOT]


def whole(playground: Playground, ts: str) -> list[Message]:
    return [
        m
        for m in from_us(playground, ts)
        if (m.metadata or {}).get("event_payload", {}).get("answer_id")
    ]


async def one(database: Database, statement: str) -> Any:
    async with database.app.begin() as connection:
        return (await connection.execute(text(statement))).scalar()


async def test_the_question_of_a_killed_worker_is_answered_by_another(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    first = await start_process(playground, database_url, tmp_path, pause_seconds=30)
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted, only=BOT_ONLY):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        await playground.wait_for(lambda: playground.workspace.agents.statuses, 20)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    only = frozenset({"worker"})
    async with running(playground, database_url, tmp_path, answers=scripted, only=only):
        await playground.wait_for(lambda: whole(playground, asked.ts), 40)
        await asyncio.sleep(0.5)
    assert len(scripted.questions) == 1
    assert len(from_us(playground, asked.ts)) == 1
    assert await one(database, "SELECT outcome FROM inbox_event") == "answered"
    assert await one(database, "SELECT count(*) FROM question") == 1


async def test_a_half_written_answer_of_a_killed_worker_is_cleared_away(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    first = await start_process(playground, database_url, tmp_path, pause_seconds=2)
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted, only=BOT_ONLY):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        half: list[Message] = await playground.wait_for(lambda: from_us(playground, asked.ts), 20)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    only = frozenset({"worker"})
    async with running(playground, database_url, tmp_path, answers=scripted, only=only):
        await playground.wait_for(lambda: whole(playground, asked.ts), 40)
    assert half[0].ts not in [m.ts for m in from_us(playground, asked.ts)]
    assert len(from_us(playground, asked.ts)) == 1
    assert await one(database, "SELECT count(*) FROM slack_message WHERE state = 'final'") == 1


async def test_an_answer_that_slack_took_and_we_did_not_note_is_not_written_twice(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        await playground.wait_for(lambda: whole(playground, asked.ts), 10)
        await asyncio.sleep(0.3)
    async with database.app.begin() as connection:  # as if killed before the commit
        await connection.execute(text("DELETE FROM slack_message"))
        await connection.execute(text("UPDATE inbox_event SET finished_at = NULL, outcome = NULL"))
        await connection.execute(
            text("UPDATE procrastinate_jobs SET status = 'todo', attempts = 1")
        )
    async with running(playground, database_url, tmp_path, answers=scripted):
        await asyncio.sleep(1.5)
    assert len(scripted.questions) == 1
    assert len(whole(playground, asked.ts)) == 1
    state = "SELECT state FROM slack_message WHERE answer_id IS NOT NULL"
    assert await one(database, state) == "final"


async def test_a_failure_that_passes_is_tried_again_and_leaves_one_answer(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database, failures=2)
    async with running(playground, database_url, tmp_path, answers=scripted):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        await playground.wait_for(lambda: whole(playground, asked.ts), 20)
        await asyncio.sleep(0.3)
    assert len(scripted.questions) == 3
    assert len(from_us(playground, asked.ts)) == 1


async def test_the_last_failure_says_so_in_slack_and_nothing_else_is_left_there(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database, failures=99)
    async with running(playground, database_url, tmp_path, answers=scripted):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        await playground.wait_for(
            lambda: [m for m in from_us(playground, asked.ts) if "could not answer" in m.text], 20
        )
        await asyncio.sleep(0.3)
    assert len(scripted.questions) == jobs.ATTEMPTS
    [said] = from_us(playground, asked.ts)
    assert "something went wrong on my side" in said.text
    assert await one(database, "SELECT outcome FROM inbox_event") == "failed"


async def test_a_stop_of_the_process_lets_an_answer_finish(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    worker = await start_process(
        playground, database_url, tmp_path, only="bot,worker", pause_seconds=0.7
    )
    asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
    await playground.wait_for(lambda: from_us(playground, asked.ts), 20)
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 20) == 0
    assert whole(playground, asked.ts)
    assert await one(database, "SELECT outcome FROM inbox_event") == "answered"


async def test_what_does_not_finish_in_time_goes_back_to_the_queue(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    slow = Scripted(database, pause_seconds=30)
    async with running(playground, database_url, tmp_path, answers=slow, shutdown_seconds=0.5):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        await playground.wait_for(lambda: slow.questions, 10)
    assert slow.stopped
    assert await one(database, "SELECT status FROM procrastinate_jobs") == "todo"
    quick = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=quick):
        await playground.wait_for(lambda: whole(playground, asked.ts), 15)
    assert len(from_us(playground, asked.ts)) == 1


async def test_an_event_without_a_job_is_queued_again(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted, only=BOT_ONLY):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> who is on call?")
        await playground.wait_for(lambda: playground.delivered("app_mention")[0].acknowledged)
    async with database.app.begin() as connection:
        await connection.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
        await connection.execute(
            text("UPDATE inbox_event SET received_at = now() - interval '1 hour'")
        )
    async with running(playground, database_url, tmp_path, answers=scripted):
        await playground.wait_for(lambda: whole(playground, asked.ts), 15)


async def test_many_clocks_queue_a_due_task_once_and_catch_a_missed_one_up(
    database: Database,
) -> None:
    now = datetime(2026, 11, 23, 3, 0, 30, tzinfo=UTC)
    nightly = Ticking(jobs.REINDEX_TASK, "0 3 * * *")
    berlin = ZoneInfo("Europe/Berlin")

    def clock(at: datetime, zone: ZoneInfo) -> Clock:
        return Clock(database, jobs.make_queue(database), zone, (nightly,), now=lambda: at)

    replicas = [clock(now, ZoneInfo("UTC")) for _ in range(3)]
    due = replicas[0].last_due(nightly)
    assert due == datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    assert clock(now, berlin).last_due(nightly) == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    queued = await asyncio.gather(*(replica.put(nightly, due) for replica in replicas))
    assert sorted(queued) == [False, False, True]
    later = clock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC), ZoneInfo("UTC"))
    await later.start()
    later.stop()
    assert await one(database, "SELECT count(*) FROM due_task") == 2
    assert await one(database, "SELECT count(*) FROM procrastinate_jobs") == 2


async def test_a_first_start_runs_nothing_that_was_due_before_it(database: Database) -> None:
    clock = Clock(
        database,
        jobs.make_queue(database),
        ZoneInfo("UTC"),
        (Ticking(jobs.REINDEX_TASK, "0 3 * * *"),),
        now=lambda: datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    )
    await clock.start()
    clock.stop()
    assert await one(database, "SELECT count(*) FROM procrastinate_jobs") == 0


async def test_a_source_s_own_schedule_is_picked_up_while_the_clock_runs(
    database: Database,
) -> None:
    now = datetime(2026, 11, 23, 3, 0, 30, tzinfo=UTC)
    clock = Clock(
        database,
        jobs.make_queue(database),
        ZoneInfo("UTC"),
        (),
        also=partial(own_schedules, database),
        now=lambda: now,
    )
    await clock.start()

    def ticking() -> dict[str, str]:
        return {each.key: each.cron for each in clock.ticking}

    async def add(name: str, schedule: str, kind: str = "folder") -> None:
        await register_source(
            database, name=name, kind=kind, location="/x", principals=["everyone"],
            schedule=schedule,
        )  # fmt: skip

    try:
        await add("wiki", "*/10 * * * *")
        await add("others", "")
        await add("never", "never")
        await add("wrong", "every day")
        await clock.look()
        assert ticking() == {"reindex wiki": "*/10 * * * *"}
        await add("wiki", "0 4 * * *")
        await add("hr", "0 * * * *", kind="slack")
        await clock.look()
        assert ticking() == {"reindex wiki": "0 4 * * *", "reindex hr": "0 * * * *"}
        await remove_source(database, "wiki")
        await clock.look()
        assert ticking() == {"reindex hr": "0 * * * *"}
        [hourly] = clock.ticking
        due = clock.last_due(hourly)
        assert due == datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
        assert sorted([await clock.put(hourly, due), await clock.put(hourly, due)]) == [False, True]
        assert await one(database, "SELECT args FROM procrastinate_jobs") == {"source": "hr"}
        assert await one(database, "SELECT lock FROM procrastinate_jobs") == "reindex slack"
    finally:
        clock.stop()


async def test_the_nightly_sync_leaves_sources_with_a_schedule_of_their_own_to_it(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    for name, schedule in (("nightly", ""), ("own", "0 4 * * *"), ("asked", "never")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.md").write_text(f"# {name}\n\nA rule of {name}.")
        await register_source(
            database, name=name, kind="folder", location=str(folder), principals=["everyone"],
            schedule=schedule,
        )  # fmt: skip
    queue = jobs.make_queue(database)
    synced = "SELECT string_agg(name, ',' ORDER BY name) FROM source WHERE synced_at IS NOT NULL"
    async with (
        running(
            playground, database_url, tmp_path, answers=Scripted(database),
            embedders=(HashingEmbedder(),),
        ),
        queue.open_async(),
    ):  # fmt: skip
        await jobs.defer_reindex(queue)
        await _until(database, synced, "nightly")
        await jobs.defer_reindex(queue, source="own")
        await _until(database, synced, "nightly,own")


async def _until(database: Database, statement: str, value: str) -> None:
    async with asyncio.timeout(40):
        while await one(database, statement) != value:
            await asyncio.sleep(0.1)
