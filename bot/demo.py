"""`lorewise demo`: the sample knowledge, the bot and a local Slack, in one process."""

import fcntl
import os
import socket
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from bot.app import House, run
from bot.errors import BotError
from bot.home import Prompt
from bot.playground.seed import default_workspace
from bot.playground.server import Playground
from bot.sample import KNOWLEDGE, suggested_prompts
from bot.settings import BotSettings
from bot.sync import add_folder, index_sources
from bot.terminal import index_progress
from knowledge.settings import KnowledgeSettings

SOURCE = "sample"
TRIES = 20  # ports after the wished one


class DemoError(BotError):
    """The demo cannot start."""


async def run_demo(
    settings: KnowledgeSettings, bot_settings: BotSettings, *, port: int, open_page: bool
) -> None:
    """Run until stopped. Its own home under the settings' home, and always the embedded server.

    Raises:
        DemoError: another demo of the same home is running, or no port is free.
    """
    console = Console(highlight=False)
    home = settings.home / "demo"
    own = settings.model_copy(
        update={"home": home, "models_dir": settings.models_folder, "database_url": None}
    )
    with _alone(home) as lock:
        workspace = default_workspace("Halden Instruments")
        async with Playground(workspace, port=free_port(port), documents=KNOWLEDGE) as playground:
            slack = bot_settings.model_copy(
                update={
                    "slack_bot_token": SecretStr(playground.bot_token),
                    "slack_app_token": SecretStr(playground.app_token),
                    "slack_api_url": playground.api_url,
                    "slack_mode": "socket",
                }
            )
            lock.write_text(playground.url)

            async def prepare(house: House) -> None:
                await _index(own, house, console, f"{playground.url}/documents/")

            def ready() -> None:
                _welcome(console, playground.url)
                if open_page and os.environ.get("DISPLAY"):
                    webbrowser.open(playground.url)

            console.print("Starting Postgres and loading the models ...")
            prompts = [Prompt(prompt["title"], prompt["message"]) for prompt in suggested_prompts()]
            await run(own, slack, prepare=prepare, ready=ready, prompts=prompts)
    console.print("Stopped. Nothing is left running; `make demo` starts again in seconds.")


async def _index(
    settings: KnowledgeSettings, house: House, console: Console, base_url: str
) -> None:
    await add_folder(house.database, str(KNOWLEDGE), name=SOURCE, base_url=base_url)
    with index_progress(console) as show:
        [indexed] = await index_sources(
            settings, house.database, [SOURCE], embedders=house.embedders, progress=show
        )
    for key, reason in indexed.report.failed:
        console.print(f"  {key}: {reason}", markup=False)


def _welcome(console: Console, url: str) -> None:
    console.print(f"\n[bold green]Lorewise is running.[/] Open [bold]{url}[/]\n")
    console.print("In #ask-hr or in the direct messages of Lorewise, ask for example:")
    for prompt in suggested_prompts():
        console.print(f"  {prompt['message']}", markup=False)
    console.print("\nRate the answer with a thumb. Ctrl-C stops everything.")


def free_port(wished: int) -> int:
    """The wished port, or the next one that nobody listens on.

    Raises:
        DemoError: none of the next ones is free either.
    """
    for port in range(wished, min(wished + TRIES, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise DemoError(f"No port from {wished} to {wished + TRIES - 1} is free: choose one, --port N.")


@contextmanager
def _alone(home: Path) -> Iterator[Path]:
    """Hold the demo's lock: two bots on one queue would take each other's questions."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "demo.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoError(
                f"The demo is running already: open {path.read_text().strip() or 'its page'}."
            ) from error
        yield path
