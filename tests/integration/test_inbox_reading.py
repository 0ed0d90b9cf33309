"""Reading payloads: what is for us, under which key; settings and logs of the door."""

import json
import logging
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.arrival import Identity, looks_like_question, read
from bot.asked import plain
from bot.inbox import storable
from bot.logs import JsonLines
from bot.settings import BotSettings
from knowledge.errors import SettingsError

US = Identity("T1", "U0BOT", "B0BOT")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ("type", "user", "text", "ts", "thread_ts", "channel", "message", "previous_message")


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("and for part-time staff?", True),
        ("وماذا عن الدوام الجزئي؟", True),
        ("what about interns", True),
        ("كم يوما", True),
        ("Thanks!", False),
        ("I think so too", False),
        ("<@U1> what do you say?", False),
        ("see https://example.com/?q=1 for that", False),
        ("", False),
    ],
)
def test_a_reply_is_a_question_when_it_asks_and_nobody_else(text: str, *, asks: bool) -> None:
    assert looks_like_question(text) is asks


@given(
    st.sampled_from(["message", "app_mention", "reaction_added", "app_home_opened"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_any_event_is_read_or_refused_in_a_way_that_the_door_expects(
    kind: str, event: dict[str, Any]
) -> None:
    with suppress(AttributeError, TypeError, KeyError, ValueError):  # answered with 400
        read({"type": "event_callback", "event": event | {"type": kind}}, US, frozenset({"+1"}))


@given(JSON)
def test_what_is_stored_is_what_postgres_takes(value: Any) -> None:
    stored = json.dumps(storable(value), ensure_ascii=False)
    stored.encode()
    assert "\\u0000" not in stored


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("<@U0BOT> hello", "hello"),
        ("<@U0BOT|lorewise>: a &lt;b&gt; &amp; c?", ": a <b> & c?"),
        ("see <https://x.example|the page> in <#C1|general> <!here>", "see the page in #general"),
        ("two\n\n  lines", "two\n\nlines"),
        ("x" * 9_000, "x" * 4_000),
    ],
)
def test_a_question_is_what_the_person_meant(written: str, meant: str) -> None:
    assert plain(written, US) == meant


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({}, "LOREWISE_SLACK_BOT_TOKEN"),
        ({"slack_bot_token": "xoxb-1"}, "LOREWISE_SLACK_SIGNING_SECRET"),
        ({"slack_bot_token": "xoxb-1", "slack_mode": "socket"}, "LOREWISE_SLACK_APP_TOKEN"),
        ({"slack_bot_token": "xapp-1", "slack_signing_secret": "s"}, "LOREWISE_SLACK_BOT_TOKEN"),
    ],
)
def test_what_is_missing_is_named(values: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        BotSettings.load(**values).require_slack()


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"slack_api_url": "slack.com"}, "LOREWISE_SLACK_API_URL"),
        ({"time_zone": "Mars/Base"}, "LOREWISE_TIME_ZONE"),
        ({"reindex_cron": "at night"}, "LOREWISE_REINDEX_CRON"),
        ({"worker_concurrency": 0}, "LOREWISE_WORKER_CONCURRENCY"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, Any], variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        BotSettings.load(**values)


def test_settings_show_no_secret_and_read_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREWISE_ADMINS", "U1, U2,")
    monkeypatch.setenv("LOREWISE_SLACK_BOT_TOKEN", "xoxb-zebra")
    settings = BotSettings.load(slack_api_url="http://127.0.0.1:1/api")
    assert settings.admins == ("U1", "U2")
    assert settings.slack_api_url == "http://127.0.0.1:1/api/"
    assert "zebra" not in repr(settings)


def test_a_log_line_is_json_without_tokens() -> None:
    record = logging.LogRecord(
        "bot.x",
        logging.INFO,
        "",
        1,
        "Slack said %s",
        ("xoxb-1-abc at postgresql://u:pw@h/d",),
        None,
    )
    record.action = "tried"
    line = json.loads(JsonLines().format(record))
    assert line["action"] == "tried"
    assert line["message"] == "Slack said [redacted] at [redacted]h/d"
