"""Every command that a page tells to run is one that the command line takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.kinds import ALL_KINDS
from bot.sources import checked_addition
from knowledge.errors import SourceError
from knowledge.sources import KINDS
from tests.unit.test_docs import MARKDOWN, PAGES, ROOT
from tests.vendors.google import credentials

ADD = ["sources", "add"]
REDIRECTIONS = {">", "|", "&&", "2>", "<"}


def lines(text: str) -> Iterator[str]:
    """Every line of a page's blocks of code; what ends in a backslash goes on."""
    for token in MARKDOWN.parse(text):
        if token.type in {"code_block", "fence"}:
            yield from re.sub(r"\\\n\s*", "", token.content).splitlines()


def commands(text: str) -> Iterator[list[str]]:
    """What a page tells to type after `lorewise`."""
    for line in lines(text):
        found = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*lorewise (.+)", line.strip())
        if found:
            words = shlex.split(found[1], comments=True)
            end = next((n for n, word in enumerate(words) if word in REDIRECTIONS), len(words))
            yield words[:end]


def every_command() -> list[Any]:
    return [
        pytest.param(words, id=f"{path.relative_to(ROOT)}: {' '.join(words)[:60]}")
        for path in PAGES
        for words in commands(path.read_text("utf-8"))
    ]


def parsed(words: list[str]) -> dict[str, Any]:
    """The parameters of a command as Typer reads them; it fails where Typer would refuse it."""
    from bot.cli import app

    command: Any = typer.main.get_command(app)
    context = command.make_context("lorewise", list(words), resilient_parsing=False)
    while getattr(command, "commands", None):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    found: dict[str, Any] = context.params
    return found


@pytest.mark.parametrize("words", every_command())
def test_every_command_that_a_page_tells_to_run_is_taken(words: list[str]) -> None:
    parsed(words)


def examples() -> list[Any]:
    return [
        each
        for each in every_command()
        if each.values[0][:2] == ADD and each.values[0][2] != "LOCATION"
    ]


@pytest.mark.parametrize("words", examples())
def test_every_source_that_a_page_adds_can_be_opened(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people.csv").write_text("account,email\n")
    stands_for = {
        "…": "0123456789",
        "/srv/handbook": str(tmp_path),
        "/etc/lorewise/github.csv": str(tmp_path / "people.csv"),
    }
    text = "\0".join(words)
    for placeholder, value in stands_for.items():
        text = text.replace(placeholder, value)
    for variable in re.findall(r"=env:(\w+)", text):
        monkeypatch.setenv(variable, "postgresql+psycopg://reader:secret@localhost/hr")
    monkeypatch.setenv("GOOGLE_KEY", credentials("http://localhost"))
    params = parsed(text.split("\0"))
    kind, options = checked_addition(
        params["location"], params["kind"], params["option"] or [], params["schedule"]
    )
    if kind in KINDS:
        KINDS[kind].load(params["location"], options)


def test_there_is_an_example_of_every_kind() -> None:
    adds = [parsed(each.values[0]) for each in examples()]
    named = {each["kind"] for each in adds} - {None}
    text = (ROOT / "docs" / "sources.md").read_text("utf-8")
    headings = re.split(r"^## ", text, flags=re.MULTILINE)
    for kind in ALL_KINDS:
        (chapter,) = [each for each in headings if f"`{kind}`" in each.splitlines()[0]]
        assert kind in named or any(words[:2] == ADD for words in commands(chapter)), kind


def test_an_option_that_a_kind_does_not_have_is_refused_by_these_tests() -> None:
    with pytest.raises(SourceError, match="no option brnach"):
        checked_addition("https://git.example.com/a.git", None, ["brnach=main"], "")
