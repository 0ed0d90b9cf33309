"""Thumbs and reactions on a real answer, from the click to the row."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from bot.blocks import FEEDBACK_ACTION
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, NORA, SAM
from bot.playground.server import Playground
from knowledge.database import Database
from tests.running_bot import Scripted, running

BOT = "U0LOREWISE"


@pytest.fixture
async def answered(
    database: Database, database_url: URL, tmp_path: Path
) -> AsyncIterator[tuple[Playground, Message]]:
    async with (
        Playground() as playground,
        running(playground, database_url, tmp_path, answers=Scripted(database)),
    ):
        asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> how many days?")

        def whole() -> Message | None:
            said = [m for m in playground.messages(ASK_HR, asked.ts) if m.user == BOT]
            done = [m for m in said if "answer_id" in str(m.metadata)]
            return done[0] if done else None

        yield playground, await playground.wait_for(whole, 10)


async def votes(database: Database) -> dict[str, tuple[int, str]]:
    async with database.app.begin() as connection:
        rows = await connection.execute(text("SELECT voter, vote, origin FROM feedback"))
        return {row[0].rpartition(":")[2]: (row[1], row[2]) for row in rows}


async def wait_for_votes(database: Database, expected: dict[str, tuple[int, str]]) -> None:
    for _ in range(100):
        if await votes(database) == expected:
            return
        await asyncio.sleep(0.05)
    assert await votes(database) == expected


async def test_a_thumb_and_a_reaction_are_votes_and_the_last_one_counts(
    answered: tuple[Playground, Message], database: Database
) -> None:
    playground, answer = answered
    buttons = [
        element
        for block in answer.blocks or []
        for element in block.get("elements") or []
        if str(element.get("action_id", "")).startswith(FEEDBACK_ACTION)
    ]
    value = buttons[0]["negative_button"]["value"]
    outcome = await playground.click(NORA, ASK_HR, answer.ts, FEEDBACK_ACTION, value)
    assert outcome.acknowledged
    await wait_for_votes(database, {NORA: (-1, "button")})
    await playground.react(NORA, ASK_HR, answer.ts, "+1")
    await playground.react(SAM, ASK_HR, answer.ts, "thumbsdown")
    await wait_for_votes(database, {NORA: (1, "reaction"), SAM: (-1, "reaction")})
    await playground.unreact(SAM, ASK_HR, answer.ts, "thumbsdown")
    await wait_for_votes(database, {NORA: (1, "reaction"), SAM: (0, "reaction")})


async def test_the_home_tab_and_the_suggested_questions_appear_when_somebody_opens_the_app(
    answered: tuple[Playground, Message],
) -> None:
    playground, _ = answered
    await playground.open_home(NORA)
    await playground.wait_for(lambda: [n for n, _ in playground.calls if n == "views.publish"])
    await playground.open_dm(SAM)
    await playground.wait_for(lambda: playground.workspace.agents.prompts)
