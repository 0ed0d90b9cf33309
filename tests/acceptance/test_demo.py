"""`lorewise demo` as a newcomer meets it: real processes, the real bot, the local Slack."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, sync_playwright

from bot.demo import free_port
from bot.playground.seed import ASK_HR, NORA
from bot.sample import questions
from tests.acceptance.demo_process import DemoProcess, models_dir
from tests.acceptance.screenshot import CHROMIUM, FLAGS, ask

pytestmark = [pytest.mark.models, pytest.mark.timeout(600)]


def text_of(messages: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(message, ensure_ascii=False) for message in messages)


def markdown_of(messages: list[dict[str, Any]]) -> str:
    """What the reader sees as the answer, without escapes."""
    texts = [
        block["text"]
        for message in messages
        for block in message.get("blocks", [])
        if block["type"] == "markdown"
    ]
    return re.sub(r"[\\\u200b-\u200d\u2060]", "", "\n".join(texts))


def test_the_sample_questions_are_answered_rightly_and_the_others_refused(
    demo: DemoProcess,
) -> None:
    right, refused, wrong = 0, 0, []
    for sample in questions():
        messages = demo.ask(NORA, ASK_HR, f"<@U0LOREWISE> {sample.question}")
        shown = markdown_of(messages)
        abstained = "feedback_buttons" in text_of(messages) and not re.search(r"\[\d\]", shown)
        if not sample.answerable:
            refused += abstained
            continue
        has = all(
            any(option.casefold() in shown.casefold() for option in options)
            for options in sample.must_contain
        )
        cites = any(document in text_of(messages) for document in sample.documents)
        right += has and cites and not abstained
        if not (has and cites):
            wrong.append((sample.id, shown))
    assert right >= 18, wrong
    assert refused >= 4


@pytest.mark.browser
def test_a_question_asked_in_the_page_is_answered_and_its_vote_is_in_the_database(
    demo: DemoProcess,
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page: Page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{demo.url}?user=nora&channel=engineering")
        page.locator("body[data-ready]").wait_for()
        ask(page, "@Lorewise How long are print jobs kept?")
        assert page.get_by_text("Print jobs are kept for 24 hours").first.is_visible()
        page.get_by_role("button", name="Not helpful", exact=True).last.click()
        page.wait_for_timeout(1500)
        browser.close()
    votes = lorewise(demo.home / "demo", "feedback", "--json")
    assert [
        (vote["voter"], vote["vote"]) for vote in votes if "print jobs" in vote["question"]
    ] == [(votes[0]["voter"], -1)]
    assert votes[0]["voter"].endswith(NORA)
    assert any("24 hours" in passage["text"] for passage in votes[0]["passages"])


def lorewise(home: Path, *arguments: str) -> Any:
    """Run the command line on a home; its JSON."""
    done = subprocess.run(
        [sys.executable, "-c", "from bot.cli import main; main()", *arguments],
        env=os.environ | {"LOREWISE_HOME": str(home), "LOREWISE_MODELS_DIR": models_dir()},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def test_a_second_demo_of_the_same_home_says_where_the_first_one_is(demo: DemoProcess) -> None:
    second = DemoProcess(demo.home)
    second.start(wait=False)
    assert second.process.wait(60) == 1
    assert demo.url in second.said


def test_a_killed_first_start_does_not_spoil_the_second_and_ctrl_c_leaves_nothing(
    home: Path,
) -> None:
    first = DemoProcess(home)
    first.start(wait=False)
    children = wait_for_postgres(first, home)
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait(30)
    with DemoProcess(home) as second:
        assert "Open http" in second.said
        assert second.stop() == 0
    left = [process for process in psutil.process_iter() if uses(process, home)]
    assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []
    assert children


def wait_for_postgres(demo: DemoProcess, home: Path) -> list[psutil.Process]:
    """Wait until the demo has begun with its database; what runs then."""
    for _ in range(600):
        found = [process for process in psutil.process_iter() if uses(process, home)]
        if found or demo.process.poll() is not None:
            return found
        demo.process.poll()
        time.sleep(0.05)
    return []


def uses(process: psutil.Process, home: Path) -> bool:
    try:
        return any(str(home) in argument for argument in process.cmdline())
    except psutil.Error:
        return False


def test_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
