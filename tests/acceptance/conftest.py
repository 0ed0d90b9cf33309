"""One real demo for all acceptance tests that only ask it things."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.demo_process import DemoProcess


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoProcess]:
    """A running `lorewise demo` with a home of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="lorewise-demo-") as folder,
        DemoProcess(readable(Path(folder)) / "home") as process,
    ):
        yield process


@pytest.fixture
def home() -> Iterator[Path]:
    """A fresh home."""
    with tempfile.TemporaryDirectory(prefix="lorewise-demo-") as folder:
        yield readable(Path(folder)) / "home"


def readable(folder: Path) -> Path:
    """Let the embedded server's own user in, as root needs it (pytest's folders are private)."""
    folder.chmod(0o755)
    return folder
