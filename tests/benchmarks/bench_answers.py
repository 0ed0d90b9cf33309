"""Answers to questions with known answers, asked through Slack's protocol in the playground.

    python -m tests.benchmarks.bench_answers [FOLDER QUESTIONS.jsonl]

Without arguments: the sample knowledge and its questions. A question is a JSON object with `id`,
`question`, `answerable`, `documents` (keys that a right answer may cite) and `must_contain` (of
each list one alternative must occur in the answer). Prints each question's verdict and the seconds
until the first text was visible and until the answer was complete.
"""

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.app import House, run
from bot.logs import quieten
from bot.playground.limits import Limits
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, NORA, default_workspace
from bot.playground.server import Playground
from bot.sample import KNOWLEDGE
from bot.settings import BotSettings
from bot.sync import add_folder, index_sources
from knowledge.settings import KnowledgeSettings, default_home

LONGEST_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one question went."""

    verdict: str
    first_text_seconds: float
    total_seconds: float
    text: str


async def ask(playground: Playground, question: dict[str, Any]) -> Outcome:
    """Ask as Nora in #ask-hr, watch the thread, judge what stands there in the end."""
    began = time.perf_counter()
    asked = await playground.say(NORA, ASK_HR, f"@Lorewise {question['question']}")
    first: float | None = None
    while time.perf_counter() - began < LONGEST_SECONDS:
        replies = [m for m in playground.messages(ASK_HR, asked.ts) if m.ts != asked.ts]
        if replies and first is None:
            first = time.perf_counter() - began
        if replies and is_final(replies[-1]):
            total = time.perf_counter() - began
            return Outcome(judge(question, replies), first or total, total, shown(replies))
        await asyncio.sleep(0.01)
    return Outcome("silent", LONGEST_SECONDS, LONGEST_SECONDS, "")


def is_final(message: Message) -> bool:
    """Whether the last message of an answer is finished: it says which answer it is."""
    payload = (message.metadata or {}).get("event_payload") or {}
    return not message.streaming and bool(payload.get("answer_id"))


def shown(replies: list[Message]) -> str:
    """The answer's text as its reader sees it, without escapes."""
    texts = [
        block["text"]
        for message in replies
        for block in message.blocks or []
        if block["type"] == "markdown"
    ]
    return re.sub(r"[\\\u200b-\u200d\u2060]", "", "\n".join(texts))


def judge(question: dict[str, Any], replies: list[Message]) -> str:
    """right, wrong or abstained; a refusal is right where there is no answer."""
    text = shown(replies).casefold()
    if not re.search(r"\[\d\]", text):
        return "abstained" if question["answerable"] else "right (refused)"
    if not question["answerable"]:
        return "wrong (answered)"
    has = all(
        any(option.casefold() in text for option in options) for options in question["must_contain"]
    )
    blocks = json.dumps([message.blocks for message in replies], ensure_ascii=False)
    cites = any(document in blocks for document in question["documents"])
    return "right" if has and cites else "wrong"


async def bench(folder: Path, questions: list[dict[str, Any]]) -> None:
    """Index, run the bot against the playground, ask one question after the other."""
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as home:
        Path(home).chmod(0o755)  # the embedded server's own user must pass
        settings = KnowledgeSettings.load(home=Path(home) / "home", models_dir=models_dir())
        workspace = default_workspace("Bench", limits=Limits(rate_limiting=False))
        async with Playground(workspace, documents=folder) as playground:
            slack = BotSettings.load(
                slack_bot_token=SecretStr(playground.bot_token),
                slack_app_token=SecretStr(playground.app_token),
                slack_api_url=playground.api_url,
            )
            stop, ready = asyncio.Event(), asyncio.Event()

            async def prepare(house: House) -> None:
                url = f"{playground.url}/documents/"
                await add_folder(house.database, str(folder), name="bench", base_url=url)
                [indexed] = await index_sources(settings, house.database, embedders=house.embedders)
                report = indexed.report
                print(f"{report.added} documents, {report.chunks} chunks, {report.seconds:.0f} s\n")

            running = asyncio.create_task(
                run(settings, slack, prepare=prepare, ready=ready.set, stop=stop)
            )
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            outcomes = []
            for question in questions:
                outcome = await ask(playground, question)
                outcomes.append(outcome)
                print(
                    f"{outcome.verdict:16} first text {outcome.first_text_seconds:5.1f} s, whole "
                    f"{outcome.total_seconds:5.1f} s  {question['question']}\n"
                    f"                 {' '.join(outcome.text.split())[:300]}",
                    flush=True,
                )
            stop.set()
            await running
    summary(questions, outcomes)


def summary(questions: list[dict[str, Any]], outcomes: list[Outcome]) -> None:
    """Print the counts and the times."""
    rows = list(zip(questions, outcomes, strict=True))
    answerable = [outcome for question, outcome in rows if question["answerable"]]
    others = [outcome for question, outcome in rows if not question["answerable"]]
    print(
        f"\nanswered rightly {sum(o.verdict == 'right' for o in answerable)} of {len(answerable)}, "
        f"wrongly {sum(o.verdict == 'wrong' for o in answerable)}, "
        f"abstained {sum(o.verdict == 'abstained' for o in answerable)}; "
        f"refused {sum(o.verdict == 'right (refused)' for o in others)} of {len(others)} others"
    )
    for name in ("first_text_seconds", "total_seconds"):
        values = sorted(getattr(outcome, name) for outcome in outcomes)
        p95 = values[min(len(values) - 1, round(0.95 * len(values)))]
        print(f"{name}: p50 {statistics.median(values):.2f}, p95 {p95:.2f}")


def models_dir() -> Path:
    """Converted models are kept between runs."""
    given = os.environ.get("LOREWISE_MODELS_DIR")
    return Path(given) if given else default_home() / "models"


def main() -> None:
    """Read the arguments."""
    quieten()
    folder, path = KNOWLEDGE, KNOWLEDGE.parent / "questions.jsonl"
    if len(sys.argv) == 3:
        folder, path = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    questions = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    asyncio.run(bench(folder, questions))


if __name__ == "__main__":
    main()
