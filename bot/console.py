"""What all commands of the command line share."""

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from bot.settings import BotSettings
from knowledge.database import Database, open_database
from knowledge.settings import KnowledgeSettings, refuse_unknown

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
As = Annotated[
    str | None,
    typer.Option("--as", help="Whose rights: a principal such as user:T1:U1; default: everyone's."),
]


def escape(text: object) -> str:
    """Text that Rich prints as it is."""
    return str(text).replace("[", r"\[")


def settings() -> tuple[KnowledgeSettings, BotSettings]:
    """Both sections. Raises SettingsError."""
    refuse_unknown(KnowledgeSettings, BotSettings)
    return KnowledgeSettings.load(), BotSettings.load()


def print_json(value: Any) -> None:
    """Print a value on standard output as one line of JSON."""
    typer.echo(json.dumps(value, default=_encode, ensure_ascii=False))


def _encode(value: Any) -> Any:
    if isinstance(value, UUID | Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


@asynccontextmanager
async def opened(settings: KnowledgeSettings) -> AsyncIterator[Database]:
    """The database of the settings. Raises DatabaseError."""
    database = await open_database(settings)
    try:
        yield database
    finally:
        await database.close()
