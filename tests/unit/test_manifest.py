"""The manifest against what the code calls for, and against what the playground demands."""

import json
import re
from pathlib import Path

import pytest
import yaml

import bot
from bot.arrival import ASK_SHORTCUT
from bot.manifest import BOT_EVENTS, BOT_SCOPES, manifest, manifest_text
from bot.playground.scopes import DEFAULT_SCOPES, DEFAULT_SUBSCRIPTIONS
from bot.playground.seed import COMMANDS, SHORTCUTS
from bot.playground.web_api import METHODS

CALL = re.compile(r"client\.([a-z_A-Z]+)\(|client\.([a-z_A-Z]+)[,)\n]")
API_CALL = re.compile(r"api_call\(\s*[\"']([\w.]+)[\"']")


def called_methods() -> set[str]:
    """Every Web API method that our own code names, in Slack's spelling."""
    known = {name.replace(".", "_").lower(): name for name in METHODS}
    found: set[str] = set()
    for path in Path(bot.__file__).parent.glob("*.py"):
        code = path.read_text()
        names = {a or b for a, b in CALL.findall(code)}
        found |= {known[name.lower()] for name in names if name.lower() in known}
        found |= {name for name in API_CALL.findall(code) if name in METHODS}
    return found


def test_every_method_that_the_code_calls_has_its_scope_in_the_manifest() -> None:
    called = called_methods()
    assert {"users.info", "conversations.replies", "chat.postMessage", "usergroups.list"} <= called
    for name in called:
        needed = METHODS[name].any_scope
        if needed:
            assert set(needed) & set(BOT_SCOPES), f"{name} needs one of {needed}"


def test_conversations_of_every_kind_that_we_are_told_of_can_be_read() -> None:
    for kind in ("channels", "groups", "im"):
        assert f"message.{kind}" in BOT_EVENTS
        assert f"{kind}:history" in BOT_SCOPES
        assert f"{kind}:read" in BOT_SCOPES


def test_the_playground_grants_exactly_the_manifest() -> None:
    assert set(BOT_SCOPES) == DEFAULT_SCOPES
    assert set(BOT_EVENTS) == DEFAULT_SUBSCRIPTIONS
    features = manifest()["features"]
    assert [c["command"] for c in features["slash_commands"]] == [c.command for c in COMMANDS]
    assert [s["callback_id"] for s in features["shortcuts"]] == [ASK_SHORTCUT]
    assert [s.callback_id for s in SHORTCUTS] == [ASK_SHORTCUT]


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_yaml_and_json_say_the_same(mode: str) -> None:
    url = "https://bot.example/slack/events"
    as_yaml = yaml.safe_load(manifest_text(mode, url=url))
    assert as_yaml == json.loads(manifest_text(mode, url=url, as_json=True))
    assert as_yaml["settings"]["socket_mode_enabled"] is (mode == "socket")


def test_http_mode_names_its_address_wherever_slack_asks_for_one() -> None:
    url = "https://bot.example/slack/events"
    value = manifest("http", url=url)
    assert value["settings"]["event_subscriptions"]["request_url"] == url
    assert value["settings"]["interactivity"]["request_url"] == url
    assert {command["url"] for command in value["features"]["slash_commands"]} == {url}
    assert "url" not in json.dumps(manifest("socket")["features"])


def test_slack_s_lengths_are_kept() -> None:
    features = manifest()["features"]
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert all(len(shortcut["name"]) <= 24 for shortcut in features["shortcuts"])
    assert len(manifest()["display_information"]["description"]) <= 140
