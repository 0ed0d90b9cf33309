"""The kind `slack`, through the bot's own client."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.history.choice import KIND, LOCATION, NO_RECORD, OPTIONS, Asked, Choice, Record
from bot.history.source import SlackSource
from knowledge.sources import Kind


def slack_kind(
    client: AsyncWebClient,
    us: Identity,
    record: Record = NO_RECORD,
    *,
    now: Callable[[], float] = time.time,
) -> Kind:
    """The kind, through the bot's own client."""

    def opened(location: str, options: Mapping[str, Any]) -> SlackSource:
        choice, asked = Choice(location), Asked.of(options)
        choice.check()
        return SlackSource(client, us, choice, asked, record=record, now=now)

    return Kind(
        name=KIND,
        location=LOCATION,
        open=opened,
        options=OPTIONS,
    )
