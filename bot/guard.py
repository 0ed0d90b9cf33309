"""Is an HTTP request really Slack's? Decided on the raw bytes, before anything is parsed."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from bot.errors import RequestRefusedError

BODY_BYTES = 1_048_576  # Slack's largest payload, a modal's submission, is a quarter of this
OLDEST_SECONDS = 300  # Slack's own advice
SKEW_SECONDS = 30  # a clock that runs ahead; a signature of the far future is a replay in waiting
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    """Check the signature in constant time.

    Raises:
        RequestRefusedError: 401, with a reason that holds nothing of the request.
    """
    timestamp = headers.get("x-slack-request-timestamp", "")
    signature = headers.get("x-slack-signature", "")
    if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        raise RequestRefusedError("the signature's headers are missing or odd")
    age_seconds = now - int(timestamp)
    if age_seconds > OLDEST_SECONDS or age_seconds < -SKEW_SECONDS:
        raise RequestRefusedError("the signature is too old, or of the future")
    base = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise RequestRefusedError("the signature doesn't fit")


def read_text(headers: Mapping[str, str], body: bytes) -> str:
    """The body of a verified request, once it is sure that bolt can parse it.

    Raises:
        RequestRefusedError: 400; the signature was good, so the sender is told what is wrong.
    """
    try:
        text = body.decode()
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            payload = parse_qs(text).get("payload")
            value = json.loads(payload[0]) if payload else {}
        else:
            value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestRefusedError("the body can't be read", status=400) from error
    if not isinstance(value, dict):
        raise RequestRefusedError("the body is no object", status=400)
    return text
