"""reactions.*, views.*, assistant.*, agents.* and files.*."""

from typing import Any

from bot.playground.call import Call, Method
from bot.playground.errors import SlackError, invalid
from bot.playground.files import StoredFile, new_file_id
from bot.playground.message import Message

Json = dict[str, Any]


# reactions


def _reacted_message(call: Call) -> Message:
    if not call.optional_text("channel") or not call.optional_text("timestamp"):
        raise SlackError("no_item_specified")
    channel = call.joined_channel()
    return call.workspace.message(channel.id, call.text("timestamp"))


def _reaction_name(call: Call) -> str:
    name = call.text("name").strip(":")
    if not name.replace("_", "").replace("-", "").replace("+", "").replace(":", "").isalnum():
        raise SlackError("invalid_name")
    return name


def _add_reaction(call: Call) -> Json:
    bot, name = call.workspace.bot.id, _reaction_name(call)
    call.workspace.react(bot, _reacted_message(call), name, add=True)
    return {}


def _remove_reaction(call: Call) -> Json:
    bot, name = call.workspace.bot.id, _reaction_name(call)
    call.workspace.react(bot, _reacted_message(call), name, add=False)
    return {}


def _get_reactions(call: Call) -> Json:
    message = _reacted_message(call)
    shape = call.workspace.slack_message(message)
    return {"type": "message", "channel": message.channel, "message": shape}


# views


def _open_view(call: Call) -> Json:
    view = call.workspace.views.open(call.text("trigger_id"), call.structure("view"))
    return {"view": call.workspace.views.shape(view)}


def _push_view(call: Call) -> Json:
    view = call.workspace.views.push(call.text("trigger_id"), call.structure("view"))
    return {"view": call.workspace.views.shape(view)}


def _update_view(call: Call) -> Json:
    view = call.workspace.views.update(
        call.optional_text("view_id"),
        call.optional_text("external_id"),
        call.structure("view"),
        call.optional_text("hash"),
    )
    return {"view": call.workspace.views.shape(view)}


def _publish_view(call: Call) -> Json:
    view = call.workspace.views.publish(
        call.text("user_id"), call.structure("view"), call.optional_text("hash")
    )
    return {"view": call.workspace.views.shape(view)}


# the agent


def _set_status(call: Call) -> Json:
    channel = call.joined_channel("channel_id")
    thread_ts = call.text("thread_ts")
    call.workspace.check_thread(channel.id, thread_ts)
    loading = call.items("loading_messages") or []
    if len(loading) > call.workspace.limits.loading_messages:
        raise invalid("no more than 10 items allowed [json-pointer:/loading_messages]")
    if call.arguments.get("status") is None:
        raise invalid("missing required field: status")
    status = str(call.arguments["status"])
    call.workspace.agents.set_status(channel.id, thread_ts, status, [str(m) for m in loading])
    return {}


def _set_title(call: Call) -> Json:
    channel = call.joined_channel("channel_id")
    call.workspace.agents.titles[channel.id, call.text("thread_ts")] = call.text("title")
    return {}


def _set_prompts(call: Call) -> Json:
    channel = call.joined_channel("channel_id")
    prompts = call.items("prompts") or []
    if len(prompts) > call.workspace.limits.prompts:
        raise invalid(f"no more than {call.workspace.limits.prompts} items allowed")
    for prompt in prompts:
        if not isinstance(prompt, dict) or not prompt.get("title") or not prompt.get("message"):
            raise invalid("a prompt needs a title and a message [json-pointer:/prompts]")
    title = call.optional_text("title") or ""
    call.workspace.agents.set_prompts(channel.id, title, prompts)
    return {}


def _set_session(call: Call) -> Json:
    channel = call.joined_channel("channel_id")
    thread_ts = call.text("thread_ts")
    call.workspace.check_thread(channel.id, thread_ts)
    session = call.workspace.agents.set_session(
        channel.id, thread_ts, call.text("status"), call.optional_text("title") or ""
    )
    answer: Json = {
        "status": session["status"],
        "agent_status": session["status"],
        "title": session["title"],
    }
    if "agent_session_stopped" not in call.workspace.subscriptions:
        warning = "missing_agent_session_stopped_event_subscription"
        answer |= {"warning": warning, "response_metadata": {"warnings": [warning]}}
    return answer


# files


def _upload_url(call: Call) -> Json:
    name, length = call.text("filename"), call.number("length", 0)
    if length <= 0:
        raise invalid("length must be more than 0")
    file_id = new_file_id()
    call.workspace.files[file_id] = StoredFile(file_id, name, name, length, call.workspace.bot.id)
    return {"upload_url": f"{call.base_url}/upload/v1/{file_id}", "file_id": file_id}


def _complete_upload(call: Call) -> Json:
    uploads = call.items("files") or []
    shapes = [_finish_upload(call, upload) for upload in uploads]
    if not shapes:
        raise invalid("missing required field: files")
    name = call.optional_text("channel_id") or call.optional_text("channels")
    if name:
        channel = call.workspace.channel(name)
        if call.workspace.bot.id not in channel.members:
            raise SlackError("not_in_channel")
        thread_ts = call.optional_text("thread_ts")
        call.workspace.check_thread(channel.id, thread_ts)
        comment = call.optional_text("initial_comment") or ""
        call.workspace.add_message(
            call.workspace.new_message(
                channel,
                call.workspace.bot.id,
                comment,
                thread_ts=thread_ts,
                files=shapes,
            )
        )
    return {"files": shapes}


def _finish_upload(call: Call, upload: Any) -> Json:
    stored = call.workspace.files.get(upload.get("id", "") if isinstance(upload, dict) else "")
    if stored is None or not stored.content:
        raise SlackError("file_not_found")
    stored.title = upload.get("title") or stored.name
    return stored.shape(call.base_url)


STATUS = ("assistant:write", "chat:write")
METHODS = {
    "reactions.add": Method(_add_reaction, ("reactions:write",)),
    "reactions.remove": Method(_remove_reaction, ("reactions:write",)),
    "reactions.get": Method(_get_reactions, ("reactions:read",)),
    "views.open": Method(_open_view),
    "views.push": Method(_push_view),
    "views.update": Method(_update_view),
    "views.publish": Method(_publish_view),
    "assistant.threads.setStatus": Method(_set_status, STATUS),
    "assistant.threads.setTitle": Method(_set_title, ("assistant:write",)),
    "assistant.threads.setSuggestedPrompts": Method(_set_prompts, ("assistant:write",)),
    "agents.sessions.setStatus": Method(_set_session, ("chat:write",)),
    "files.getUploadURLExternal": Method(_upload_url, ("files:write",)),
    "files.completeUploadExternal": Method(_complete_upload, ("files:write",)),
}
