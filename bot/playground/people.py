"""What people do in the workspace: write, react, click, submit, run commands.

Every action does to the state what Slack's client would, and delivers to the app what Slack
would. The page's API (`live.py`) and the tests' driver (`server.py`) both go through here.
"""

import mimetypes
from collections.abc import Mapping
from typing import Any

from bot.playground.blocks import check_message, check_view, elements_of
from bot.playground.delivery import Delivery, Outcome
from bot.playground.errors import SlackError
from bot.playground.files import StoredFile, new_file_id
from bot.playground.hooks import Hook
from bot.playground.message import Message, as_typed
from bot.playground.team import SLACKBOT, Channel
from bot.playground.views import View
from bot.playground.workspace import Workspace

Json = dict[str, Any]

TROUBLE = "We had some trouble connecting. Try again?"
MAX_TYPED = 40_000


class People:
    """The hands of everyone in the workspace who isn't a bot."""

    def __init__(self, workspace: Workspace, delivery: Delivery) -> None:
        self._workspace = workspace
        self._delivery = delivery

    # messages

    def post(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Message:
        """Write a message, as typed: names after @ become mentions, markup is escaped.

        `files` are shared with it: their bytes by name.
        """
        place = self._place(user, channel)
        if not text.strip() and not files:
            raise SlackError("no_text")
        if len(text) > MAX_TYPED:
            raise SlackError("msg_too_long")
        if thread_ts is not None:
            thread_ts = self._workspace.message(place.id, thread_ts).root
        message = self._workspace.new_message(
            place,
            user,
            self._typed(text),
            thread_ts=thread_ts,
            files=[self._upload(user, name, content) for name, content in (files or {}).items()],
            subtype="file_share" if files else None,
        )
        self._workspace.add_message(message)
        if f"<@{self._workspace.bot.id}>" in message.text:
            self._warn_of_absence(user, place)
        return message

    def edit(self, user: str, channel: str, ts: str, text: str) -> Message:
        """Change one's own message."""
        message = self._own(user, channel, ts)
        self._workspace.change_message(message, by=user, text=self._typed(text))
        return message

    def delete(self, user: str, channel: str, ts: str) -> None:
        """Delete one's own message."""
        self._workspace.delete_message(self._own(user, channel, ts))

    def react(self, user: str, channel: str, ts: str, name: str, *, add: bool) -> None:
        """Add or take back a reaction."""
        place = self._place(user, channel)
        message = self._workspace.message(place.id, ts)
        self._workspace.react(user, message, name.strip(":"), add=add)

    # the app's surfaces

    def open_dm(self, user: str, with_user: str) -> Channel:
        """Open a direct message; with the bot that opens the app's messages tab."""
        channel = self._workspace.open_dm(user, with_user)
        if with_user == self._workspace.bot.id:
            self._opened(user, channel, "messages")
        return channel

    def open_home(self, user: str) -> None:
        """Open the app's Home tab."""
        channel = self._workspace.open_dm(user, self._workspace.bot.id)
        self._opened(user, channel, "home")

    def look_at(self, user: str, channel: str) -> None:
        """Look at a conversation while the app is open: its context changes."""
        place = self._place(user, channel)
        entity = {
            "type": "slack#/types/channel_id",
            "value": place.id,
            "team_id": self._workspace.team_id,
        }
        self._workspace.emit_to_app(
            "app_context_changed",
            {
                "type": "app_context_changed",
                "user": user,
                "channel": self._workspace.open_dm(user, self._workspace.bot.id).id,
                "context": {"entities": [entity]},
                "event_ts": self._workspace.next_ts(),
            },
        )

    def stop(self, user: str, channel: str, thread_ts: str) -> list[str]:
        """Press the stop button of a thread in which the agent works."""
        place = self._place(user, channel)
        stopped = self._workspace.streams.stop_by_user(place.id, thread_ts)
        self._workspace.emit_in(
            place,
            "agent_session_stopped",
            {
                "type": "agent_session_stopped",
                "channel": place.id,
                "thread_ts": thread_ts,
                "user": user,
                "streaming_message_ts": stopped,
                "event_ts": self._workspace.next_ts(),
            },
        )
        return stopped

    # commands, clicks and shortcuts

    async def command(self, user: str, channel: str, command: str, text: str) -> Outcome:
        """Run a slash command and show its answer, or that it failed."""
        place = self._place(user, channel)
        if command not in {known.command for known in self._workspace.commands}:
            raise SlackError("unknown_command")
        name = "directmessage" if place.is_im else place.name
        payload: Json = {
            "token": "unused-verification-token",
            "team_id": self._workspace.team_id,
            "team_domain": self._workspace.team_domain,
            "channel_id": place.id,
            "channel_name": name,
            "user_id": user,
            "user_name": self._workspace.user(user).name,
            "command": command,
            "text": text,
            "api_app_id": self._workspace.app_id,
            "is_enterprise_install": "false",
            "response_url": self._workspace.hooks.issue(user, place.id),
            "trigger_id": self._workspace.views.issue_trigger(user),
        }
        outcome = await self._delivery.interact("slash_commands", payload)
        if not outcome.acknowledged:
            self._tell(user, place, f'{command} failed with the error "dispatch_failed"')
        else:
            self._show_answer(user, place, outcome.payload)
        return outcome

    async def click(self, user: str, channel: str, ts: str, action: Json) -> Outcome:
        """Use an element of a message: a button, a thumb, a menu."""
        place = self._place(user, channel)
        message = self._workspace.ephemerals[place.id].get(ts)
        if message is None or message.viewer != user:
            message = self._workspace.message(place.id, ts)
        filled = _fill_in(action, message.blocks or [], self._workspace.next_ts())
        container: Json = {
            "type": "message",
            "message_ts": ts,
            "channel_id": place.id,
            "is_ephemeral": message.viewer is not None,
        } | ({"thread_ts": message.thread_ts} if message.thread_ts else {})
        payload = self._interaction("block_actions", user) | {
            "container": container,
            "channel": self._named(place),
            "message": self._workspace.slack_message(message),
            "response_url": self._workspace.hooks.issue(user, place.id, message),
            "state": {"values": {}},
            "actions": [filled],
        }
        return await self._interact(user, payload)

    async def click_in_view(
        self, user: str, view_id: str, action: Json, values: Json | None = None
    ) -> Outcome:
        """Use an element of a modal or of the Home tab; `values` are the inputs' state so far."""
        view = self._workspace.views.view(user, view_id)
        filled = _fill_in(action, view.content["blocks"], self._workspace.next_ts())
        view.values = values or view.values
        shape = self._workspace.views.shape(view)
        payload = self._interaction("block_actions", user) | {
            "container": {"type": "view", "view_id": view.id},
            "view": shape,
            "actions": [filled],
            "state": shape["state"],
        }
        return await self._interact(user, payload)

    async def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> Outcome:
        """Use a message shortcut on a message."""
        place = self._place(user, channel)
        message = self._workspace.message(place.id, ts)
        if callback_id not in {known.callback_id for known in self._workspace.shortcuts}:
            raise SlackError("unknown_shortcut")
        payload = self._interaction("message_action", user) | {
            "callback_id": callback_id,
            "channel": self._named(place),
            "message_ts": ts,
            "action_ts": self._workspace.next_ts(),
            "message": self._workspace.slack_message(message),
            "response_url": self._workspace.hooks.issue(user, place.id, message),
        }
        return await self._interact(user, payload)

    # modals

    async def submit_view(self, user: str, view_id: str, values: Json) -> dict[str, str]:
        """Submit a modal; gives the errors by block_id, none when it was accepted."""
        view = self._workspace.views.view(user, view_id)
        if missing := _missing_inputs(view, values):
            self._workspace.views.errors(view, missing)
            return missing
        view.values = values
        payload = self._interaction("view_submission", user) | {
            "view": self._workspace.views.shape(view),
            "response_urls": [],
        }
        outcome = await self._delivery.interact("interactive", payload)
        if not outcome.acknowledged:
            self._toast(user, TROUBLE)
            return {"": TROUBLE}
        return self._after_submission(user, view, outcome.payload)

    async def close_view(self, user: str, view_id: str) -> None:
        """Close a modal; the app hears of it when it asked to."""
        view = self._workspace.views.view(user, view_id)
        shape = self._workspace.views.shape(view)
        whole_stack = bool(view.content.get("clear_on_close"))
        self._workspace.views.close(view, whole_stack=whole_stack)
        if view.content.get("notify_on_close"):
            payload = self._interaction("view_closed", user) | {
                "view": shape,
                "is_cleared": whole_stack,
            }
            await self._delivery.interact("interactive", payload)

    def _after_submission(self, user: str, view: View, answer: Any) -> dict[str, str]:
        views, limits = self._workspace.views, self._workspace.limits
        kind = answer.get("response_action") if isinstance(answer, dict) else None
        try:
            if kind == "errors":
                errors = {str(block): str(text) for block, text in answer["errors"].items()}
                views.errors(view, errors)
                return errors
            if kind == "clear":
                views.close(view, whole_stack=True)
            elif kind == "update":
                views.update(view.id, None, answer.get("view"))
            elif kind == "push":
                views.push_for(user, check_view(answer.get("view"), "modal", limits), view)
            else:
                views.close(view)
        except SlackError as refusal:
            self._toast(user, f"{TROUBLE} ({refusal.code})")
            return {"": TROUBLE}
        return {}

    # parts

    def _place(self, user: str, channel: str) -> Channel:
        place = self._workspace.channel(channel)
        if self._workspace.user(user).id not in place.members:
            raise SlackError("not_in_channel")
        return place

    def _own(self, user: str, channel: str, ts: str) -> Message:
        message = self._workspace.message(self._place(user, channel).id, ts)
        if message.user != user:
            raise SlackError("cant_update_message")
        return message

    def _typed(self, text: str) -> str:
        names = {
            name.lower(): user.id
            for user in self._workspace.users.values()
            for name in (user.name, user.real_name)
        }
        return as_typed(text, names)

    def _upload(self, user: str, name: str, content: bytes) -> Json:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        stored = StoredFile(new_file_id(), name, name, len(content), user, kind, content)
        self._workspace.files[stored.id] = stored
        return stored.shape(self._workspace.hooks.base_url)

    def _named(self, place: Channel) -> Json:
        return {"id": place.id, "name": "directmessage" if place.is_im else place.name}

    def _opened(self, user: str, channel: Channel, tab: str) -> None:
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": channel.id,
            "tab": tab,
            "event_ts": self._workspace.next_ts(),
        }
        home = self._workspace.views.homes.get(user)
        if tab == "home" and home is not None:
            event["view"] = self._workspace.views.shape(home)
        self._workspace.emit_to_app("app_home_opened", event)

    def _interaction(self, kind: str, user: str) -> Json:
        workspace, person = self._workspace, self._workspace.user(user)
        return {
            "type": kind,
            "token": "unused-verification-token",
            "api_app_id": workspace.app_id,
            "team": {"id": workspace.team_id, "domain": workspace.team_domain},
            "user": {
                "id": user,
                "username": person.name,
                "name": person.name,
                "team_id": workspace.team_id,
            },
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": workspace.views.issue_trigger(user),
        }

    async def _interact(self, user: str, payload: Json) -> Outcome:
        outcome = await self._delivery.interact("interactive", payload)
        if not outcome.acknowledged:
            self._toast(user, TROUBLE)
        return outcome

    def _show_answer(self, user: str, place: Channel, answer: Any) -> None:
        if not isinstance(answer, dict) or not (answer.get("text") or answer.get("blocks")):
            return
        try:
            blocks = check_message(answer.get("blocks") or [], self._workspace.limits) or None
        except SlackError:
            self._tell(user, place, "The app's answer was not valid.")
            return
        hook = Hook(user, place.id, self._workspace.now())
        kind = str(answer.get("response_type") or "ephemeral")
        self._workspace.hooks.say(hook, str(answer.get("text") or ""), blocks, kind)

    def _warn_of_absence(self, user: str, place: Channel) -> None:
        if self._workspace.bot.id not in place.members:
            name = self._workspace.bot.real_name
            self._tell(user, place, f"{name} isn't in this channel, so it can't see your message.")

    def _tell(self, user: str, place: Channel, text: str) -> None:
        message = self._workspace.new_message(place, SLACKBOT, text, viewer=user)
        self._workspace.add_ephemeral(message)

    def _toast(self, user: str, text: str) -> None:
        self._workspace.pages.push([user], {"type": "toast", "text": text})


def _fill_in(action: Json, blocks: list[Json], action_ts: str) -> Json:
    """The action as Slack sends it: what the element says, and what the person chose."""
    for block, element in elements_of(blocks):
        same_block = action.get("block_id") in {None, block["block_id"]}
        if same_block and element["action_id"] == action.get("action_id"):
            break
    else:
        raise SlackError("action_not_found")
    filled: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": action_ts,
    }
    if element["type"] == "feedback_buttons":
        sides = [element["positive_button"], element["negative_button"]]
        pressed = next((b for b in sides if b.get("value") == action.get("value")), None)
        if pressed is None:
            raise SlackError("action_not_found")
        return filled | {"value": pressed.get("value"), "text": pressed["text"]}
    for name in ("text", "value", "style", "url"):
        if name in element and not isinstance(element[name], list):
            filled[name] = element[name]
    chosen = {
        name: value
        for name, value in action.items()
        if name.startswith("selected_") or name == "value"
    }
    if element["type"] in {"button", "workflow_button", "icon_button"}:
        chosen.pop("value", None)
    return filled | chosen


def _missing_inputs(view: View, values: Json) -> dict[str, str]:
    """What Slack's client says itself about required inputs that are empty."""
    missing: dict[str, str] = {}
    for block in view.content["blocks"]:
        if block["type"] != "input" or block.get("optional"):
            continue
        value = values.get(block["block_id"], {}).get(block["element"]["action_id"], {})
        kept = [v for name, v in value.items() if name != "type" and v not in (None, "", [])]
        if not kept:
            missing[block["block_id"]] = "Please complete this required field."
    return missing
