"""One call of a Web API method: its arguments, its rights, and where it may act."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.playground.errors import SlackError, invalid
from bot.playground.scopes import require
from bot.playground.team import Channel
from bot.playground.workspace import Workspace

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A Web API method: what carries it out, the scopes of which one is needed, the token kind."""

    handler: Callable[["Call"], Json]
    any_scope: tuple[str, ...] = ()
    token: str = "bot"  # noqa: S105 - a kind of token: bot, app or none


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call, as strings or as JSON, and the workspace that it acts on."""

    workspace: Workspace
    arguments: Json
    base_url: str

    def text(self, name: str) -> str:
        """A required text."""
        value = self.optional_text(name)
        if not value:
            raise invalid(f"missing required field: {name} [json-pointer:/{name}]")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text, or None when it is missing."""
        value = self.arguments.get(name)
        if value is None:
            return None
        if isinstance(value, dict | list):
            raise invalid(f"must be a string [json-pointer:/{name}]")
        return str(value)

    def flag(self, name: str) -> bool:
        """A boolean in any of the ways that clients write one."""
        return str(self.arguments.get(name, "")).lower() in {"true", "1"}

    def number(self, name: str, default: int) -> int:
        """A whole number, or `default` when it is missing."""
        value = self.arguments.get(name)
        try:
            return default if value in {None, ""} else int(str(value))
        except ValueError:
            raise invalid(f"must be an integer [json-pointer:/{name}]") from None

    def structure(self, name: str) -> Any:
        """A list or an object, sent as JSON or as a string of JSON; None when missing."""
        value = self.arguments.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise invalid(f"must be valid JSON [json-pointer:/{name}]") from None

    def items(self, name: str) -> list[Any] | None:
        """A list, or None when missing."""
        value = self.structure(name)
        if value is not None and not isinstance(value, list):
            raise invalid(f"must be an array [json-pointer:/{name}]")
        return value

    def require(self, *any_of: str) -> None:
        """Raise `missing_scope` unless one of `any_of` is granted."""
        require(self.workspace.scopes, *any_of)

    def visible_channel(self, name: str = "channel") -> Channel:
        """The conversation that the bot may know of: its own, and every public one."""
        channel = self.workspace.channel(self.text(name))
        if channel.is_private and self.workspace.bot.id not in channel.members:
            raise SlackError("channel_not_found")
        return channel

    def joined_channel(self, name: str = "channel") -> Channel:
        """The conversation that the bot is a member of, or `not_in_channel`."""
        channel = self.visible_channel(name)
        if self.workspace.bot.id not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def page_of(self, items: list[Any]) -> tuple[list[Any], Json]:
        """The page of `items` that `cursor` and `limit` ask for, and the response metadata."""
        limits = self.workspace.limits
        size = self.number("limit", limits.page_size)
        if not 1 <= size <= limits.page_size_most:
            raise SlackError("invalid_limit")
        cursor = self.optional_text("cursor") or "0"
        if not cursor.isdigit() or int(cursor) > len(items):
            raise SlackError("invalid_cursor")
        start = int(cursor)
        following = str(start + size) if start + size < len(items) else ""
        return items[start : start + size], {"next_cursor": following}
