"""The Events API over HTTP, Slack's side: signed POSTs to the app's request URL."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.playground.delivery import Attempt, Outcome
from bot.playground.errors import PlaygroundError
from bot.playground.workspace import Workspace

Json = dict[str, Any]


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Slack-Signature (version 0) for a body."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class SignedHttp:
    """Posts every payload to one request URL and reads the acknowledgement from the answer."""

    def __init__(self, workspace: Workspace, request_url: str) -> None:
        self._workspace = workspace
        self.request_url = request_url
        self._session: aiohttp.ClientSession | None = None

    async def verify(self) -> None:
        """Send the url_verification challenge; raises PlaygroundError when it isn't answered."""
        challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
        body = json.dumps(
            {
                "token": "unused-verification-token",
                "challenge": challenge,
                "type": "url_verification",
            }
        ).encode()
        async with self._post(body, "application/json", {}, 10.0) as answer:
            text = await answer.text()
        if answer.status != 200 or challenge not in text:
            raise PlaygroundError(
                f"{self.request_url} didn't answer the challenge: let it send `challenge` back"
            )

    async def send(self, attempt: Attempt, timeout_seconds: float) -> Outcome:
        """POST a payload and wait for the answer."""
        body, content_type = _encode(attempt)
        headers: dict[str, str] = {}
        if attempt.retry_attempt:
            headers = {
                "X-Slack-Retry-Num": str(attempt.retry_attempt),
                "X-Slack-Retry-Reason": attempt.retry_reason,
            }
        try:
            async with self._post(body, content_type, headers, timeout_seconds) as answer:
                text = await answer.text()
        except TimeoutError:
            return Outcome(acknowledged=False, reason="http_timeout")
        except aiohttp.ClientError:
            return Outcome(acknowledged=False, reason="connection_failed")
        retry = answer.headers.get("X-Slack-No-Retry") != "1"
        if not 200 <= answer.status < 300:
            return Outcome(acknowledged=False, reason="http_error", retry=retry)
        return Outcome(acknowledged=True, payload=_decode(text))

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    def _post(
        self, body: bytes, content_type: str, headers: dict[str, str], timeout_seconds: float
    ) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        timestamp = str(int(self._workspace.now()))
        return self._session.post(
            self.request_url,
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            headers={
                "Content-Type": content_type,
                "X-Slack-Request-Timestamp": timestamp,
                "X-Slack-Signature": sign(self._workspace.signing_secret, timestamp, body),
                "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
                **headers,
            },
        )


def _encode(attempt: Attempt) -> tuple[bytes, str]:
    if attempt.kind == "events_api":
        return json.dumps(attempt.payload).encode(), "application/json"
    if attempt.kind == "interactive":
        form = urlencode({"payload": json.dumps(attempt.payload)})
    else:
        form = urlencode(attempt.payload)
    return form.encode(), "application/x-www-form-urlencoded"


def _decode(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text}
