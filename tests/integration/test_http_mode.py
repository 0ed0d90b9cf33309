"""HTTP mode: the guard in front of bolt, over a real socket, with a real Postgres behind it."""

import hashlib
import hmac
import io
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import psycopg
import pytest
from sqlalchemy import URL

from bot.guard import BODY_BYTES
from bot.playground.seed import ASK_HR, NORA, SAM
from bot.playground.server import Playground
from knowledge.database import Database
from knowledge.embedded import EmbeddedServer
from tests.running_bot import Scripted, free_port, running

BOT = "U0LOREWISE"


@dataclass
class Far:
    """Somebody who sends requests to the bot."""

    session: aiohttp.ClientSession
    base: str
    secret: str
    playground: Playground

    def sign(self, body: bytes, timestamp: str) -> str:
        base = b"v0:" + timestamp.encode() + b":" + body
        return "v0=" + hmac.new(self.secret.encode(), base, hashlib.sha256).hexdigest()

    async def post(self, body: bytes | io.BytesIO, **headers: str) -> int:
        """Send a body as it is; `headers` in snake case, "" leaves one out."""
        timestamp = headers.pop("timestamp", str(int(time.time())))
        signature = headers.pop("signature", None)
        if signature is None:
            whole = body if isinstance(body, bytes) else body.getvalue()
            signature = self.sign(whole, timestamp)
        sent = {"Content-Type": headers.pop("content_type", "application/json")}
        if timestamp:
            sent["X-Slack-Request-Timestamp"] = timestamp
        if signature:
            sent["X-Slack-Signature"] = signature
        url = f"{self.base}/slack/events"
        async with self.session.post(url, data=body, headers=sent) as response:
            return response.status


@pytest.fixture
async def far(database: Database, database_url: URL, tmp_path: Path) -> AsyncIterator[Far]:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    async with (
        Playground(request_url=f"{base}/slack/events") as playground,
        running(
            playground, database_url, tmp_path,
            answers=Scripted(database), slack_mode="http", http_port=port,
        ),
        aiohttp.ClientSession() as session,
    ):  # fmt: skip
        yield Far(session, base, playground.signing_secret, playground)


def mention(text: str = "hello", **event: object) -> bytes:
    inner = {
        "type": "app_mention", "user": NORA, "channel": ASK_HR, "ts": f"{time.time():.6f}",
        "text": f"<@{BOT}> {text}",
    }  # fmt: skip
    body = {"type": "event_callback", "team_id": "T0PLAYGRND", "event_id": "Ev1", "event": inner}
    inner |= {name: str(value) for name, value in event.items()}
    return json.dumps(body).encode()


async def test_a_question_is_answered_over_signed_http(far: Far) -> None:
    playground = far.playground
    asked = await playground.say(NORA, ASK_HR, f"<@{BOT}> what is a per diem?")
    await playground.wait_for(
        lambda: [m for m in playground.messages(ASK_HR, asked.ts) if m.user == BOT], 10
    )
    assert all(d.acknowledged for d in playground.delivered("app_mention"))


async def test_slack_s_own_handshake_is_answered(far: Far) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    assert await far.post(body) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"timestamp": "", "signature": "v0=" + "0" * 64},
        {"signature": ""},
        {"timestamp": "abc"},
        {"timestamp": "-1"},
        {"timestamp": "1" * 400},
        {"timestamp": "\u0661\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660"},
        {"timestamp": str(int(time.time()) - 301)},
        {"timestamp": str(int(time.time()) + 3600)},
        {"signature": "v0=" + "0" * 64},
        {"signature": "v0=ünïcode"},
        {"signature": "v1=" + "0" * 64},
        {"signature": "0" * 64},
        {"signature": "v0="},
    ],
)
async def test_a_request_that_is_not_slack_s_is_refused(far: Far, headers: dict[str, str]) -> None:
    assert await far.post(mention(), **headers) == 401


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe\x00", b"", b"null", b"payload=%7B", b"[" * 50_000]
)
async def test_an_odd_body_is_refused_by_its_signature_first(far: Far, body: bytes) -> None:
    assert await far.post(body, signature="v0=" + "0" * 64) == 401
    assert await far.post(body) == 400


@pytest.mark.parametrize(
    "value",
    [
        {"type": "event_callback", "event": 5},
        {"type": "event_callback", "event": {"type": "message", "text": 7, "user": NORA}},
        {"type": "event_callback", "event": {"type": "reaction_added", "item": "x"}},
        {"type": "block_actions", "actions": [1], "user": "x"},
        {"type": "block_actions", "actions": {"a": 1}, "user": {"id": []}},
        {"type": "view_submission", "view": 3},
        {"team": "x", "user": [], "channel": 4},
        {"type": "message_action", "callback_id": "ask_lorewise", "message": [], "channel": "C"},
        {"authorizations": 3, "type": "event_callback", "event": {"type": "message"}},
    ],
)
async def test_a_signed_payload_of_an_odd_shape_is_never_our_failure(
    far: Far, value: dict[str, object]
) -> None:
    assert await far.post(json.dumps(value).encode()) in {200, 400, 401}
    form = urlencode({"payload": json.dumps(value)}).encode()
    status = await far.post(form, content_type="application/x-www-form-urlencoded")
    assert status in {200, 400, 401}


async def test_a_body_beyond_the_cap_is_not_read(far: Far) -> None:
    assert await far.post(io.BytesIO(b"x" * (BODY_BYTES + 1))) == 413


async def test_a_refused_body_is_not_logged(far: Far, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bot")
    await far.post(mention("a secret zebra"), signature="v0=" + "0" * 64)
    assert "request_refused" in str([vars(record) for record in caplog.records])
    assert "zebra" not in caplog.text


async def test_without_postgres_it_is_alive_but_not_ready_and_takes_nothing(
    far: Far, database_url: URL, postgres: EmbeddedServer
) -> None:
    async with far.session.get(f"{far.base}/readyz") as response:
        assert response.status == 200
    name = database_url.database
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        async with far.session.get(f"{far.base}/readyz") as response:
            assert response.status == 503
        async with far.session.get(f"{far.base}/healthz") as response:
            assert response.status == 200
        assert await far.post(mention()) == 503
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert await far.post(mention()) == 200


async def test_an_admin_s_command_over_http_is_answered(far: Far) -> None:
    playground = far.playground
    outcome = await playground.command(SAM, ASK_HR, "/lorewise", "help")
    assert outcome.acknowledged
    await playground.wait_for(
        lambda: [m for m in playground.messages(ASK_HR, user=SAM) if "/ask" in m.text]
    )
