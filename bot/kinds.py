"""The kinds of sources that the bot knows: those of the knowledge package, and Slack's channels."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.history import Asked, Choice, slack_kind
from bot.history.choice import KIND, LOCATION, OPTIONS
from bot.history.record import record_in
from bot.settings import BotSettings
from bot.slack import identify, make_client
from knowledge.database import Database
from knowledge.errors import SourceError
from knowledge.sources import KINDS, Kind, Source
from knowledge.sources.registered import registered_sources


def _unopened(location: str, options: Mapping[str, Any]) -> Source:
    Choice(location).check()
    Asked.of(options)
    raise SourceError(
        "Slack's channels are read through the bot: set LOREWISE_SLACK_BOT_TOKEN "
        "(docs/slack-app.md says where it comes from)."
    )


ALL_KINDS: Mapping[str, Kind] = {**KINDS, KIND: Kind(KIND, LOCATION, _unopened, OPTIONS)}
"""Every kind with its options; Slack's channels can't be opened without a client."""


def kinds_with(client: AsyncWebClient, us: Identity, database: Database) -> Mapping[str, Kind]:
    """Every kind, Slack's channels through `client`."""
    return {**KINDS, KIND: slack_kind(client, us, record_in(database))}


@asynccontextmanager
async def opened_kinds(
    settings: BotSettings, database: Database
) -> AsyncIterator[Mapping[str, Kind]]:
    """Every kind for a command of the terminal. Slack is asked who we are only where a source is
    of its channels, so that no other one depends on it.

    Raises:
        SlackRefusedError: the token isn't good. SlackUnreachableError: nobody answers.
    """
    named = {source.kind for source in await registered_sources(database)}
    if settings.slack_bot_token is None or KIND not in named:
        yield ALL_KINDS
        return
    async with aiohttp.ClientSession() as session:
        client = make_client(settings, session)
        yield kinds_with(client, await identify(client, settings.slack_api_url), database)
