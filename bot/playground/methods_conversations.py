"""conversations.*: what the bot may know of channels, their members and their messages."""

import base64
from typing import Any

from bot.playground.call import Call, Method
from bot.playground.errors import SlackError
from bot.playground.message import Message
from bot.playground.team import Channel

Json = dict[str, Any]
READ = ("channels:read", "groups:read", "im:read")


def shape(call: Call, channel: Channel) -> Json:
    """A conversation in Slack's shape."""
    common: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.is_archived,
        "is_im": channel.is_im,
        "is_org_shared": False,
        "context_team_id": call.workspace.team_id,
        "updated": channel.created * 1000,
    }
    bot = call.workspace.bot.id
    if channel.is_im:
        other = next((member for member in channel.members if member != bot), bot)
        return common | {"user": other, "is_user_deleted": False, "priority": 0}
    text = {"value": channel.topic, "creator": "", "last_set": 0}
    return common | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": True,
        "is_group": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_general": channel.name == "general",
        "is_shared": False,
        "is_ext_shared": False,
        "is_pending_ext_shared": False,
        "is_member": bot in channel.members,
        "creator": "",
        "topic": text,
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
        "num_members": len(channel.members),
    }


def _info(call: Call) -> Json:
    channel = call.visible_channel()
    call.require(f"{channel.scope_prefix}:read")
    return {"channel": shape(call, channel)}


def _list(call: Call) -> Json:
    kinds = (call.optional_text("types") or "public_channel").split(",")
    names = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
    if unknown := [kind for kind in kinds if kind.strip() not in names]:
        raise SlackError("invalid_types", types=unknown)
    wanted = {names[kind.strip()] for kind in kinds}
    bot = call.workspace.bot.id
    known = [
        channel
        for channel in call.workspace.channels.values()
        if channel.kind in wanted
        and (not channel.is_private or bot in channel.members)
        and not (channel.is_archived and call.flag("exclude_archived"))
    ]
    page, metadata = call.page_of(known)
    return {"channels": [shape(call, channel) for channel in page], "response_metadata": metadata}


def _members(call: Call) -> Json:
    channel = call.visible_channel()
    call.require(f"{channel.scope_prefix}:read")
    page, metadata = call.page_of(list(channel.members))
    return {"members": page, "response_metadata": metadata}


def _history(call: Call) -> Json:
    channel = call.joined_channel()
    call.require(f"{channel.scope_prefix}:history")
    everything = call.workspace.messages[channel.id].values()
    newest_first = [m for m in reversed(everything) if not m.is_reply or m.broadcast]
    return _page_of_messages(call, newest_first)


def _replies(call: Call) -> Json:
    channel = call.joined_channel()
    call.require(f"{channel.scope_prefix}:history")
    ts = call.text("ts")
    known = call.workspace.messages[channel.id].get(ts)
    if known is None:
        raise SlackError("thread_not_found")
    return _page_of_messages(call, call.workspace.thread(channel.id, known.root))


def _page_of_messages(call: Call, messages: list[Message]) -> Json:
    oldest = call.optional_text("oldest") or "0"
    latest = call.optional_text("latest") or "99999999999"
    inclusive = call.flag("inclusive")
    kept = [m for m in messages if _within(m.ts, oldest, latest, inclusive=inclusive)]
    page, metadata = _page_by_time(call, kept)
    with_metadata = call.flag("include_all_metadata")
    shapes = [call.workspace.slack_message(m, with_metadata=with_metadata) for m in page]
    more = bool(metadata["next_cursor"])
    return {
        "messages": shapes,
        "has_more": more,
        **({"response_metadata": metadata} if more else {}),
    }


def _page_by_time(call: Call, messages: list[Message]) -> tuple[list[Message], Json]:
    """A page and where the next one begins: a message's time, so that what is written or deleted
    meanwhile moves nothing."""
    size = call.number("limit", call.workspace.limits.page_size)
    if not 1 <= size <= call.workspace.limits.page_size_most:
        raise SlackError("invalid_limit")
    start = _position(call.optional_text("cursor"), messages)
    page, rest = messages[start : start + size], messages[start + size :]
    following = base64.b64encode(f"next_ts:{rest[0].ts}".encode()).decode() if rest else ""
    return page, {"next_cursor": following}


def _position(cursor: str | None, messages: list[Message]) -> int:
    if not cursor:
        return 0
    try:
        kind, _, ts = base64.b64decode(cursor, validate=True).decode().partition(":")
        moment = float(ts)
    except (ValueError, UnicodeDecodeError):
        raise SlackError("invalid_cursor") from None
    if kind != "next_ts":
        raise SlackError("invalid_cursor")
    newest_first = len(messages) > 1 and float(messages[0].ts) > float(messages[-1].ts)
    for position, message in enumerate(messages):
        at = float(message.ts)
        if at <= moment if newest_first else at >= moment:
            return position
    return len(messages)


def _within(ts: str, oldest: str, latest: str, *, inclusive: bool) -> bool:
    try:
        moment, low, high = float(ts), float(oldest), float(latest)
    except ValueError:
        raise SlackError("invalid_ts_oldest") from None
    return low <= moment <= high if inclusive else low < moment < high


def _open(call: Call) -> Json:
    if call.optional_text("channel"):
        channel = call.visible_channel()
    else:
        users = [user for user in call.text("users").split(",") if user]
        if len(users) != 1:
            raise SlackError("not_enough_users" if not users else "method_not_supported")
        channel = call.workspace.open_dm(call.workspace.bot.id, users[0])
    full = shape(call, channel) if call.flag("return_im") else {"id": channel.id}
    return {"channel": full, "no_op": False, "already_open": False}


def _join(call: Call) -> Json:
    channel = call.visible_channel()
    if channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    call.workspace.join(call.workspace.bot.id, channel.id)
    return {"channel": shape(call, channel)}


METHODS = {
    "conversations.info": Method(_info, READ),
    "conversations.list": Method(_list, READ),
    "conversations.members": Method(_members, READ),
    "conversations.history": Method(_history, ("channels:history", "groups:history", "im:history")),
    "conversations.replies": Method(_replies, ("channels:history", "groups:history", "im:history")),
    "conversations.open": Method(_open, ("im:write",)),
    "conversations.join": Method(_join, ("channels:join",)),
}
