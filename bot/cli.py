"""The command line. Exit code 0: done; 1: it failed, with the reason; 2: wrong use or settings."""

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from bot.console import As, Json, err, out
from bot.console import escape as _escape
from bot.console import opened as _database
from bot.console import print_json as _print_json
from bot.console import settings as _settings
from bot.errors import BotError
from bot.evaluate_answers import evaluate_app
from bot.kinds import opened_kinds
from bot.logs import configure, quieten
from bot.settings import BotSettings
from bot.sources import sources_app
from bot.sync import Indexed, index_sources, named_source, rebuild_vectors
from bot.terminal import (
    Show,
    answer_as_json,
    counts_as_json,
    found_as_json,
    index_progress,
    print_answer,
    print_hits,
    print_rebuilt,
    print_report,
    print_votes,
)
from knowledge.assemble import load_answerer, load_search, open_live_embedders
from knowledge.conversation import Answer, Question
from knowledge.database import open_database
from knowledge.errors import KnowledgeError, SettingsError
from knowledge.search import Hit
from knowledge.settings import KnowledgeSettings

app = typer.Typer(
    name="lorewise",
    help="Answers questions in Slack from your own documents, and learns from every thumb.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(sources_app, name="sources")
app.add_typer(evaluate_app, name="evaluate")


class Part(StrEnum):
    """A part of the bot that can run in a process of its own."""

    BOT = "bot"
    WORKER = "worker"
    CLOCK = "clock"


class Mode(StrEnum):
    """How Slack reaches the bot."""

    SOCKET = "socket"
    HTTP = "http"


def main() -> None:
    """Run the command line; every expected error becomes one line and an exit code."""
    quieten()
    try:
        app()
    except SettingsError as error:
        err.print(f"[red]{_escape(error)}[/red]")
        sys.exit(2)
    except (KnowledgeError, BotError) as error:
        err.print(f"[red]{_escape(error)}[/red]")
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("Stopped.")
        sys.exit(130)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the page; the next free one if taken.")] = 8765,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = True,
) -> None:
    """Run the bot against a local Slack with sample knowledge.

    Example: lorewise demo --port 9000
    """
    from bot.demo import run_demo

    settings, bot_settings = _settings()
    asyncio.run(run_demo(settings, bot_settings, port=port, open_page=open_page))


@app.command()
def run(
    only: Annotated[
        str, typer.Option(help="Comma-separated parts: bot, worker, clock; default: all.")
    ] = "bot,worker,clock",
) -> None:
    """Run the bot, the worker and the clock against Slack.

    Example: lorewise run --only worker
    """
    from bot.app import run as run_app

    try:
        parts = frozenset(Part(part.strip()).value for part in only.split(",") if part.strip())
    except ValueError as error:
        raise typer.BadParameter("parts are bot, worker and clock", param_hint="--only") from error
    settings, bot_settings = _settings()
    bot_settings.require_slack()
    configure()
    asyncio.run(run_app(settings, bot_settings, only=parts))


@app.command()
def index(
    places: Annotated[
        list[str] | None,
        typer.Argument(help="Names or locations of sources; default: all of them."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with its sources; only what changed is touched.

    Example: lorewise index ~/handbook
    """
    settings, bot_settings = _settings()
    indexed = asyncio.run(_index(settings, bot_settings, places or [], quiet=as_json))
    if as_json:
        _print_json([counts_as_json(one) for one in indexed])
    if any(one.report.failed for one in indexed):
        raise typer.Exit(1)


async def _index(
    settings: KnowledgeSettings, bot_settings: BotSettings, places: list[str], *, quiet: bool
) -> list[Indexed]:
    async with _database(settings) as database, opened_kinds(bot_settings, database) as kinds:
        names = [(await named_source(database, place, kinds=kinds)).name for place in places]
        live = await open_live_embedders(settings, database)
        rebuilt = None
        with _quiet_or(index_progress(err), quiet=quiet) as show:
            indexed = await index_sources(
                settings, database, names or None, embedders=live, progress=show, kinds=kinds
            )
            if indexed:
                rebuilt = await rebuild_vectors(database, live, progress=show)
        if rebuilt and not quiet:
            print_rebuilt(out, rebuilt)
        if not indexed:
            err.print("No source was added yet: lorewise index FOLDER, or lorewise sources add.")
        for one in () if quiet else indexed:
            print_report(out, one)
        return indexed


def _quiet_or(
    progress: AbstractContextManager[Show], *, quiet: bool
) -> AbstractContextManager[Show | None]:
    return nullcontext(None) if quiet else progress


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What is looked for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many chunks.")] = 5,
    reader: As = None,
    as_json: Json = False,
) -> None:
    """Show what the search finds for a question.

    Example: lorewise search "How much leave do I have?" -k 3 --json
    """
    settings, _ = _settings()

    async def find() -> list[Hit]:
        async with _database(settings) as database:
            embedders = await open_live_embedders(settings, database)
            search = await load_search(settings, database, embedders)
            return await search.search(question, _principals(reader), k=k)

    hits = asyncio.run(find())
    if as_json:
        _print_json([found_as_json(hit) for hit in hits])
    else:
        print_hits(out, hits)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    reader: As = None,
    as_json: Json = False,
) -> None:
    """Answer a question in the terminal, as the bot would in Slack.

    Example: lorewise ask "How many days of parental leave are there?"
    """
    settings, _ = _settings()
    answer = asyncio.run(_ask(settings, question, _principals(reader), quiet=as_json))
    if as_json:
        _print_json(answer_as_json(answer))
    if answer.state == "failed":
        raise typer.Exit(1)


async def _ask(
    settings: KnowledgeSettings, text: str, audience: frozenset[str], *, quiet: bool
) -> Answer:
    async with _database(settings) as database:
        embedders = await open_live_embedders(settings, database)
        answerer = await load_answerer(settings, database, embedders)
        question = Question(text, asker="terminal", audience=audience)
        try:
            return await print_answer(out, answerer.answer(question), quiet=quiet)
        finally:
            await answerer.close()


def _principals(reader: str | None) -> frozenset[str]:
    return frozenset({"everyone"} | ({reader} if reader else set()))


@app.command()
def migrate() -> None:
    """Bring the database's roles, extension and schema to this version.

    Example: LOREWISE_DATABASE_URL=postgresql://owner@db/lorewise lorewise migrate
    """
    settings, _ = _settings()

    async def whole() -> None:
        await (await open_database(settings, migrate_first=True)).close()

    asyncio.run(whole())
    out.print("The database is up to date.")


@app.command()
def manifest(
    mode: Annotated[Mode, typer.Option(help="How Slack reaches the bot.")] = Mode.SOCKET,
    url: Annotated[str | None, typer.Option(help="Public URL of the bot, for http.")] = None,
    as_json: Json = False,
) -> None:
    """Print the manifest that creates the Slack app.

    Example: lorewise manifest > manifest.yaml
    """
    from bot.manifest import manifest_text

    if mode == "http" and not url:
        raise typer.BadParameter("http needs --url https://...", param_hint="--url")
    typer.echo(manifest_text(mode.value, url=url, as_json=as_json))


@app.command()
def settings(as_json: Json = False) -> None:
    """List every setting with what it does and its value; secrets are masked.

    Example: lorewise settings --json
    """
    sections = _settings()
    rows = [
        (f"LOREWISE_{name.upper()}", str(getattr(section, name)), field.description or "")
        for section in sections
        for name, field in type(section).model_fields.items()
    ]
    if as_json:
        _print_json([dict(zip(("name", "value", "description"), row, strict=True)) for row in rows])
        return
    table = Table("setting", "value", "what it does")
    for row in rows:
        table.add_row(*row)
    out.print(table)


@app.command()
def feedback(as_json: Json = False) -> None:
    """List the latest votes with their answers.

    Example: lorewise feedback --json
    """
    from training.feedback import rated

    loaded, _ = _settings()

    async def read() -> list[Any]:
        async with _database(loaded) as database, database.app.begin() as connection:
            return list(await rated(connection, limit=50))

    votes = asyncio.run(read())
    if as_json:
        _print_json(votes)
    else:
        print_votes(out, votes)
