"""The commands `lorewise sources …`: what is indexed, of which kind, how often, for whom."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from bot.console import Json, opened, out, print_json, settings
from bot.kinds import ALL_KINDS
from bot.settings import checked_cron
from bot.sync import add_source
from knowledge.sources import known_kind
from knowledge.sources.kind import Kind
from knowledge.sources.recognised import recognised
from knowledge.sources.registered import RegisteredSource, registered_sources, remove_source

sources_app = typer.Typer(help="What is indexed.", no_args_is_help=True)


@sources_app.command("add")
def add(
    location: Annotated[str, typer.Argument(help="A folder, a URL: see `lorewise sources kinds`.")],
    *,
    kind: Annotated[
        str | None, typer.Option(help="What the location is; default: told from it where certain.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The source's name; default: the location's last part.")
    ] = None,
    readers: Annotated[
        str, typer.Option(help="Comma-separated principals who may read it.")
    ] = "everyone",
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, as often as needed; a secret as NAME=env:VARIABLE."),
    ] = None,
    schedule: Annotated[
        str, typer.Option(help='Cron expression or "never"; default: LOREWISE_REINDEX_CRON.')
    ] = "",
) -> None:
    """Name a source; `lorewise index` and the clock then keep it up to date.

    Example: lorewise sources add https://git.example.com/handbook.git --option branch=main
    """
    loaded, _ = settings()
    kind, options = checked_addition(location, kind, option or [], schedule)

    async def name_it() -> str:
        async with opened(loaded) as database:
            added = await add_source(
                database,
                location,
                kind=kind,
                name=name,
                principals=[part.strip() for part in readers.split(",") if part.strip()],
                options=options,
                schedule=schedule,
                kinds=ALL_KINDS,
            )
            return added.name

    out.print(f"Added {asyncio.run(name_it())}. Index it with: lorewise index", markup=False)


def checked_addition(
    location: str, kind: str | None, pairs: Sequence[str], schedule: str
) -> tuple[str, Mapping[str, str]]:
    """The kind and the options that were typed; the place itself is not opened.

    Raises:
        SourceError: the kind cannot be told or has no such option.
        typer.BadParameter: an option or the schedule is not written as it must be.
    """
    options = _options(pairs)
    _check_cron(schedule)
    kind = kind or recognised(location, ALL_KINDS)
    known_kind(kind, ALL_KINDS).check(options)
    return kind, options


def _options(pairs: Sequence[str]) -> Mapping[str, str]:
    options = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(options) != len(pairs):
        raise typer.BadParameter("write each once, as NAME=VALUE", param_hint="--option")
    return options


def _check_cron(schedule: str) -> None:
    try:
        if schedule:
            checked_cron(schedule)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--schedule") from error


@sources_app.command("kinds")
def list_kinds(as_json: Json = False) -> None:
    """List the kinds of sources with their options.

    Example: lorewise sources kinds
    """
    if as_json:
        print_json([_kind_as_json(kind) for kind in ALL_KINDS.values()])
        return
    table = Table("kind", "location", "option", "what it does")
    for kind in ALL_KINDS.values():
        extra = f"\npip install 'lorewise[{kind.extra}]'" if kind.extra else ""
        table.add_section()
        table.add_row(kind.name, kind.location.replace("[", r"\[") + extra.replace("[", r"\["))
        for name, meaning in kind.options.items():
            secret = " (secret: env:NAME)" if name in kind.secrets else ""
            table.add_row("", "", name, (meaning + secret).replace("[", r"\["))
    out.print(table)


def _kind_as_json(kind: Kind) -> Mapping[str, Any]:
    return {
        "kind": kind.name,
        "location": kind.location,
        "options": dict(kind.options),
        "secrets": sorted(kind.secrets),
        "extra": kind.extra,
    }


@sources_app.command("list")
def list_sources(as_json: Json = False) -> None:
    """List the sources, how often each is synced, and what its last run did.

    Example: lorewise sources list --json
    """
    loaded, bot_settings = settings()

    async def read() -> list[RegisteredSource]:
        async with opened(loaded) as database:
            return await registered_sources(database)

    sources = asyncio.run(read())
    if as_json:
        print_json(sources)
        return
    table = Table("name", "kind", "location", "readers", "schedule", "last synced", "last run")
    for source in sources:
        schedule = source.schedule or f"{bot_settings.reindex_cron} (default)"
        synced = source.synced_at.isoformat(" ", "minutes") if source.synced_at else "never"
        row = (source.name, source.kind, source.location, ", ".join(source.principals))
        table.add_row(*(_shown(cell) for cell in (*row, schedule, synced, _last_run(source))))
    out.print(table)


def _shown(cell: str) -> str:
    return cell.replace("[", r"\[")


def _last_run(source: RegisteredSource) -> str:
    counts = [
        f"{source.report[name]} {name}"
        for name in ("seen", "added", "changed", "removed", "failed", "skipped")
        if source.report and source.report.get(name)
    ]
    return "\n".join(filter(None, [", ".join(counts), source.error and f"failed: {source.error}"]))


@sources_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="The source's name.")]) -> None:
    """Remove a source with all its documents.

    Example: lorewise sources remove handbook
    """
    loaded, _ = settings()

    async def forget() -> None:
        async with opened(loaded) as database:
            await remove_source(database, name)

    asyncio.run(forget())
    out.print(f"Removed {name}.", markup=False)
