"""Response URLs: the five answers in thirty minutes that a command or a click grants."""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.playground.blocks import check_message
from bot.playground.errors import SlackError
from bot.playground.message import Message

if TYPE_CHECKING:
    from bot.playground.workspace import Workspace

Json = dict[str, Any]


@dataclass(slots=True)
class Hook:
    """What one response URL stands for, and how often it was used."""

    user: str
    channel: str
    issued_at: float
    message: Message | None = None
    uses: int = 0


class Hooks:
    """The response URLs of the workspace; `base_url` is set when the server knows its address."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._hooks: dict[str, Hook] = {}
        self.base_url = ""

    def issue(self, user: str, channel: str, message: Message | None = None) -> str:
        """A response_url for what `user` did in `channel`, perhaps to `message`."""
        token = secrets.token_urlsafe(18)
        self._hooks[token] = Hook(user, channel, self._workspace.now(), message)
        kind = "actions" if message else "commands"
        return f"{self.base_url}/{kind}/{self._workspace.team_id}/{token}"

    def use(self, token: str, body: Json) -> None:
        """Carry out one POST to a response URL; raises `used_url`, `expired_url` and the like."""
        hook = self._hooks.get(token)
        if hook is None:
            raise SlackError("invalid_url")
        limits = self._workspace.limits
        if self._workspace.now() - hook.issued_at > limits.response_url_lifetime_seconds:
            raise SlackError("expired_url")
        if hook.uses >= limits.response_url_uses:
            raise SlackError("used_url")
        hook.uses += 1
        self._answer(hook, body)

    def _answer(self, hook: Hook, body: Json) -> None:
        if body.get("delete_original"):
            self._delete(hook.message)
            return
        text = str(body.get("text") or "")
        blocks = check_message(body.get("blocks") or [], self._workspace.limits) or None
        if not text and not blocks:
            raise SlackError("no_text")
        if len(text) > self._workspace.limits.post_text:
            raise SlackError("msg_too_long")
        if body.get("replace_original") and hook.message:
            self._replace(hook.message, text, blocks)
        else:
            thread_ts = body.get("thread_ts")
            if thread_ts is None and hook.message:
                thread_ts = hook.message.thread_ts
            self.say(hook, text, blocks, str(body.get("response_type") or ""), thread_ts)

    def say(
        self,
        hook: Hook,
        text: str,
        blocks: list[Json] | None,
        response_type: str,
        thread_ts: str | None = None,
    ) -> Message:
        """Post as the app: to everyone for `in_channel`, else to the person alone."""
        workspace = self._workspace
        channel = workspace.channels[hook.channel]
        message = workspace.new_message(
            channel, workspace.bot.id, text, blocks=blocks, thread_ts=thread_ts
        )
        if response_type == "in_channel":
            return workspace.add_message(message)
        message.viewer = hook.user
        return workspace.add_ephemeral(message)

    def _replace(self, message: Message, text: str, blocks: list[Json] | None) -> None:
        if message.viewer is None:
            self._workspace.change_message(
                message, by=self._workspace.bot.id, text=text, blocks=blocks
            )
            return
        message.text, message.blocks = text, blocks
        self._workspace.show(message)

    def _delete(self, message: Message | None) -> None:
        if message is None:
            raise SlackError("message_not_found")
        if message.viewer is None:
            self._workspace.delete_message(message)
        else:
            self._workspace.delete_ephemeral(message)
