"""The clients of Slack, and who we are there."""

import asyncio
import logging

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.errors import SlackRefusedError, SlackUnreachableError
from bot.settings import BotSettings

logger = logging.getLogger(__name__)

PAUSES_SECONDS = (0.5, 1, 2, 4)  # while we start: Slack, or the playground, may start too
REFUSALS = {
    "invalid_auth": "it isn't known to Slack: copy it again from the app's pages",
    "not_authed": "it is empty",
    "account_inactive": "the app was removed from the workspace: install it again",
    "token_revoked": "it was revoked: install the app again and copy the new one",
    "not_allowed_token_type": "it is a token of another kind",
    "missing_scope": "it lacks a scope: `lorewise manifest` prints what the app needs",
}


def make_client(settings: BotSettings, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A Web API client that waits as long as a 429 says.

    It doesn't retry lost connections, as slack_sdk's default does: Slack may have taken the
    message. The job tries again and looks first (bot.reconcile).
    """
    assert settings.slack_bot_token is not None
    return AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_url,
        session=session,
        retry_handlers=[
            AsyncRateLimitErrorRetryHandler(max_retry_count=3),
            AsyncServerErrorRetryHandler(max_retry_count=1),
        ],
    )


async def identify(client: AsyncWebClient, api_url: str) -> Identity:
    """Who we are.

    Raises:
        SlackRefusedError: the bot token isn't good. SlackUnreachableError: nobody answers.
    """
    for pause in (*PAUSES_SECONDS, None):
        try:
            found = await client.auth_test()
        except SlackApiError as error:
            raise refused("LOREWISE_SLACK_BOT_TOKEN", error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if pause is None:
                raise SlackUnreachableError(
                    f"No Slack answers at {api_url} ({type(error).__name__}): check the network, "
                    "a proxy, or LOREWISE_SLACK_API_URL."
                ) from error
            await asyncio.sleep(pause)
        else:
            return Identity(
                found["team_id"], found["user_id"], found.get("bot_id"), str(found.get("url") or "")
            )
    raise AssertionError  # pragma: no cover - the loop ends by returning or raising


def refused(variable: str, error: SlackApiError) -> SlackRefusedError:
    """What Slack said about a token, for the operator."""
    code = str(error.response.get("error"))
    return SlackRefusedError(
        f"Slack doesn't accept {variable} ({code}): {REFUSALS.get(code, 'look its word up')}."
    )
