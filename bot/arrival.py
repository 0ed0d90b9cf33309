"""What Slack delivered, read once: is it for us, what is it, and under which key is it unique.

Everything that isn't for us is dropped here, before it is stored: other people's conversations
are none of our business.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.feedback import plain_name

Json = Mapping[str, Any]
Kind = Literal[
    "question", "follow_up", "reaction", "home", "action", "view", "command", "stop",
    "edited", "deleted", "left", "member", "history",
]  # fmt: skip

# A message of these subtypes is one that a person wrote; all others are Slack's or a bot's.
WRITTEN = frozenset({None, "file_share", "thread_broadcast"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in the workspace, as auth.test says."""

    team: str
    user: str
    bot: str | None
    url: str = ""

    @property
    def mention(self) -> str:
        """How a message names us."""
        return f"<@{self.user}>"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payload that is for us. `key` is the same in every delivery of the same thing."""

    key: str
    kind: Kind
    payload: dict[str, Any]


def message_key(team: str, channel: str, ts: str) -> str:
    """The key of a message, however many events tell of it."""
    return f"message:{team}:{channel}:{ts}"


def read(body: Json, us: Identity, reactions: frozenset[str]) -> Arrival | None:
    """Read a payload of any of Slack's doors; None when it isn't for us."""
    if body.get("type") == "event_callback":
        event = body.get("event")
        return _read_event(body, event, us, reactions) if isinstance(event, dict) else None
    if body.get("command"):
        return _read_command(body, us)
    reader = _INTERACTIONS.get(str(body.get("type")))
    return reader(body, us) if reader else None


def _read_event(body: Json, event: Json, us: Identity, reactions: frozenset[str]) -> Arrival | None:
    kind = event.get("type")
    key = f"event:{us.team}:{body.get('event_id')}"
    if kind in {"message", "app_mention"}:
        return _read_message(event, us)
    if kind in {"reaction_added", "reaction_removed"}:
        return _read_reaction(event, us, reactions, key)
    return _read_news(event, str(kind), key)


def _read_news(event: Json, kind: str, key: str) -> Arrival | None:
    if kind == "app_home_opened":
        return Arrival(key, "home", _only(event, "user", "tab", "channel", "event_ts"))
    if kind == "agent_session_stopped":
        return Arrival(key, "stop", _only(event, "user", "channel", "thread_ts"))
    if kind in {"member_joined_channel", "member_left_channel"}:
        return Arrival(key, "member", _only(event, "user", "channel"))
    if kind in {"app_uninstalled", "tokens_revoked"}:
        return Arrival(key, "left", {"type": kind})
    return None


def _read_message(event: Json, us: Identity) -> Arrival | None:
    subtype = event.get("subtype")
    if subtype == "message_changed":
        return _read_edit(event, us)
    if subtype == "message_deleted":
        return _read_deletion(event, us)
    if subtype not in WRITTEN or not _by_a_person(event, us):
        return None
    return _question(event, us, channel=str(event.get("channel")))


def _by_a_person(message: Json, us: Identity) -> bool:
    user = message.get("user")
    return bool(user) and user not in {us.user, "USLACKBOT"} and not message.get("bot_id")


def _question(message: Json, us: Identity, *, channel: str) -> Arrival | None:
    direct = message.get("channel_type") == "im" or channel.startswith("D")
    mentioned = message.get("type") == "app_mention" or us.mention in (message.get("text") or "")
    thread_ts = message.get("thread_ts")
    reply = bool(thread_ts) and thread_ts != message.get("ts")
    if not (direct or mentioned or (reply and looks_like_question(message.get("text") or ""))):
        return None
    payload = _only(message, "user", "text", "ts", "thread_ts") | {
        "channel": channel,
        "team": message.get("user_team") or message.get("team") or us.team,
        "via": "direct" if direct else "mention" if mentioned else "follow_up",
        "files": [str(file.get("name") or "file") for file in message.get("files") or []],
    }
    key = message_key(us.team, channel, str(message.get("ts")))
    return Arrival(key, "question" if direct or mentioned else "follow_up", payload)


def looks_like_question(text: str) -> bool:
    """Whether a reply without a mention asks something, and not of somebody else.

    A question mark of any script, or a first word that asks. "Thanks!" isn't answered.
    """
    if _TO_SOMEBODY.match(text):
        return False
    first = text.strip().partition(" ")[0].lower().strip(",.:;!…")
    return bool(_QUESTION_MARK.search(text)) or first in _ASKING


def _read_edit(event: Json, us: Identity) -> Arrival | None:
    message, before = event.get("message"), event.get("previous_message") or {}
    if not isinstance(message, dict) or not _by_a_person(message, us):
        return None
    if message.get("text") == before.get("text"):  # an unfurl, a reply counted, a pin
        return None
    kept = {"channel_type": event.get("channel_type"), **message, "type": "message"}
    question = _question(kept, us, channel=str(event.get("channel")))
    return Arrival(question.key, "edited", question.payload) if question else None


def _read_deletion(event: Json, us: Identity) -> Arrival | None:
    before = event.get("previous_message") or {}
    if not _by_a_person(before, us):
        return None
    channel, ts = str(event.get("channel")), str(event.get("deleted_ts"))
    payload = {"channel": channel, "ts": ts, "thread_ts": before.get("thread_ts") or ts}
    return Arrival(message_key(us.team, channel, ts), "deleted", payload)


def _read_reaction(
    event: Json, us: Identity, reactions: frozenset[str], key: str
) -> Arrival | None:
    item = event.get("item") or {}
    name = plain_name(str(event.get("reaction")))
    ours = event.get("item_user") in {us.user, None} and event.get("user") != us.user
    if item.get("type") != "message" or name not in reactions or not ours:
        return None
    kept = _only(event, "type", "user", "item_user", "event_ts", "reaction") | {"item": item}
    return Arrival(key, "reaction", kept)


def _read_command(body: Json, us: Identity) -> Arrival:
    kept = _only(
        body, "command", "text", "user_id", "channel_id", "channel_name", "response_url", "team_id"
    )
    return Arrival(f"command:{us.team}:{body.get('trigger_id')}", "command", kept)


def _read_shortcut(body: Json, us: Identity) -> Arrival | None:
    message, channel = body.get("message") or {}, (body.get("channel") or {}).get("id")
    user = body.get("user") or {}
    if body.get("callback_id") != ASK_SHORTCUT or not channel or not user.get("id"):
        return None
    payload = {
        "user": user["id"],
        "team": user.get("team_id") or us.team,
        "text": message.get("text") or "",
        "ts": message.get("ts"),
        "thread_ts": message.get("thread_ts"),
        "channel": channel,
        "via": "shortcut",
        "response_url": body.get("response_url"),
        "files": [str(file.get("name") or "file") for file in message.get("files") or []],
    }
    return Arrival(f"shortcut:{us.team}:{body.get('trigger_id')}", "question", payload)


def _read_action(body: Json, us: Identity) -> Arrival | None:
    actions = body.get("actions") or []
    if not actions:
        return None
    user = (body.get("user") or {}).get("id")
    stamp = ":".join(f"{a.get('action_id')}@{a.get('action_ts')}" for a in actions)
    return Arrival(f"action:{us.team}:{user}:{stamp}", "action", _without_token(body))


def _read_view(body: Json, us: Identity) -> Arrival | None:
    view, user = body.get("view") or {}, (body.get("user") or {}).get("id")
    key = f"view:{us.team}:{user}:{view.get('id')}:{view.get('hash')}:{body.get('type')}"
    return Arrival(key, "view", _without_token(body))


def _only(source: Json, *names: str) -> dict[str, Any]:
    return {name: source[name] for name in names if source.get(name) is not None}


def _without_token(body: Json) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "token"}


_TO_SOMEBODY = re.compile(r"\s*<[@!][^>]*>")
_QUESTION_MARK = re.compile(r"[?？؟⁇՞](?=\s|$|[)\"'»”])")
_ASKING = frozenset(
    (
        *("what", "which", "who", "whom", "whose", "when", "where", "why", "how", "can", "could"),
        *("does", "do", "is", "are", "may", "must", "should", "will", "would"),
        *("ما", "ماذا", "متى", "أين", "لماذا", "كيف", "كم", "هل", "أي", "لمن", "بكم"),
    )
)
ASK_SHORTCUT = "ask_lorewise"
_INTERACTIONS: dict[str, Callable[[Json, Identity], Arrival | None]] = {
    "message_action": _read_shortcut,
    "block_actions": _read_action,
    "view_submission": _read_view,
}
