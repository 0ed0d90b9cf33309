"""What is read of a Git repository, and what git is kept from doing."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from knowledge.errors import SourceError
from knowledge.sources import Change, Checkpoint, Removed, Skipped, SourceDocument, load_source
from tests.worlds.git import GitWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GitWorld]:
    """A repository with two files."""
    world = GitWorld(tmp_path)
    await world.start()
    await world.put("leave", "25 days.")
    await world.put("pay", "On the 25th.")
    yield world
    await world.close()


async def told(
    world: GitWorld, cursor: dict[str, str] | None = None, **options: str
) -> list[Change]:
    source = load_source("git", world.location, options)
    return [change async for change in source.changes(cursor)]


def cursor_of(changes: list[Change]) -> dict[str, str]:
    last = changes[-1]
    assert isinstance(last, Checkpoint)
    assert last.cursor
    return last.cursor


async def test_a_rename_is_one_removed_and_one_added(world: GitWorld) -> None:
    cursor = cursor_of(await told(world))
    (world.place / "rules" / "leave 1.md").rename(world.place / "leave.md")
    await world.commit()
    *changes, last = await told(world, cursor)
    assert {
        (type(change), change.key) for change in changes if not isinstance(change, Checkpoint)
    } == {
        (SourceDocument, "leave.md"),
        (Removed, "rules/leave 1.md"),
    }
    assert isinstance(last, Checkpoint)
    assert not last.complete


async def test_a_branch_that_was_forced_to_other_commits_is_followed(world: GitWorld) -> None:
    cursor = cursor_of(await told(world))
    await world.git("reset", "--quiet", "--hard", "HEAD~1")
    await world.put("vpn", "Choose a gateway.")
    await world.commit("--amend")
    changes = await told(world, cursor)
    assert {type(c).__name__: c.key for c in changes if not isinstance(c, Checkpoint)} == {
        "SourceDocument": "rules/vpn 1.md",
        "Removed": "rules/pay 1.md",
    }


async def test_a_commit_that_is_nowhere_has_everything_told(world: GitWorld) -> None:
    changes = await told(world, {"commit": "0" * 39 + "1"})
    assert len([change for change in changes if isinstance(change, SourceDocument)]) == 2
    last = changes[-1]
    assert isinstance(last, Checkpoint)
    assert last.complete


async def test_only_files_of_the_folder_are_told_and_links_are_not_followed(
    world: GitWorld,
) -> None:
    (world.place / "other.md").write_text("Other.")
    (world.place / "rules" / ".hidden").mkdir()
    for name in ("a.md", "b.md"):
        (world.place / "rules" / ".hidden" / name).write_text("Hidden.")
    (world.place / "rules" / "photo.jpg").write_bytes(b"\xff\xd8")
    (world.place / "rules" / "passwd.md").symlink_to("/etc/passwd")
    await world.commit()
    changes = await told(world, folder="rules/", url="https://g.example/{branch}/{path}")
    documents = [change for change in changes if isinstance(change, SourceDocument)]
    assert [d.url for d in documents] == [
        "https://g.example/HEAD/rules/leave%201.md",
        "https://g.example/HEAD/rules/pay%201.md",
    ]
    assert {c.key: c.reason for c in changes if isinstance(c, Skipped)} == {
        "rules/.hidden": "is hidden",
        "rules/passwd.md": "is a link or another repository",
        "rules/photo.jpg": "is of a type that is not read (.jpg)",
    }
    with pytest.raises(SourceError, match="no folder"):
        await told(world, folder="nothing")


async def test_a_branch_that_is_not_there_is_an_error(world: GitWorld) -> None:
    with pytest.raises(SourceError, match="branch"):
        await told(world, branch="nothing")


async def test_without_git_the_error_says_what_to_install(
    world: GitWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SourceError, match="apt-get install git"):
        await told(world)


@pytest.mark.parametrize(
    "location",
    [
        "ext::sh -c touch% /tmp/x",
        "--upload-pack=touch /tmp/x",
        "https://user:secret@git.example.com/x.git",
        "https://token@git.example.com/x.git",
        "ssh://-oProxyCommand=x/y",
        "ftp://git.example.com/x",
        "nowhere",
    ],
)
def test_an_address_that_could_do_anything_else_is_refused(location: str) -> None:
    with pytest.raises(SourceError) as refused:
        load_source("git", location)
    assert "secret" not in str(refused.value).replace("secret@", "")


@pytest.mark.parametrize("options", [{"branch": "-x"}, {"url": "https://x/"}, {"url": "{x}{path}"}])
def test_an_option_that_cannot_be_used_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(SourceError):
        load_source("git", str(tmp_path), options)


async def test_the_token_goes_to_the_server_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "very-secret")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization"))
        return web.Response(status=403, text="Forbidden very-secret")

    server = web.Application()
    server.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    source = load_source(
        "git", f"http://127.0.0.1:{port}/hr.git", {"token": "env:GIT_TOKEN", "user": "bot"}
    )
    assert "very-secret" not in repr(source)
    with pytest.raises(SourceError, match="token") as refused:
        [change async for change in source.changes(None)]
    await runner.cleanup()
    assert asked[0] == f"Basic {base64.b64encode(b'bot:very-secret').decode()}"
    assert "very-secret" not in str(refused.value)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not any(b"very-secret" in path.read_bytes() for path in kept)
