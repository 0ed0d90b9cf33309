"""Messages as HTML: who wrote when what. What a person typed never becomes a heading or a tag.

Slack's own marks are read: mentions and channels get their names, links their words, and code
stays code. Times are in UTC, so that a thread reads the same wherever it is indexed.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.history.names import Names

Json = Mapping[str, Any]

TITLE_CHARACTERS = 80
_TOKEN = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_FENCE = re.compile(r"```(.*?)```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_MARK = re.compile(r"(?<![\w*_~])([*_~])(?=\S)([^\n]*?\S)\1(?![\w*_~])")
_USER = re.compile(r"<@([UW][A-Z0-9]+)")


def moment(ts: str) -> datetime:
    """When a message was written: its id is the time in seconds."""
    return datetime.fromtimestamp(float(ts), UTC)


def users_of(messages: Iterable[Json]) -> set[str]:
    """Who wrote these messages and whom they mention."""
    found: set[str] = set()
    for message in messages:
        found.update(_USER.findall(str(message.get("text") or "")))
        if message.get("user") and not message.get("bot_id"):
            found.add(str(message["user"]))
    return found


def page(title: str, messages: Sequence[Json], names: Names, us: str) -> bytes:
    """A document of messages, as HTML; `us` is the bot's own user id, whose mention is dropped."""
    parts = "\n".join(_message(message, names, us) for message in messages)
    return f"<html><body><h1>{html.escape(title)}</h1>\n{parts}\n</body></html>".encode()


def first_line(text: str, names: Names, us: str) -> str:
    """The first line of what somebody wrote, short enough for a title."""
    lines = (" ".join(line.split()) for line in plain(text, names, us).splitlines())
    line = next((line for line in lines if line.strip("`")), "").strip("`")
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"


def plain(text: str, names: Names, us: str) -> str:
    """Slack's markup as words."""

    def words(match: re.Match[str]) -> str:
        sign, body, label = match.groups()
        if sign == "@":
            return "" if body == us else f"@{label or names.person(body)}"
        if sign == "#":
            return f"#{label}" if label else names.channel(body)
        if sign == "!":
            return label or f"@{body.partition('^')[0]}"
        return label if label and label in body else f"{label} ({body})" if label else body

    return html.unescape(_TOKEN.sub(words, text))


def _message(message: Json, names: Names, us: str) -> str:
    text = plain(str(message.get("text") or ""), names, us)
    who = html.escape(author(message, names))
    head = f"<b>{who}</b> ({moment(str(message['ts'])):%Y-%m-%d %H:%M}): "
    prose, *rest = _FENCE.split(text)
    blocks = [f"<p>{head}{_prose(prose)}</p>"]
    for index, part in enumerate(rest):
        if index % 2 == 0:
            code = part.strip("\n")
            blocks.append(f"<pre><code>{html.escape(code)}</code></pre>")
        elif part.strip():
            blocks.append(f"<p>{_prose(part)}</p>")
    return "\n".join(blocks)


def author(message: Json, names: Names) -> str:
    """Who wrote a message: a person's name, or an app's."""
    if message.get("bot_id") or message.get("subtype") == "bot_message":
        profile = message.get("bot_profile") or {}
        return str(message.get("username") or profile.get("name") or "an app")
    return names.person(str(message.get("user") or ""))


def _prose(text: str) -> str:
    lines = [_line(line.strip()) for line in text.strip().splitlines()]
    return "<br>".join(lines)


def _line(line: str) -> str:
    parts = _CODE.split(line.removeprefix(">").strip() if line.startswith(">") else line)
    return "".join(
        f"<code>{html.escape(part)}</code>" if index % 2 else html.escape(_unmarked(part))
        for index, part in enumerate(parts)
    )


def _unmarked(text: str) -> str:
    """Without the marks of bold, italic and struck text."""
    while (bare := _MARK.sub(r"\2", text)) != text:
        text = bare
    return text
