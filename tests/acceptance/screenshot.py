"""Makes the README's pictures: `python -m tests.acceptance.screenshot FOLDER` (make screenshot).

A real demo process, a real Chromium: Nora asks in #ask-hr, the answer streams in, she rates it.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.acceptance.demo_process import DemoProcess

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
QUESTION = "@Lorewise What do I do when HaldenLink fails with HL-309?"
FOLLOW_UP = "@Lorewise How many days off do I get when my grandfather dies?"


def ask(page: Page, question: str) -> None:
    """Write a question as a person would, and wait until its answer can be rated.

    The page opens the thread of a question just asked beside the channel.
    """
    mention, _, words = question.partition(" ")
    composer = page.get_by_role("textbox").first
    composer.click()
    composer.press_sequentially(mention)
    page.keyboard.press("Enter")  # takes the completion of the mention
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    thread = page.locator("#thread").filter(has_text=words)
    thread.get_by_role("button", name="Helpful", exact=True).wait_for(timeout=120_000)


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lorewise-screenshot-") as home:
        Path(home).chmod(0o755)
        with DemoProcess(Path(home) / "home") as demo, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(
                viewport={"width": 1320, "height": 860}, device_scale_factor=1.5
            )
            page.goto(f"{demo.url}?user=nora&channel=ask-hr")
            page.locator("body[data-ready]").wait_for()
            ask(page, FOLLOW_UP)
            ask(page, QUESTION)
            page.get_by_role("button", name="Helpful", exact=True).last.click()
            page.wait_for_timeout(1500)
            page.screenshot(path=folder / "playground.png")
            browser.close()


if __name__ == "__main__":
    main()
