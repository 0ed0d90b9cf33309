"""The Slack app's manifest: what `lorewise manifest` prints, and the list of our rights."""

import json
from typing import Any, Literal

from bot.arrival import ASK_SHORTCUT

BOT_SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "reactions:read",
    "reactions:write",
    "usergroups:read",
    "users:read",
    "users:read.email",
)
BOT_EVENTS = (
    "agent_session_stopped",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "reaction_added",
    "reaction_removed",
    "tokens_revoked",
)
COMMANDS = (
    ("/ask", "Ask the company's documents; only you see the answer", "How do I …?"),
    (
        "/lorewise",
        "Help and administration",
        "help | status | sources | reindex [source] | retrain",
    ),
    ("/reindex", "Sync the sources now (admins)", "[source]"),
    ("/retrain", "Train on the approved examples (admins)", ""),
)
PROMPTS = (
    ("What can you do?", "What can you help me with?"),
    ("Days off", "How many days of leave do I have?"),
    ("Expenses", "How do I claim an expense?"),
)
DESCRIPTION = "Answers questions from the company's own documents, with its sources."


def manifest(
    mode: Literal["socket", "http"] = "socket",
    *,
    url: str | None = None,
    name: str = "Lorewise",
) -> dict[str, Any]:
    """The manifest; `url` is where Slack reaches us in HTTP mode (https://host/slack/events)."""
    request_url = (url or "https://YOUR-HOST/slack/events") if mode == "http" else None
    return {
        "display_information": {"name": name, "description": DESCRIPTION},
        "features": _features(name, request_url),
        "oauth_config": {"scopes": {"bot": list(BOT_SCOPES)}},
        "settings": {
            "event_subscriptions": _at(request_url) | {"bot_events": list(BOT_EVENTS)},
            "interactivity": {"is_enabled": True} | _at(request_url),
            "org_deploy_enabled": False,
            "socket_mode_enabled": mode == "socket",
            "token_rotation_enabled": False,
        },
    }


def _features(name: str, request_url: str | None) -> dict[str, Any]:
    where = {"url": request_url} if request_url else {}
    return {
        "agent_view": {
            "agent_description": DESCRIPTION,
            "suggested_prompts": [{"title": t, "message": m} for t, m in PROMPTS],
        },
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": name, "always_online": True},
        "slash_commands": [
            {"command": command, "description": description, "should_escape": False}
            | ({"usage_hint": hint} if hint else {})
            | where
            for command, description, hint in COMMANDS
        ],
        "shortcuts": [
            {
                "name": f"Ask {name}",
                "type": "message",
                "callback_id": ASK_SHORTCUT,
                "description": "Answer this message's question from the documents",
            }
        ],
    }


def _at(request_url: str | None) -> dict[str, Any]:
    return {"request_url": request_url} if request_url else {}


def manifest_text(mode: str = "socket", *, url: str | None = None, as_json: bool = False) -> str:
    """The manifest as text, YAML or JSON."""
    value = manifest("http" if mode == "http" else "socket", url=url)
    return to_json(value) if as_json else to_yaml(value)


def to_json(value: dict[str, Any]) -> str:
    """The manifest for the JSON tab of Slack's page."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def to_yaml(value: dict[str, Any]) -> str:
    """The manifest for the YAML tab of Slack's page."""
    return "\n".join(_yaml(value, 0)) + "\n"


def _yaml(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value, dict):
        lines: list[str] = []
        for key, item in value.items():
            if isinstance(item, dict | list):
                lines += [f"{pad}{key}:", *_yaml(item, depth + 1)]
            else:
                lines.append(f"{pad}{key}: {json.dumps(item, ensure_ascii=False)}")
        return lines
    if isinstance(value, list):
        lines = []
        for item in value:
            first, *rest = _yaml(item, depth + 1) if isinstance(item, dict) else [json.dumps(item)]
            lines += [f"{pad}- {first.strip()}", *rest]
        return lines
    return [f"{pad}{json.dumps(value, ensure_ascii=False)}"]
