"""A question as it came out of the inbox: plain text, and where its answer belongs."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.arrival import Identity

Via = Literal["mention", "direct", "follow_up", "ask", "shortcut"]
QUESTION_CHARACTERS = 4_000  # no question is longer; what is pasted below one is cut
_TOKEN = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_SPACE = re.compile(r"[^\S\n]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked what, where. `thread_ts` is the thread in which the answer belongs."""

    event_id: int
    via: Via
    team: str
    user: str
    channel: str
    text: str
    ts: str | None = None
    thread_ts: str | None = None
    in_thread: bool = False
    response_url: str | None = None
    files: tuple[str, ...] = ()

    @property
    def is_private(self) -> bool:
        """Whether the asker alone reads the answer."""
        return self.via in {"direct", "ask"} or self.ephemeral

    @property
    def ephemeral(self) -> bool:
        """Whether the answer is in no history: `/ask`, or the shortcut where we are no member."""
        return self.via == "ask" or (self.via == "shortcut" and self.thread_ts is None)

    def alone(self) -> "Asked":
        """The same, answered to the asker alone."""
        return replace(self, ts=None, thread_ts=None, in_thread=False)

    @property
    def asker(self) -> str:
        """The asker as a principal."""
        return f"user:{self.team}:{self.user}"


def read_asked(event_id: int, kind: str, payload: Mapping[str, Any], us: Identity) -> Asked:
    """The question of a stored payload (a message, the shortcut or `/ask`)."""
    if kind == "command":
        return Asked(
            event_id,
            "ask",
            str(payload.get("team_id") or us.team),
            str(payload["user_id"]),
            str(payload["channel_id"]),
            plain(str(payload.get("text") or ""), us),
            response_url=payload.get("response_url"),
        )
    ts, thread_ts = payload.get("ts"), payload.get("thread_ts")
    return Asked(
        event_id,
        payload["via"],
        str(payload.get("team") or us.team),
        str(payload["user"]),
        str(payload["channel"]),
        plain(str(payload.get("text") or ""), us),
        ts=ts,
        thread_ts=thread_ts or ts,
        in_thread=bool(thread_ts) and thread_ts != ts,
        response_url=payload.get("response_url"),
        files=tuple(payload.get("files") or ()),
    )


def plain(text: str, us: Identity) -> str:
    """What a person wrote, without Slack's markup and without our name."""

    def shown(match: re.Match[str]) -> str:
        sign, body, label = match.groups()
        if sign == "@":
            return "" if body == us.user else f"@{label}" if label else ""
        if sign == "!":
            return label or ""
        if sign == "#":
            return f"#{label}" if label else ""
        return label or body

    text = html.unescape(_TOKEN.sub(shown, text)).replace("\0", "")
    lines = (_SPACE.sub(" ", line).strip() for line in text.splitlines())
    return "\n".join(lines).strip()[:QUESTION_CHARACTERS].strip()
