"""Indexed channels follow what happens in Slack: the whole bot, a real Postgres, the playground."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from bot.arrival import Identity
from bot.history.happened import read_happened
from bot.playground.limits import Limits
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, ENGINEERING, NORA, SAM, default_workspace
from bot.playground.server import Playground
from knowledge.database import Database
from knowledge.sources.registered import RegisteredSource, register_source
from tests.hashing_embedder import HashingEmbedder
from tests.running_bot import Scripted, running

BOT, WORKER = frozenset({"bot"}), frozenset({"worker"})
EMBEDDERS = (HashingEmbedder(),)
US = Identity("T0PLAYGRND", "U0LOREWISE", "B0LOREWISE")


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground(default_workspace(limits=Limits(rate_limiting=False))) as playground:
        yield playground


@pytest.fixture
async def office(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> AsyncIterator[Playground]:
    """The bot, with #ask-hr as a source that was synced once."""
    await add(database)
    await playground.say(NORA, ASK_HR, "The canteen opens at seven.")
    async with running(
        playground, database_url, tmp_path, answers=Scripted(database), embedders=EMBEDDERS
    ):
        await sync(playground, database)
        yield playground


async def add(database: Database, location: str = "ask-hr") -> RegisteredSource:
    return await register_source(
        database, name="hr", kind="slack", location=location, principals=["everyone"]
    )


async def sync(playground: Playground, database: Database) -> None:
    await playground.command(SAM, ASK_HR, "/reindex", "hr")
    await eventually(playground, database, "canteen", there=True, seconds=60)


async def indexed(database: Database) -> str:
    async with database.indexer.connect() as connection:
        rows = await connection.execute(text("SELECT text FROM chunk ORDER BY id"))
        return "\n".join(row[0] for row in rows)


async def eventually(
    playground: Playground, database: Database, words: str, *, there: bool, seconds: float = 15
) -> None:
    """Wait until the index has these words, or has them no more."""
    end = time.monotonic() + seconds
    while (words in await indexed(database)) is not there:
        assert time.monotonic() < end, await indexed(database)
        await asyncio.sleep(0.05)


async def stored(database: Database) -> list[dict[str, Any]]:
    async with database.app.begin() as connection:
        rows = await connection.execute(
            text("SELECT payload FROM inbox_event WHERE kind = 'history'")
        )
        return [row[0] for row in rows]


async def test_a_new_message_an_edit_a_reply_and_deletions_are_followed_within_seconds(
    office: Playground, database: Database
) -> None:
    root = await office.say(NORA, ASK_HR, "Who has the key of the archive?")
    await eventually(office, database, "key of the archive", there=True)
    reply = await office.say(SAM, ASK_HR, "The porter keeps it.", root.ts)
    await eventually(office, database, "porter", there=True)
    assert (await indexed(database)).count("key of the archive") <= 2  # the title and the text
    await office.edit(SAM, ASK_HR, reply.ts, "The guard keeps it.")
    await eventually(office, database, "guard", there=True)
    await eventually(office, database, "porter", there=False)
    await office.delete(SAM, ASK_HR, reply.ts)
    await eventually(office, database, "guard", there=False)
    await eventually(office, database, "key of the archive", there=True)
    await office.delete(NORA, ASK_HR, root.ts)
    await eventually(office, database, "key of the archive", there=False)
    await eventually(office, database, "canteen", there=True)


async def test_only_ids_are_stored_and_only_of_indexed_channels(
    office: Playground, database: Database
) -> None:
    await office.say(NORA, ENGINEERING, "A secret of engineering.")
    await office.say(NORA, ASK_HR, "A word in HR.")
    await eventually(office, database, "word in HR", there=True)
    [payload] = await stored(database)
    assert payload["channel"] == ASK_HR
    assert "word" not in str(payload)
    assert "engineering" not in await indexed(database)


async def test_what_happens_while_no_worker_runs_is_followed_by_the_next(
    playground: Playground, database: Database, database_url: URL, tmp_path: Path
) -> None:
    await add(database)
    message = await playground.say(NORA, ASK_HR, "The canteen opens at seven.")
    scripted = Scripted(database)
    async with running(playground, database_url, tmp_path, answers=scripted, embedders=EMBEDDERS):
        await sync(playground, database)
    async with running(
        playground, database_url, tmp_path, answers=scripted, embedders=EMBEDDERS, only=BOT
    ):
        await playground.delete(NORA, ASK_HR, message.ts)
        await playground.wait_for(
            lambda: [
                d
                for d in playground.delivered("message")
                if d.acknowledged and d.payload["event"].get("subtype") == "message_deleted"
            ]
        )
        assert "canteen" in await indexed(database)
    async with running(
        playground, database_url, tmp_path, answers=scripted, embedders=EMBEDDERS, only=WORKER
    ):
        await eventually(playground, database, "canteen", there=False)


async def test_a_deletion_leaves_the_index_though_slack_does_not_answer(
    office: Playground, database: Database
) -> None:
    message = await office.say(NORA, ASK_HR, "A slip of the tongue.")
    await eventually(office, database, "slip", there=True)
    office.workspace.faults.add("conversations.history", "error", error="fatal_error", times=9)
    await office.delete(NORA, ASK_HR, message.ts)
    await eventually(office, database, "slip", there=False)


async def test_many_messages_at_once_end_in_one_truth(
    office: Playground, database: Database
) -> None:
    root = await office.say(NORA, ASK_HR, "A list of fruit, please.")
    said: list[Message] = [
        await office.say(SAM, ASK_HR, f"fruit{number}", root.ts) for number in range(12)
    ]
    for message in said[::2]:
        await office.delete(SAM, ASK_HR, message.ts)
    await eventually(office, database, "fruit11", there=True)
    for number in range(0, 12, 2):
        await eventually(office, database, f"fruit{number}\n", there=False)
    text_now = await indexed(database)
    assert [n for n in range(12) if f"): fruit{n}" in text_now] == list(range(1, 12, 2))


def event(**fields: Any) -> dict[str, Any]:
    inner = {"type": "message", "channel": "C1", "channel_type": "channel", "ts": "1.0", **fields}
    return {"type": "event_callback", "event_id": "Ev1", "event": inner}


@pytest.mark.parametrize(
    "fields",
    [
        {"channel_type": "im", "user": "U1", "text": "Hello"},
        {"channel_type": "mpim", "user": "U1", "text": "Hello"},
        {"user": US.user, "text": "An answer"},
        {"bot_id": US.bot, "text": "An answer"},
        {"subtype": "channel_join", "user": "U1"},
        {"subtype": "message_changed", "message": {"text": "x"}, "previous_message": {"text": "x"}},
        {"type": "reaction_added"},
    ],
)
def test_what_changes_no_document_is_not_taken_in(fields: dict[str, Any]) -> None:
    assert read_happened(event(**fields), US) is None


def test_the_deletion_of_a_thread_s_first_message_is_one_though_slack_says_changed() -> None:
    message = {"subtype": "tombstone", "text": "Deleted.", "ts": "5.0", "thread_ts": "5.0"}
    before = {"text": "A secret", "ts": "5.0", "thread_ts": "5.0", "user": "U1"}
    found = read_happened(
        event(subtype="message_changed", message=message, previous_message=before), US
    )
    assert found is not None
    assert found.payload == {
        "channel": "C1", "ts": "5.0", "root": "5.0", "thread": True, "change": "deleted",
        "by_app": False,
    }  # fmt: skip
