"""Sources on the command line, on a real database."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from bot.cli import app
from bot.kinds import ALL_KINDS
from bot.sync import add_folder, add_source, index_sources, named_source
from knowledge.database import Database
from knowledge.errors import SourceError
from knowledge.settings import KnowledgeSettings
from knowledge.sources import KINDS
from knowledge.sources.recognised import name_of, recognised
from knowledge.sources.registered import registered_sources
from tests.hashing_embedder import HashingEmbedder


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """A folder with a document."""
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "leave.md").write_text("25 days a year.")
    return folder


@pytest.fixture
def lorewise(database_url: URL, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command and gives its exit code and output."""
    url = database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("LOREWISE_DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> tuple[int, str, BaseException | None]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output, result.exception

    return run


def test_a_source_is_added_listed_and_removed(lorewise: Any, handbook: Path) -> None:
    added = lorewise(
        *("sources", "add", str(handbook), "--readers", "group:T1:S1, email:a@b.example"),
        *("--option", "base_url=https://h.example/?a=b", "--schedule", "0 * * * *"),
    )
    assert added[:2] == (0, "Added handbook. Index it with: lorewise index\n")
    (listed,) = json.loads(lorewise("sources", "list", "--json")[1])
    assert listed["kind"] == "folder"
    assert listed["principals"] == ["email:a@b.example", "group:T1:S1"]
    assert listed["options"] == {"base_url": "https://h.example/?a=b"}
    assert (listed["schedule"], listed["report"], listed["error"]) == ("0 * * * *", None, None)
    table = lorewise("sources", "list")[1]
    assert all(word in table for word in ("handbook", "folder", "0 * * * *", "never"))
    assert lorewise("sources", "remove", "handbook")[0] == 0
    assert json.loads(lorewise("sources", "list", "--json")[1]) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--schedule", "sometimes"), "--schedule"),
        (("--option", "base_url"), "NAME=VALUE"),
        (("--option", "base_url=a", "--option", "base_url=b"), "once"),
    ],
)
def test_wrong_use_is_told(
    lorewise: Any, handbook: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, output, _ = lorewise("sources", "add", str(handbook), *arguments)
    assert code == 2
    assert words in output


def test_an_option_that_the_kind_does_not_have_is_refused(lorewise: Any, handbook: Path) -> None:
    error = lorewise("sources", "add", str(handbook), "--option", "branch=main")[2]
    assert isinstance(error, SourceError)
    assert "base_url" in str(error)
    assert json.loads(lorewise("sources", "list", "--json")[1]) == []


def test_the_kinds_are_listed_with_their_options(lorewise: Any) -> None:
    listed = {kind["kind"]: kind for kind in json.loads(lorewise("sources", "kinds", "--json")[1])}
    assert listed.keys() == ALL_KINDS.keys() > KINDS.keys()
    output = lorewise("sources", "kinds")[1]
    for kind in ALL_KINDS.values():
        assert listed[kind.name]["options"] == dict(kind.options)
        assert all(option in output for option in kind.options)
        assert kind.extra is None or f"lorewise[{kind.extra}]" in output


async def test_indexing_a_place_keeps_what_it_was_added_with(
    database: Database, handbook: Path
) -> None:
    await add_folder(database, str(handbook), name="hr", principals=["group:hr"])
    for place in ("hr", str(handbook), f"{handbook}/"):
        found = await named_source(database, place)
        assert (found.name, found.principals) == ("hr", ("group:hr",))
    assert len(await registered_sources(database)) == 1
    with pytest.raises(SourceError, match="no file or folder"):
        await named_source(database, "payroll")


async def test_a_run_that_fails_is_noted_until_one_succeeds(
    database: Database, handbook: Path
) -> None:
    settings, embedders = KnowledgeSettings(), [HashingEmbedder()]
    await add_source(database, str(handbook))
    away = handbook.rename(handbook.with_name("away"))
    with pytest.raises(SourceError):
        await index_sources(settings, database, embedders=embedders)
    (source,) = await registered_sources(database)
    assert source.error
    assert source.report is None
    away.rename(handbook)
    await index_sources(settings, database, embedders=embedders)
    (source,) = await registered_sources(database)
    assert source.error is None
    assert (source.report or {})["added"] == 1


def test_a_kind_is_told_from_a_location_only_where_it_is_certain(tmp_path: Path) -> None:
    certain = {
        str(tmp_path): "folder",
        "git@git.example.com:hr/handbook.git": "git",
        "https://git.example.com/hr/handbook.git": "git",
        "ssh://git@git.example.com/hr/handbook": "git",
        "s3://bucket/handbook": "fsspec",
        "sftp://files.example.com/srv": "fsspec",
        "zip::s3://bucket/rules.zip": "fsspec",
        "https://acme.atlassian.net/wiki/spaces/HR": "confluence",
        "https://www.notion.so/acme": "notion",
        "https://acme.sharepoint.com/sites/HR": "sharepoint",
        "https://drive.google.com/drive/folders/0AB": "google_drive",
    }
    assert set(certain.values()) <= KINDS.keys() | {"fsspec"}
    kinds = dict.fromkeys({*certain.values(), "web"}, KINDS["folder"])
    assert {location: recognised(location, kinds) for location in certain} == certain
    for location in ("https://example.com/handbook", "postgresql://db/hr", "nowhere.md"):
        with pytest.raises(SourceError, match="--kind"):
            recognised(location, kinds)


def test_a_source_is_called_by_the_last_part_of_its_location() -> None:
    assert {
        location: name_of(location)
        for location in (
            "/srv/hand book",
            "git@git.example.com:hr/handbook.git",
            "https://git.example.com/hr/rules.git/",
            "s3://bucket/a/docs",
            "https://docs.example.com/",
        )
    } == {
        "/srv/hand book": "hand book",
        "git@git.example.com:hr/handbook.git": "handbook",
        "https://git.example.com/hr/rules.git/": "rules",
        "s3://bucket/a/docs": "docs",
        "https://docs.example.com/": "docs.example.com",
    }
