"""What happened to a message of a channel, for the documents that it is part of. Ids, no text."""

from collections.abc import Mapping
from typing import Any

from bot.arrival import WRITTEN, Arrival, Identity

Json = Mapping[str, Any]
SAID = WRITTEN | {"me_message", "bot_message"}


def read_happened(body: Json, us: Identity) -> Arrival | None:
    """A message of a channel that was written, edited or deleted; None for all else.

    Whether the channel is indexed is asked where it is stored.
    """
    event = body.get("event")
    if body.get("type") != "event_callback" or not isinstance(event, dict):
        return None
    if event.get("type") != "message" or event.get("channel_type") not in {"channel", "group"}:
        return None
    found = _change(event)
    if found is None:
        return None
    change, message, ts = found
    if message.get("user") == us.user or (us.bot and message.get("bot_id") == us.bot):
        return None  # our answers are no source, so nothing happens to one
    thread_ts = message.get("thread_ts")
    payload = {
        "channel": str(event.get("channel")),
        "ts": ts,
        "root": str(thread_ts or ts),
        "thread": bool(thread_ts),
        "change": change,
        "by_app": bool(message.get("bot_id")) or message.get("subtype") == "bot_message",
    }
    return Arrival(f"history:{us.team}:{body.get('event_id')}", "history", payload)


def _change(event: Json) -> tuple[str, Json, str] | None:
    """What happened, to which message, and its ts."""
    subtype = event.get("subtype")
    if subtype == "message_deleted":
        return "deleted", event.get("previous_message") or {}, str(event.get("deleted_ts"))
    if subtype == "message_changed":
        message, before = event.get("message") or {}, event.get("previous_message") or {}
        if all(message.get(part) == before.get(part) for part in ("text", "subtype", "files")):
            return None  # an unfurl, a reply counted, a pin
        change = "deleted" if message.get("subtype") == "tombstone" else "changed"
        return change, message, str(message.get("ts"))
    return ("said", event, str(event.get("ts"))) if subtype in SAID else None
