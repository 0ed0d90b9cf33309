"""The errors of the bot package. Each message says what to do.

BotError
 ├── SlackRefusedError
 ├── SlackUnreachableError
 ├── PortInUseError
 ├── RequestRefusedError
 ├── AnswerBrokenError
 └── AnswerNotLoggedError
"""


class BotError(Exception):
    """The base of all errors of the bot package."""


class SlackRefusedError(BotError):
    """Slack doesn't accept a token, or a scope is missing."""


class SlackUnreachableError(BotError):
    """No Slack answers at LOREWISE_SLACK_API_URL."""


class PortInUseError(BotError):
    """Another process listens on LOREWISE_HTTP_PORT."""


class RequestRefusedError(BotError):
    """An HTTP request isn't Slack's. `status` is what the sender is told."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.status = status


class AnswerBrokenError(BotError):
    """The events of an answer ended before it was finished."""


class AnswerNotLoggedError(BotError):
    """A vote came for an answer that is still being written."""
