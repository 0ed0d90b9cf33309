"""Logging: sentences in a terminal, JSON lines elsewhere; never a message's text or a token."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from rich.logging import RichHandler

# slack_sdk, bolt and the database drivers write whole payloads at DEBUG, bolt some at INFO:
# their loggers never go below these levels, whatever the level of ours.
QUIET = {
    "slack_bolt": logging.ERROR,
    "slack_sdk": logging.WARNING,
    "bot.bolt": logging.ERROR,
    "procrastinate": logging.WARNING,
    "apscheduler": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "psycopg": logging.WARNING,
    "psycopg.pool": logging.ERROR,
    "aiohttp": logging.WARNING,
    "uvicorn": logging.INFO,
    "uvicorn.error": logging.INFO,
    "uvicorn.access": logging.WARNING,
    "websockets": logging.INFO,
    "asyncio": logging.INFO,
    "httpx": logging.WARNING,
    "openai": logging.WARNING,
    "bitsandbytes": logging.ERROR,  # it misses a GPU package at every import
}
_TOKEN = re.compile(r"\b(xox[abeprs]-|xapp-)[\w-]+|postgresql(\+\w+)?://[^@\s/]+:[^@\s/]+@")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """`text` without Slack tokens and database passwords."""
    return _TOKEN.sub("[redacted]", text)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message and the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str, ensure_ascii=False))


class Redacting(logging.Filter):
    """Takes tokens out of a record that a terminal shows."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the message; never drops a record."""
        record.msg, record.args = redact(record.getMessage()), None
        return True


def configure(*, level: str = "INFO", as_json: bool | None = None) -> None:
    """Set the root logger up; `as_json` None means: when standard error is no terminal."""
    if as_json is None:
        as_json = not sys.stderr.isatty()
    handler: logging.Handler
    if as_json:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
    else:
        handler = RichHandler(show_path=False, markup=False, rich_tracebacks=False)
        handler.addFilter(Redacting())
    logging.basicConfig(level=level, handlers=[handler], format="%(message)s", force=True)
    quieten()


def quieten() -> None:
    """Raise the levels of the libraries that would write payloads."""
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
