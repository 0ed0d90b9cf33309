"""The state of one Slack workspace, in memory, and the rules by which it changes.

Every change tells two audiences: the open pages (`workspace.pages`) and the app, through
`workspace.emit`, which the delivery sets. Nothing here knows of HTTP.
"""

import hashlib
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bot.playground.agents import Agents
from bot.playground.errors import SlackError
from bot.playground.faults import Faults
from bot.playground.files import StoredFile
from bot.playground.hooks import Hooks
from bot.playground.limits import Limits
from bot.playground.message import Message, rich_text
from bot.playground.pages import Pages
from bot.playground.rates import RateLimiter
from bot.playground.scopes import DEFAULT_SCOPES, DEFAULT_SUBSCRIPTIONS, SCOPE_OF_EVENT
from bot.playground.streams import Streams
from bot.playground.team import SLACKBOT, Channel, Command, Shortcut, User
from bot.playground.views import Views

Json = dict[str, Any]
TOMBSTONE = "This message was deleted."


class Workspace:
    """One team, its people, its conversations, and the one app that is installed in it."""

    def __init__(
        self,
        name: str = "Acme",
        *,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        subscriptions: Iterable[str] = DEFAULT_SUBSCRIPTIONS,
        commands: Sequence[Command] = (),
        shortcuts: Sequence[Shortcut] = (),
        app_name: str = "Lorewise",
    ) -> None:
        self.team_id = "T0PLAYGRND"
        self.team_name = name
        self.team_domain = "".join(letter for letter in name.lower() if letter.isalnum()) or "team"
        self.limits = limits or Limits()
        self.now = now
        self.scopes = frozenset(scopes)
        self.subscriptions = frozenset(subscriptions)
        self.commands = tuple(commands)
        self.shortcuts = tuple(shortcuts)
        self.app_id, self.bot_id = "A0LOREWISE", "B0LOREWISE"
        self.bot_token = f"xoxb-{secrets.token_hex(16)}"
        self.app_token = f"xapp-1-{self.app_id}-{secrets.token_hex(16)}"
        self.signing_secret = secrets.token_hex(16)
        self.faults, self.rates, self.pages = Faults(), RateLimiter(now), Pages()
        self.emit: Callable[[Json], None] = lambda _event: None
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, dict[str, Message]] = {}
        self.ephemerals: dict[str, dict[str, Message]] = {}
        self.replies: dict[tuple[str, str], list[str]] = {}
        self.usergroups: list[Json] = []
        self.tickets: dict[str, float] = {}
        self.files: dict[str, StoredFile] = {}
        self.agents, self.streams = Agents(self), Streams(self)
        self.views, self.hooks = Views(self), Hooks(self)
        self._last_ts_microseconds = 0
        self.bot = self.add_user(
            User("U0LOREWISE", app_name.lower(), app_name, color="7a5cff", is_bot=True)
        )
        self.add_user(User(SLACKBOT, "slackbot", "Slackbot", color="757575", is_bot=True))

    # people and conversations

    def add_user(self, user: User) -> User:
        """Add a person or a bot."""
        self.users[user.id] = user
        return user

    def add_channel(self, channel: Channel) -> Channel:
        """Add a conversation."""
        channel.created = channel.created or int(self.now())
        self.channels[channel.id] = channel
        self.messages.setdefault(channel.id, {})
        self.ephemerals.setdefault(channel.id, {})
        return channel

    def user(self, user_id: str) -> User:
        """The user, or `user_not_found`."""
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def channel(self, name_or_id: str) -> Channel:
        """The conversation by its id or `#name`, or `channel_not_found`."""
        if name_or_id in self.channels:
            return self.channels[name_or_id]
        name = name_or_id.removeprefix("#")
        for channel in self.channels.values():
            if not channel.is_im and channel.name == name:
                return channel
        raise SlackError("channel_not_found")

    def channels_of(self, user_id: str) -> list[Channel]:
        """The conversations that `user_id` is a member of."""
        return [channel for channel in self.channels.values() if user_id in channel.members]

    def open_dm(self, user_id: str, other_id: str) -> Channel:
        """The direct message between two users, opened when it isn't yet."""
        self.user(user_id), self.user(other_id)
        pair = sorted((user_id, other_id))
        digest = hashlib.sha256("/".join(pair).encode()).hexdigest()[:8].upper()
        if (channel_id := f"D0{digest}") not in self.channels:
            self.add_channel(Channel(channel_id, "", members=pair, is_private=True, is_im=True))
            for member in pair:
                self.pages.push(
                    [member],
                    {
                        "type": "channel",
                        "channel": self.page_channel(self.channels[channel_id], member),
                    },
                )
        return self.channels[channel_id]

    def join(self, user_id: str, channel_id: str, inviter: str | None = None) -> None:
        """Make `user_id` a member; announces it when the user wasn't one."""
        channel = self.channel(channel_id)
        if user_id in channel.members:
            return
        channel.members.append(user_id)
        self.emit_in(
            channel,
            "member_joined_channel",
            {
                "type": "member_joined_channel",
                "user": self.user(user_id).id,
                "channel": channel.id,
                "channel_type": "G" if channel.is_private else "C",
                "team": self.team_id,
                "event_ts": self.next_ts(),
                **({"inviter": inviter} if inviter else {}),
            },
        )
        page = {"type": "channel", "channel": self.page_channel(channel, user_id)}
        self.pages.push([user_id], page)

    def leave(self, user_id: str, channel_id: str) -> None:
        """End the membership of `user_id`; announces it."""
        channel = self.channel(channel_id)
        if user_id not in channel.members:
            return
        self.emit_in(
            channel,
            "member_left_channel",
            {
                "type": "member_left_channel",
                "user": user_id,
                "channel": channel.id,
                "channel_type": "G" if channel.is_private else "C",
                "team": self.team_id,
                "event_ts": self.next_ts(),
            },
        )
        channel.members.remove(user_id)

    def page_channel(self, channel: Channel, viewer: str) -> Json:
        """A conversation in the shape that the page of `viewer` draws."""
        shape: Json = {
            "id": channel.id,
            "name": channel.name,
            "is_im": channel.is_im,
            "is_private": channel.is_private,
            "topic": channel.topic,
            "members": channel.members,
        }
        if channel.is_im:
            others = [member for member in channel.members if member != viewer]
            shape["with_user"] = others[0] if others else viewer
        return shape

    # messages

    def next_ts(self) -> str:
        """A new message id: the time in microseconds, strictly increasing."""
        microseconds = max(self._last_ts_microseconds + 1, int(self.now() * 1_000_000))
        self._last_ts_microseconds = microseconds
        return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"

    def message(self, channel_id: str, ts: str) -> Message:
        """The message, or `message_not_found`."""
        message = self.messages.get(channel_id, {}).get(ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def thread(self, channel_id: str, thread_ts: str) -> list[Message]:
        """The first message and the replies of a thread, oldest first."""
        stamps = [thread_ts, *self.replies.get((channel_id, thread_ts), [])]
        known = self.messages.get(channel_id, {})
        return [known[ts] for ts in stamps if ts in known]

    def check_thread(self, channel_id: str, thread_ts: str | None) -> None:
        """Raise unless `thread_ts` is None or may be replied to."""
        if thread_ts is None:
            return
        root = self.messages.get(channel_id, {}).get(thread_ts)
        if root is None:
            raise SlackError("thread_not_found")
        if root.is_reply:
            raise SlackError("cannot_reply_to_message")

    def add_message(self, message: Message) -> Message:
        """Put a new message into its conversation and tell everyone."""
        channel = self.channels[message.channel]
        self.messages[channel.id][message.ts] = message
        if message.is_reply:
            self.replies.setdefault((channel.id, message.root), []).append(message.ts)
        if message.bot:
            self.agents.answered(message)
        self.show(message)
        if message.is_reply and (root := self.messages[channel.id].get(message.root)):
            self.show(root)
        self.emit_in(channel, "message", self.message_event(message))
        mention = f"<@{self.bot.id}>"
        if not channel.is_im and mention in message.text and message.user != self.bot.id:
            event = self.message_event(message) | {"type": "app_mention"}
            event.pop("channel_type", None)
            self.emit_in(channel, "app_mention", event)
        return message

    def new_message(self, channel: Channel, user_id: str, text: str, **fields: Any) -> Message:
        """A message with a fresh ts, not yet in the conversation."""
        user = self.users.get(user_id)
        if user is not None and not user.is_bot:
            fields.setdefault("client_msg_id", str(uuid.uuid4()))
        bot = user_id == self.bot.id
        return Message(channel.id, self.next_ts(), user_id, text, bot=bot, **fields)

    def change_message(self, message: Message, *, by: str, **fields: Any) -> None:
        """Change fields of a message and tell everyone; `by` is who edited it."""
        before = self.slack_message(message)
        for name, value in fields.items():
            setattr(message, name, value)
        message.edited = {"user": by, "ts": self.next_ts()}
        self.show(message)
        self.announce_change(message, before)

    def announce_change(self, message: Message, before: Json) -> None:
        """Emit `message_changed` from `before` to what the message is now."""
        channel, ts = self.channels[message.channel], self.next_ts()
        self.emit_in(
            channel,
            "message",
            {
                "type": "message",
                "subtype": "message_changed",
                "hidden": True,
                "message": self.slack_message(message),
                "previous_message": before,
                "channel": channel.id,
                "channel_type": channel.kind,
                "ts": ts,
                "event_ts": ts,
            },
        )

    def delete_message(self, message: Message) -> None:
        """Take a message out of its conversation and tell everyone."""
        if self.replies.get((message.channel, message.ts)):
            self._leave_tombstone(message)
            return
        channel, ts = self.channels[message.channel], self.next_ts()
        before = self.slack_message(message)
        del self.messages[channel.id][message.ts]
        if message.is_reply:
            self.replies[channel.id, message.root].remove(message.ts)
        gone = {"type": "message_deleted", "channel": channel.id, "ts": message.ts}
        self.pages.push(channel.members, gone)
        self.emit_in(
            channel,
            "message",
            {
                "type": "message",
                "subtype": "message_deleted",
                "hidden": True,
                "deleted_ts": message.ts,
                "previous_message": before,
                "channel": channel.id,
                "channel_type": channel.kind,
                "ts": ts,
                "event_ts": ts,
            },
        )

    def _leave_tombstone(self, message: Message) -> None:
        """A thread outlives its first message, as Slack does it: the app hears of a change."""
        before = self.slack_message(message)
        message.text, message.user, message.subtype = TOMBSTONE, SLACKBOT, "tombstone"
        message.blocks, message.attachments, message.files = None, None, []
        message.client_msg_id, message.edited, message.bot = None, None, False
        message.reactions.clear()
        self.show(message)
        self.announce_change(message, before)

    def react(self, user_id: str, message: Message, name: str, *, add: bool) -> None:
        """Add or take back a reaction; raises `already_reacted` or `no_reaction`."""
        users = message.reactions.setdefault(name, [])
        if add == (user_id in users):
            raise SlackError("already_reacted" if add else "no_reaction")
        known = [emoji for emoji, people in message.reactions.items() if people]
        if add and name not in known and len(known) >= self.limits.reactions_per_message:
            raise SlackError("too_many_emoji")
        users.append(user_id) if add else users.remove(user_id)
        self.show(message)
        kind = "reaction_added" if add else "reaction_removed"
        self.emit_in(
            self.channels[message.channel],
            kind,
            {
                "type": kind,
                "user": user_id,
                "reaction": name,
                "item_user": message.user,
                "item": {"type": "message", "channel": message.channel, "ts": message.ts},
                "event_ts": self.next_ts(),
            },
        )

    def add_ephemeral(self, message: Message) -> Message:
        """Show a message to its viewer only; it's in no history and no event."""
        self.ephemerals[message.channel][message.ts] = message
        self.show(message)
        return message

    def delete_ephemeral(self, message: Message) -> None:
        """Take an ephemeral message off its viewer's page."""
        self.ephemerals[message.channel].pop(message.ts, None)
        gone = {"type": "message_deleted", "channel": message.channel, "ts": message.ts}
        self.pages.push([message.viewer or ""], gone)

    def seen_by(self, user_id: str, channel_id: str) -> list[Message]:
        """Everything that `user_id` sees in a conversation, replies included, oldest first."""
        own = [m for m in self.ephemerals[channel_id].values() if m.viewer == user_id]
        return sorted([*self.messages[channel_id].values(), *own], key=lambda m: m.ts)

    def show(self, message: Message) -> None:
        """Push a message, new or changed, to the pages that may see it."""
        viewers = [message.viewer] if message.viewer else self.channels[message.channel].members
        self.pages.push(viewers, {"type": "message", "message": self.page_message(message)})

    def page_message(self, message: Message) -> Json:
        """A message in the page's shape, with the length of its thread."""
        return message.to_page(len(self.replies.get((message.channel, message.ts), [])))

    # Slack's shapes

    def slack_message(self, message: Message, *, with_metadata: bool = False) -> Json:
        """A message as conversations.history shows it."""
        shape: Json = {
            "type": "message",
            "user": message.user,
            "ts": message.ts,
            "text": message.text,
            "team": self.team_id,
        }
        author = self.users.get(message.user)
        if message.subtype == "tombstone":
            shape["hidden"] = True
        elif author is not None and author.is_bot and author.id not in {self.bot.id, SLACKBOT}:
            shape |= {"bot_id": f"B{author.id[1:]}", "username": author.real_name}
        if message.bot:
            shape |= {"bot_id": self.bot_id, "app_id": self.app_id, "bot_profile": self.bot_profile}
        root = self.messages[message.channel].get(message.root)
        optional: Json = {
            "subtype": message.subtype,
            "client_msg_id": message.client_msg_id,
            "thread_ts": message.thread_ts,
            "parent_user_id": root.user if root and message.is_reply else None,
            "blocks": message.blocks if message.bot else rich_text(message.text),
            "attachments": message.attachments,
            "files": message.files,
            "reactions": message.reaction_list(),
            "edited": message.edited,
            "metadata": message.metadata if with_metadata else None,
            **self._thread_summary(message),
        }
        return shape | {name: value for name, value in optional.items() if value}

    def _thread_summary(self, message: Message) -> Json:
        replies = self.thread(message.channel, message.ts)[1:]
        if not replies:
            return {}
        users = list(dict.fromkeys(reply.user for reply in replies))
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users": users,
            "reply_users_count": len(users),
            "latest_reply": replies[-1].ts,
        }

    def message_event(self, message: Message) -> Json:
        """The inner event of a new message."""
        channel = self.channels[message.channel]
        return self.slack_message(message) | {
            "channel": channel.id,
            "event_ts": message.ts,
            "channel_type": channel.kind,
        }

    @property
    def bot_profile(self) -> Json:
        """The profile that goes with each message of the app."""
        return {
            "id": self.bot_id,
            "app_id": self.app_id,
            "name": self.bot.real_name,
            "team_id": self.team_id,
            "deleted": False,
            "updated": 0,
            "icons": {},
        }

    # events

    def emit_in(self, channel: Channel, kind: str, event: Json) -> None:
        """Emit an event of a conversation, if the bot is in it and the app asked for it."""
        if self.bot.id in channel.members:
            suffix = {"channel": "channels", "group": "groups", "im": "im"}[channel.kind]
            self.emit_to_app(f"message.{suffix}" if kind == "message" else kind, event)

    def emit_to_app(self, subscription: str, event: Json) -> None:
        """Emit an event if the app is subscribed to it and has the scope for it."""
        scope = SCOPE_OF_EVENT.get(subscription)
        if subscription in self.subscriptions and (scope is None or scope in self.scopes):
            self.emit(event)
