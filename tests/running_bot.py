"""A whole bot against a playground and a real Postgres, in this process or in one of its own.

Only the model is scripted: `Scripted` writes the answer log as the real answerer does.
"""

import asyncio
import gc
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import URL

from bot.app import PARTS, run
from bot.playground.server import Playground
from bot.settings import BotSettings
from knowledge.answer_log import AnswerLog
from knowledge.conversation import (
    Answer,
    Event,
    Finished,
    Question,
    Searching,
    Seconds,
    Sentence,
    Writing,
)
from knowledge.database import Database, connect
from knowledge.embedding import Embedder
from knowledge.settings import KnowledgeSettings


class Scripted:
    """Answers "You asked: …" sentence by sentence; `questions` is what it was asked.

    `pause_seconds` stands before each of its sentences, `failures` is how often it fails first.
    """

    def __init__(
        self,
        database: Database,
        *,
        sentences: int = 2,
        pause_seconds: float = 0.0,
        failures: int = 0,
        error: Callable[[], Exception] = lambda: RuntimeError("the script says so"),
    ) -> None:
        self.log = AnswerLog(database)
        self.questions: list[Question] = []
        self.stopped: list[Question] = []
        self._sentences, self._pause_seconds = sentences, pause_seconds
        self._failures, self._error = failures, error

    async def answer(self, question: Question) -> AsyncIterator[Event]:
        """The events of one answer."""
        self.questions.append(question)
        await self.log.ask(question, "en")
        if self._failures > 0:
            self._failures -= 1
            raise self._error()
        said: list[str] = []
        try:
            yield Searching()
            yield Writing(1)
            for number in range(self._sentences):
                await asyncio.sleep(self._pause_seconds)
                said.append(f"You asked: {question.text} ({number + 1})")
                yield Sentence(said[-1], ())
        except (GeneratorExit, asyncio.CancelledError):
            self.stopped.append(question)
            await self.log.finish(_answer(question, "stopped", said), (), frozenset(), {})
            raise
        answer = _answer(question, "answered", said)
        await self.log.finish(answer, (), frozenset(), {})
        yield Finished(answer)


def _answer(question: Question, state: str, said: list[str]) -> Answer:
    return Answer(
        id=uuid4(),
        question_id=question.id,
        state="stopped" if state == "stopped" else "answered",
        text=" ".join(said),
        citations=(),
        nearest=(),
        reason=None,
        language="en",
        verification=None,
        model="scripted",
        adapter=None,
        seconds=Seconds(0.0, None, 0.0),
    )


def free_port() -> int:
    """A port that nobody listens on, for a server that must know it beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bot_settings(playground: Playground, **values: object) -> BotSettings:
    """Settings that lead to the playground."""
    given: dict[str, object] = {
        "slack_bot_token": SecretStr(playground.bot_token),
        "slack_app_token": SecretStr(playground.app_token),
        "slack_signing_secret": SecretStr(playground.signing_secret),
        "slack_api_url": playground.api_url,
        "http_port": 0,
        "reindex_cron": "never",
        "shutdown_seconds": 3.0,
    }
    return BotSettings.load(**given | values)


def knowledge_settings(url: URL, home: Path, **values: object) -> KnowledgeSettings:
    """Settings that lead to a test's own database."""
    address = url.render_as_string(hide_password=False)
    kept = os.environ.get("LOREWISE_MODELS_DIR")  # as the fixture models_dir has it
    values.setdefault("models_dir", kept or Path(tempfile.gettempdir()) / "lorewise-models")
    return KnowledgeSettings.load(home=home, database_url=SecretStr(address), **values)


@asynccontextmanager
async def running(
    playground: Playground,
    url: URL,
    home: Path,
    *,
    answers: Scripted | None,
    only: frozenset[str] = PARTS,
    embedders: tuple[Embedder, ...] = (),
    **values: object,
) -> AsyncIterator[None]:
    """The bot, in this process, from ready to stopped."""
    up, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        run(
            knowledge_settings(url, home),
            bot_settings(playground, **values),
            only=only,
            ready=up.set,
            stop=stop,
            answers=answers,
            embedders=embedders,
        )
    )
    waiting = asyncio.create_task(up.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            waiting.cancel()
            await task
        yield
    finally:
        stop.set()
        await task
        gc.collect()  # what was left open shows in the test that left it


async def start_process(
    playground: Playground, url: URL, home: Path, *, only: str = "worker", pause_seconds: float = 0
) -> asyncio.subprocess.Process:
    """The bot in a process of its own, ready; to be killed."""
    environment = {
        **os.environ,
        "LOREWISE_HOME": str(home),
        "LOREWISE_DATABASE_URL": url.render_as_string(hide_password=False),
        "LOREWISE_SLACK_BOT_TOKEN": playground.bot_token,
        "LOREWISE_SLACK_APP_TOKEN": playground.app_token,
        "LOREWISE_SLACK_API_URL": playground.api_url,
        "LOREWISE_REINDEX_CRON": "never",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.running_bot", only, str(pause_seconds),
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line.strip() == b"ready", line
    return process


async def main(only: str, pause_seconds: float) -> None:
    """What runs in that process."""
    knowledge, settings = KnowledgeSettings.load(), BotSettings.load()
    assert knowledge.database_url is not None
    from sqlalchemy import make_url

    database = connect(make_url(knowledge.database_url.get_secret_value()), pool_size=4)
    await run(
        knowledge,
        settings,
        only=frozenset(only.split(",")),
        ready=lambda: print("ready", flush=True),  # noqa: T201 - the parent waits for it
        answers=Scripted(database, pause_seconds=pause_seconds),
    )
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
