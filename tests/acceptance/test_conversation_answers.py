"""The whole way with the real models: from a page on disk to a cited answer in Slack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from bot.playground.message import Message
from bot.playground.seed import ASK_HR, LAYLA, NORA
from bot.playground.server import Playground
from bot.sync import add_folder, index_sources
from knowledge.database import Database
from tests.running_bot import knowledge_settings, running

pytestmark = pytest.mark.models
BOT = "U0LOREWISE"
LEAVE = """# Annual leave

Full-time employees get 27 days of annual leave a year. Ask your manager at least two weeks
before the first day. Unused days can be carried over until the end of March.
"""
SALARIES = """# Salary bands

The salary band of a senior engineer begins at 81,000 euros a year.
"""


@pytest.fixture
async def playground(
    database: Database, database_url: URL, tmp_path: Path
) -> AsyncIterator[Playground]:
    for name, page in (("handbook", LEAVE), ("payroll", SALARIES)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.md").write_text(page)
    await add_folder(database, str(tmp_path / "handbook"))
    only_nora = [f"user:T0PLAYGRND:{NORA}"]
    await add_folder(database, str(tmp_path / "payroll"), principals=only_nora)
    settings = knowledge_settings(database_url, tmp_path)
    await index_sources(settings, database)
    async with (
        Playground() as playground,
        running(playground, database_url, tmp_path, answers=None),
    ):
        yield playground


async def answer_to(playground: Playground, user: str, channel: str, words: str) -> str:
    """All that the whole answer shows, text and blocks."""
    asked = await playground.say(user, channel, words)

    def whole() -> Message | None:
        said = [m for m in playground.messages(channel, asked.ts) if m.user == BOT]
        done = [m for m in said if "answer_id" in str(m.metadata)]
        return done[0] if done else None

    message = await playground.wait_for(whole, 60)
    return f"{message.text}\n{message.blocks}"


async def test_a_question_is_answered_from_the_page_that_says_it_with_its_source(
    playground: Playground, database: Database
) -> None:
    question = f"<@{BOT}> How many days of annual leave do full-time employees get?"
    shown = await answer_to(playground, NORA, ASK_HR, question)
    assert "27 days" in shown
    assert "Annual leave" in shown
    async with database.app.begin() as connection:
        rows = (await connection.execute(text("SELECT state, text FROM answer"))).all()
    assert [row[0] in {"answered", "quoted"} for row in rows] == [True]
    assert "27 days" in rows[0][1]


async def test_a_private_page_answers_its_reader_directly_and_nobody_in_the_channel(
    playground: Playground,
) -> None:
    question = "What is the salary band of a senior engineer?"
    in_channel = await answer_to(playground, NORA, ASK_HR, f"<@{BOT}> {question}")
    assert "81,000" not in in_channel
    dm = await playground.open_dm(NORA)
    assert "81,000" in await answer_to(playground, NORA, dm.id, question)
    other = await playground.open_dm(LAYLA)
    assert "81,000" not in await answer_to(playground, LAYLA, other.id, question)


async def test_what_no_page_says_is_not_answered(
    playground: Playground, database: Database
) -> None:
    question = f"<@{BOT}> Who won the football world cup in 1998?"
    await answer_to(playground, NORA, ASK_HR, question)
    async with database.app.begin() as connection:
        state = (await connection.execute(text("SELECT state FROM answer"))).scalar()
    assert state == "abstained"
