"""Slash commands: who may, what they do, and the progress that an admin sees."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy import text as sql

from bot import board
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, LAYLA, NORA, SAM
from bot.playground.server import Playground
from bot.sync import add_folder
from knowledge.database import Database
from knowledge.sources.registered import note_failed_run, register_source, registered_sources
from tests.running_bot import Scripted, running

BOT = "U0LOREWISE"


@pytest.fixture
async def playground(
    database: Database, database_url: URL, tmp_path: Path
) -> AsyncIterator[Playground]:
    async with (
        Playground() as playground,
        running(playground, database_url, tmp_path, answers=Scripted(database), admins="U0OTHER"),
    ):
        yield playground


async def reply(playground: Playground, user: str, command: str, words: str = "") -> str:
    """What `user` is told privately after a command."""
    before = len(playground.messages(ASK_HR, user=user))
    outcome = await playground.command(user, ASK_HR, command, words)
    assert outcome.acknowledged

    def told() -> list[Message]:
        return [m for m in playground.messages(ASK_HR, user=user)[before:] if m.viewer == user]

    [message] = await playground.wait_for(told, 10)
    text: str = message.text
    return text


@pytest.mark.parametrize(
    ("command", "words"),
    [("/reindex", ""), ("/lorewise", "reindex"), ("/retrain", ""), ("/lorewise", "retrain now")],
)
async def test_who_may_not_is_told_kindly_who_may(
    playground: Playground, command: str, words: str
) -> None:
    text = await reply(playground, NORA, command, words)
    assert "Only admins" in text
    assert "<@U0OTHER>" in text
    assert "gladly" in text


async def test_help_lists_the_commands(playground: Playground) -> None:
    assert "/lorewise reindex" in await reply(playground, NORA, "/lorewise", "help")
    assert "/lorewise reindex" in await reply(playground, NORA, "/lorewise")
    text = await reply(playground, NORA, "/lorewise", "dance <!channel>")
    assert "I don't know" in text
    assert "/lorewise reindex" in text


async def test_help_speaks_the_person_s_language(playground: Playground) -> None:
    assert "الأوامر" in await reply(playground, LAYLA, "/lorewise", "help")


async def test_status_counts(playground: Playground) -> None:
    text = await reply(playground, NORA, "/lorewise", "status")
    assert "0 documents in 0 sources; 0 questions" in text


async def test_retrain_says_truthfully_that_there_is_nothing_to_train_on(
    playground: Playground,
) -> None:
    text = await reply(playground, SAM, "/retrain")
    assert "no approved examples" in text
    assert "(0 votes" in text


async def test_a_source_that_does_not_exist_is_named_with_those_that_do(
    playground: Playground, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    await add_folder(database, str(folder))
    text = await reply(playground, SAM, "/reindex", "wiki")
    assert "no source named “wiki”" in text
    assert "handbook" in text


@pytest.mark.models
async def test_reindex_runs_as_a_job_and_shows_its_progress_and_counts(
    playground: Playground, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "UPDATE_SECONDS", 0.01)
    folder = tmp_path / "handbook"
    folder.mkdir()
    for number in range(40):
        page = f"# Page {number}\n\nPage {number} says how rule {number} works for everyone.\n"
        (folder / f"page{number}.md").write_text(page)
    for number in range(9):
        (folder / f"song{number}.mp3").write_bytes(b"")
    await add_folder(database, str(folder))
    empty = tmp_path / "away"
    empty.mkdir()
    await add_folder(database, str(empty))
    empty.rmdir()
    text = await reply(playground, SAM, "/reindex")
    assert "all sources" in text
    dm = await playground.open_dm(SAM)

    def done() -> list[Message]:
        return [m for m in playground.messages(dm.id) if "documents seen" in m.text]

    [message] = await playground.wait_for(done, 90)
    assert (
        "handbook: 49 documents seen, 40 added, 0 changed, 0 unchanged, 0 removed, 9 skipped, "
        "0 failed" in message.text
    )
    assert "away could not be read" in message.text
    assert "9 skipped: is of a type that is not read (.mp3) (song0" in message.text
    [file] = await playground.wait_for(
        lambda: [f for m in playground.messages(dm.id, message.ts) for f in m.files], 10
    )
    named = playground.workspace.files[file["id"]].content.decode()
    assert all(f"song{number}.mp3" in named for number in range(9))
    shown = [a for name, a in playground.calls if name == "chat.update"]
    assert any("█" in str(arguments.get("text")) for arguments in shown)
    ours = [m for m in playground.messages(dm.id) if m.user == BOT and not m.is_reply]
    assert len(ours) == 1
    assert "40 documents in 2 sources" in await reply(playground, NORA, "/lorewise", "status")


async def test_a_source_that_is_gone_is_reported(
    playground: Playground, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    await add_folder(database, str(folder))
    folder.rmdir()
    await reply(playground, SAM, "/lorewise", "reindex handbook")
    dm = await playground.open_dm(SAM)
    await playground.wait_for(
        lambda: [m for m in playground.messages(dm.id) if "could not be read" in m.text], 60
    )


async def test_sources_are_listed_to_admins_with_schedule_last_sync_and_counts(
    playground: Playground, database: Database, tmp_path: Path
) -> None:
    assert "No source was added yet" in await reply(playground, SAM, "/lorewise", "sources")
    await register_source(
        database, name="wiki <!here>", kind="folder", location=str(tmp_path),
        principals=["everyone"], schedule="*/5 * * * *",
    )  # fmt: skip
    await register_source(
        database, name="away", kind="folder", location="/away", principals=["everyone"],
        schedule="never",
    )  # fmt: skip
    sources = {source.name: source for source in await registered_sources(database)}
    await note_failed_run(database, sources["away"].id, "It is gone.")
    async with database.indexer.begin() as connection:
        await connection.execute(
            sql("UPDATE source SET synced_at = now(), report = :report WHERE name LIKE 'wiki%'"),
            {"report": '{"seen": 7, "added": 5, "skipped": 2}'},
        )
    listed = await reply(playground, SAM, "/lorewise", "sources")
    assert "(folder): 0 documents; read again at `*/5 * * * *`. Last brought up to date: " in listed
    assert "7 seen, 5 added, 0 changed, 0 unchanged, 0 removed, 2 skipped, 0 failed" in listed
    assert "read again only when asked. Not brought up to date yet" in listed
    assert "did not come to its end: It is gone" in listed
    assert "<!here>" not in listed
    assert "Only admins" in await reply(playground, NORA, "/lorewise", "sources")


def test_a_bar_is_as_full_as_the_work_is_done() -> None:
    bar = board.bar
    assert bar(0, 0) == "░" * 20
    assert bar(5, 10) == "█" * 10 + "░" * 10
    assert bar(10, 10) == "█" * 20
