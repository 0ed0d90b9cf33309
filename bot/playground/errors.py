"""The playground's errors.

PlaygroundError
├── SlackError          an answer of `{"ok": false, "error": …}`
└── RateLimitedError    an answer of HTTP 429 with `Retry-After`
"""

from typing import Any


class PlaygroundError(Exception):
    """Something that the playground was asked to do and cannot."""


class SlackError(PlaygroundError):
    """A refusal in Slack's own words, such as `not_in_channel`; more fields may go with it."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"ok": False, "error": self.code, **self.extra}


class RateLimitedError(PlaygroundError):
    """Too many calls of one method; wait `retry_after_seconds` and call again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"rate limited, try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


def invalid(*messages: str, code: str = "invalid_arguments") -> SlackError:
    """The refusal of a malformed argument, with Slack's `response_metadata.messages`."""
    lines = [f"[ERROR] {message}" for message in messages]
    return SlackError(code, response_metadata={"messages": lines}, errors=list(messages))
