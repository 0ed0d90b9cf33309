"""Scopes and subscriptions: what the app's manifest asked for, and what each thing needs."""

from bot.playground.errors import SlackError

DEFAULT_SCOPES: frozenset[str] = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "chat:write",
        "channels:history",
        "groups:history",
        "im:history",
        "im:read",
        "im:write",
        "channels:read",
        "groups:read",
        "reactions:read",
        "reactions:write",
        "users:read",
        "users:read.email",
        "files:read",
        "files:write",
        "commands",
        "usergroups:read",
    }
)

DEFAULT_SUBSCRIPTIONS: frozenset[str] = frozenset(
    {
        "app_home_opened",
        "app_context_changed",
        "app_mention",
        "message.im",
        "message.channels",
        "message.groups",
        "reaction_added",
        "reaction_removed",
        "agent_session_stopped",
        "member_joined_channel",
        "member_left_channel",
        "app_uninstalled",
        "tokens_revoked",
    }
)

SCOPE_OF_EVENT: dict[str, str] = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
}


def require(granted: frozenset[str], *any_of: str) -> None:
    """Raise `missing_scope` unless one of `any_of` is granted; none asked means none needed."""
    if any_of and not granted.intersection(any_of):
        raise SlackError(
            "missing_scope", needed=",".join(any_of), provided=",".join(sorted(granted))
        )
