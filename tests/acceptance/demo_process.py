"""A real `lorewise demo` process, driven through its page's own interface."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

START_SECONDS = 400  # the first start of a machine converts two models
COMMAND = [sys.executable, "-c", "from bot.cli import main; main()", "demo", "--no-open"]


def models_dir() -> str:
    """Converted models are shared between the tests: converting takes half a minute."""
    import tempfile

    return os.environ.get("LOREWISE_MODELS_DIR") or str(
        Path(tempfile.gettempdir()) / "lorewise-models"
    )


class DemoProcess:
    """Starts the demo with a home of its own and stops it as Ctrl-C would."""

    def __init__(self, home: Path, *, port: int = 0) -> None:
        """`port` 0 takes any free one."""
        self.home = home
        self.log = home.parent / f"demo-{time.monotonic_ns()}.log"
        self._port = port
        self.url = ""

    def __enter__(self) -> "DemoProcess":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, *, wait: bool = True) -> None:
        """Start; with `wait`, until the page can be opened."""
        environment = os.environ | {
            "LOREWISE_HOME": str(self.home),
            "LOREWISE_MODELS_DIR": models_dir(),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "200",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "--port", str(self._port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        if wait:
            self._wait_until_open()

    def _wait_until_open(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(r"Open (http://\S+)", self.said)
            if found:
                self.url = found[1].rstrip("/")
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"the demo did not start:\n{self.said}")

    @property
    def said(self) -> str:
        """Everything that the process has printed."""
        return self.log.read_text() if self.log.exists() else ""

    def stop(self, how: signal.Signals = signal.SIGINT, timeout_seconds: float = 60) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the demo did not stop:\n{self.said}") from None

    def post(self, action: str, **body: Any) -> dict[str, Any]:
        """An action of the page."""
        answer = httpx.post(f"{self.url}/playground/{action}", json=body, timeout=30)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        assert result["ok"], result
        return result

    def messages(self, user: str, channel: str) -> list[dict[str, Any]]:
        """What the person sees in a channel."""
        answer = httpx.get(
            f"{self.url}/playground/messages", params={"user": user, "channel": channel}, timeout=30
        )
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found

    def ask(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None
    ) -> list[dict[str, Any]]:
        """Ask and wait for the finished answer: the bot's messages in the thread."""
        body = {"user": user, "channel": channel, "text": text}
        if thread_ts:
            body["thread_ts"] = thread_ts
        asked = self.post("post", **body)["ts"]
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            replies = [
                message
                for message in self.messages(user, channel)
                if message["bot"]
                and message.get("thread_ts") == (thread_ts or asked)
                and float(message["ts"]) > float(asked)
            ]
            if replies and is_final(replies[-1]):
                return replies
            time.sleep(0.1)
        raise AssertionError(f"no answer to {text!r} within two minutes:\n{self.said[-3000:]}")


def is_final(message: dict[str, Any]) -> bool:
    """Whether an answer's last message is finished: it says which answer it is."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return not message.get("streaming") and bool(payload.get("answer_id"))
