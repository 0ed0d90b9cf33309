"""chat.*: posting, changing, streaming and deleting messages."""

from typing import Any

from bot.playground.blocks import check_message
from bot.playground.call import Call, Method
from bot.playground.errors import SlackError, invalid
from bot.playground.message import Message
from bot.playground.streams import text_of_chunks
from bot.playground.team import Channel

Json = dict[str, Any]


def _post_message(call: Call) -> Json:
    channel = _target(call)
    content = _content(call, call.workspace.limits.post_text)
    thread_ts = call.optional_text("thread_ts")
    call.workspace.check_thread(channel.id, thread_ts)
    call.workspace.rates.count_post(channel.id, call.workspace.limits)
    message = call.workspace.new_message(
        channel,
        call.workspace.bot.id,
        content["text"],
        blocks=content["blocks"],
        attachments=content["attachments"],
        metadata=_metadata(call),
        thread_ts=thread_ts,
        broadcast=call.flag("reply_broadcast"),
    )
    call.workspace.add_message(message)
    shape = call.workspace.slack_message(message)
    return {"channel": channel.id, "ts": message.ts, "message": shape}


def _target(call: Call) -> Channel:
    """The conversation to post to; a person's id stands for the DM with them."""
    name = call.text("channel")
    if name in call.workspace.users:
        return call.workspace.open_dm(call.workspace.bot.id, name)
    return call.joined_channel()


def _content(call: Call, most: int) -> Json:
    text = call.optional_text("text") or ""
    markdown = call.optional_text("markdown_text")
    blocks, attachments = call.items("blocks"), call.items("attachments")
    if len(text) > most:
        raise SlackError("msg_too_long")
    if markdown is not None:
        if text or blocks:
            raise SlackError("markdown_text_conflict")
        if len(markdown) > call.workspace.limits.markdown_block:
            raise SlackError("msg_too_long")
        text, blocks = markdown, [{"type": "markdown", "text": markdown}]
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    checked = check_message(blocks, call.workspace.limits) if blocks else None
    return {"text": text, "blocks": checked, "attachments": attachments}


def _metadata(call: Call) -> Json | None:
    metadata = call.structure("metadata")
    if metadata is None:
        return None
    if (
        not isinstance(metadata, dict)
        or not isinstance(metadata.get("event_payload"), dict)
        or not metadata.get("event_type")
    ):
        raise SlackError("invalid_metadata_format")
    return metadata


def _own_message(call: Call, refusal: str) -> Message:
    channel = call.joined_channel()
    ts = call.text("ts")
    if ts in call.workspace.ephemerals[channel.id]:
        raise SlackError("message_not_found")
    message = call.workspace.message(channel.id, ts)
    if message.user != call.workspace.bot.id:
        raise SlackError(refusal)
    return message


def _update(call: Call) -> Json:
    message = _own_message(call, "cant_update_message")
    if call.workspace.streams.is_open(message.channel, message.ts):
        raise SlackError("streaming_state_conflict")
    content = _content(call, call.workspace.limits.update_text)
    fields: Json = {"text": content["text"], "stream_markdown": None}
    sent = call.arguments
    if content["blocks"] is not None or "blocks" in sent or message.stream_markdown is not None:
        fields["blocks"] = content["blocks"]
    if content["attachments"] is not None:
        fields["attachments"] = content["attachments"]
    if "metadata" in sent:
        fields["metadata"] = _metadata(call)
    call.workspace.change_message(message, by=call.workspace.bot.id, **fields)
    return {
        "channel": message.channel,
        "ts": message.ts,
        "text": message.text,
        "message": call.workspace.slack_message(message),
    }


def _delete(call: Call) -> Json:
    message = _own_message(call, "cant_delete_message")
    call.workspace.delete_message(message)
    return {"channel": message.channel, "ts": message.ts}


def _post_ephemeral(call: Call) -> Json:
    channel = call.joined_channel()
    user = call.workspace.user(call.text("user"))
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    content = _content(call, call.workspace.limits.post_text)
    thread_ts = call.optional_text("thread_ts")
    call.workspace.check_thread(channel.id, thread_ts)
    message = call.workspace.new_message(
        channel,
        call.workspace.bot.id,
        content["text"],
        blocks=content["blocks"],
        attachments=content["attachments"],
        thread_ts=thread_ts,
        viewer=user.id,
    )
    call.workspace.add_ephemeral(message)
    return {"message_ts": message.ts}


def _permalink(call: Call) -> Json:
    channel = call.visible_channel()
    message = call.workspace.message(channel.id, call.text("message_ts"))
    link = f"{call.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _start_stream(call: Call) -> Json:
    channel = call.joined_channel()
    thread_ts = call.text("thread_ts")
    call.workspace.check_thread(channel.id, thread_ts)
    if not channel.is_im:
        _check_recipient(call, channel)
    message = call.workspace.streams.start(channel, thread_ts, _streamed(call))
    return {"channel": channel.id, "ts": message.ts}


def _check_recipient(call: Call, channel: Channel) -> None:
    if not call.optional_text("recipient_team_id"):
        raise SlackError("missing_recipient_team_id")
    if not (user := call.optional_text("recipient_user_id")):
        raise SlackError("missing_recipient_user_id")
    if call.text("recipient_team_id") != call.workspace.team_id:
        raise SlackError("team_not_found")
    if call.workspace.user(user).id not in channel.members:
        raise SlackError("user_not_in_channel")


def _streamed(call: Call) -> str:
    most = call.workspace.limits.stream_text
    return text_of_chunks(call.optional_text("markdown_text"), call.items("chunks"), most)


def _append_stream(call: Call) -> Json:
    channel = call.joined_channel()
    if not call.arguments.get("markdown_text") and not call.arguments.get("chunks"):
        raise invalid("missing required field: markdown_text")
    text = _streamed(call)
    message = call.workspace.streams.append(channel.id, call.text("ts"), text)
    return {"channel": channel.id, "ts": message.ts}


def _stop_stream(call: Call) -> Json:
    channel, workspace = call.joined_channel(), call.workspace
    blocks = check_message(call.items("blocks") or [], workspace.limits)
    text, metadata = _streamed(call), _metadata(call)
    message = workspace.streams.stop(channel.id, call.text("ts"), text, blocks, metadata)
    if status := call.optional_text("session_status"):
        workspace.agents.set_session(channel.id, message.root, status)
    shape = workspace.slack_message(message)
    return {"channel": channel.id, "ts": message.ts, "message": shape}


WRITE = ("chat:write",)
METHODS = {
    "chat.postMessage": Method(_post_message, WRITE),
    "chat.update": Method(_update, WRITE),
    "chat.delete": Method(_delete, WRITE),
    "chat.postEphemeral": Method(_post_ephemeral, WRITE),
    "chat.getPermalink": Method(_permalink),
    "chat.startStream": Method(_start_stream, WRITE),
    "chat.appendStream": Method(_append_stream, WRITE),
    "chat.stopStream": Method(_stop_stream, WRITE),
}
