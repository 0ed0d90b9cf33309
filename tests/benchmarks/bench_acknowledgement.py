"""How long Slack waits for an acknowledgement while eight answers are being generated.

    python -m tests.benchmarks.bench_acknowledgement [--events 200] [--per-second 20]

The bot, with the real models and an embedded Postgres, is a process of its own; the time is taken
at the playground's side, from the envelope on the socket to its acknowledgement. Every event is
a new question, so that there are always eight in generation and more waiting.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.playground.delivery import Attempt, Outcome, Transport
from bot.playground.limits import Limits
from bot.playground.seed import ASK_HR, NORA, default_workspace
from bot.playground.server import Playground
from bot.sample import KNOWLEDGE
from bot.sync import add_folder, index_sources
from knowledge.database import open_database
from knowledge.settings import KnowledgeSettings

BOT = "U0LOREWISE"
TOPICS = ("leave", "travel", "expenses", "laptops", "passwords", "benefits", "on-call", "payday")
RUN = """
import asyncio
from bot.app import run
from bot.logs import configure
from bot.settings import BotSettings
from knowledge.settings import KnowledgeSettings
configure(level="WARNING")
ready = lambda: print("ready", flush=True)
asyncio.run(run(KnowledgeSettings.load(), BotSettings.load(), ready=ready))
"""


class Timed:
    """A transport that takes the time of each delivery, in milliseconds."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.milliseconds: list[float] = []
        self.lost = 0

    async def send(self, attempt: Attempt, timeout_seconds: float) -> Outcome:
        """Hand over and measure."""
        began = time.perf_counter()
        outcome = await self._inner.send(attempt, timeout_seconds)
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        self.lost += not outcome.acknowledged
        return outcome

    async def close(self) -> None:
        """Close the transport."""
        await self._inner.close()


@asynccontextmanager
async def bot(playground: Playground, home: Path, models: Path) -> AsyncIterator[None]:
    """The bot as a process, from ready to stopped."""
    environment = {
        **os.environ,
        "LOREWISE_HOME": str(home),
        "LOREWISE_MODELS_DIR": str(models),
        "LOREWISE_SLACK_BOT_TOKEN": playground.bot_token,
        "LOREWISE_SLACK_APP_TOKEN": playground.app_token,
        "LOREWISE_SLACK_API_URL": playground.api_url,
        "LOREWISE_REINDEX_CRON": "never",
        "LOREWISE_WORKER_CONCURRENCY": "8",
        "LOREWISE_SHUTDOWN_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert (await process.stdout.readline()).strip() == b"ready"
        yield
    finally:
        process.terminate()
        await process.wait()


async def ask(playground: Playground, number: int) -> None:
    """One more question, in a thread of its own."""
    topic = TOPICS[number % len(TOPICS)]
    text = f"<@{BOT}> What are the rules for {topic}, question {number}?"
    await playground.say(NORA, ASK_HR, text)


def line(name: str, milliseconds: list[float]) -> str:
    """p50, p99 and the longest."""
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    p50 = statistics.median(ordered)
    return f"{name:<28} {p50:8.1f} {p99:8.1f} {ordered[-1]:8.1f} {len(ordered):8d}"


async def measure(home: Path, models: Path, events: int, per_second: float) -> None:
    """Index the sample, ask, and print."""
    settings = KnowledgeSettings.load(home=home, models_dir=models)
    database = await open_database(settings)
    await add_folder(database, str(KNOWLEDGE), name="sample")
    await index_sources(settings, database)
    unlimited = Limits(rate_limiting=False)  # else the generation would wait for Slack
    async with Playground(default_workspace(limits=unlimited)) as playground:
        timed = Timed(playground.parts.delivery.transport)
        playground.parts.delivery.transport = timed
        async with bot(playground, home, models):
            await ask(playground, 0)
            first = await playground.wait_for(lambda: answers(playground), 120)
            assert first
            idle = await rated(playground, timed, 20, 2.0, begin=1)
            await playground.wait_for(lambda: len(answers(playground)) >= 8, 300)
            busy = await rated(playground, timed, events, per_second, begin=100)
            print(f"{'acknowledgement, ms':<28} {'p50':>8} {'p99':>8} {'longest':>8} {'events':>8}")
            print(line("two questions a second", idle))
            print(line("eight being generated", busy))
            print(f"not acknowledged: {timed.lost}; answered meanwhile: {len(answers(playground))}")
    await database.close()


def answers(playground: Playground) -> list[str]:
    """The whole answers so far."""
    return [m.ts for m in playground.messages(ASK_HR) if "answer_id" in str(m.metadata)]


async def rated(
    playground: Playground, timed: Timed, events: int, per_second: float, *, begin: int
) -> list[float]:
    """Ask at a steady rate; the milliseconds of the deliveries meanwhile."""
    timed.milliseconds.clear()
    for number in range(begin, begin + events):
        await ask(playground, number)
        await asyncio.sleep(1 / per_second)
    await asyncio.sleep(1)
    return list(timed.milliseconds)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=20.0)
    given = parser.parse_args()
    kept = os.environ.get("LOREWISE_MODELS_DIR")
    models = Path(kept) if kept else Path(tempfile.gettempdir()) / "lorewise-models"
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as folder:
        Path(folder).chmod(0o755)  # the embedded server's user must get through
        asyncio.run(measure(Path(folder) / "home", models, given.events, given.per_second))


if __name__ == "__main__":
    main()
