"""The playground against an unmodified slack-bolt app, in Socket Mode and over HTTP."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.limits import Limits
from bot.playground.seed import ASK_HR, GENERAL, NORA, default_workspace
from bot.playground.server import Playground

Json = dict[str, Any]
QUICK = Limits(retry_delays_seconds=(0.0, 0.05, 0.1), acknowledgement_seconds=0.5)


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground(default_workspace(limits=QUICK)) as playground:
        yield playground


@pytest.fixture
async def app(playground: Playground) -> AsyncApp:
    """A bolt app, connected by Socket Mode when the test connects it."""
    return AsyncApp(client=AsyncWebClient(playground.bot_token, base_url=playground.api_url))


@pytest.fixture
async def connect(playground: Playground, app: AsyncApp) -> AsyncIterator[Callable[[], Any]]:
    handlers: list[AsyncSocketModeHandler] = []

    async def connect() -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(app, playground.app_token, ping_interval=1)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        handlers.append(handler)
        count = len(handlers)
        await playground.wait_for(lambda: len(playground.parts.sockets.sockets) >= count)
        return handler

    yield connect
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]


async def test_one_mention_arrives_as_two_events(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    seen: list[Json] = []

    @app.event("app_mention")
    async def mentioned(body: Json) -> None:
        seen.append(body)

    @app.event("message")
    async def message(body: Json) -> None:
        seen.append(body)

    await connect()
    said = await playground.say(NORA, ASK_HR, "@Lorewise how many days off do I have?")
    await playground.wait_for(lambda: len(seen) == 2)
    assert {body["event"]["type"] for body in seen} == {"app_mention", "message"}
    assert len({body["event_id"] for body in seen}) == 2
    assert {(b["event"]["channel"], b["event"]["ts"]) for b in seen} == {(ASK_HR, said.ts)}
    assert said.text.startswith("<@U0LOREWISE>")


async def test_a_question_is_answered_by_a_stream_in_its_thread(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    @app.event("message")
    async def message(event: Json, client: AsyncWebClient, context: Any) -> None:
        stream = await client.chat_stream(
            channel=event["channel"],
            thread_ts=event["ts"],
            recipient_team_id=context.team_id,
            recipient_user_id=event["user"],
            buffer_size=4,
        )
        await stream.append(markdown_text="Twenty-")
        await stream.append(markdown_text="five days.")
        await stream.stop(
            blocks=[{"type": "context", "elements": [{"type": "mrkdwn", "text": "Handbook"}]}]
        )

    await connect()
    said = await playground.say(NORA, GENERAL, "How many days off?")
    answer = await playground.wait_for(
        lambda: [m for m in playground.messages(GENERAL, said.ts) if m.bot and not m.streaming]
    )
    assert answer[0].text == "Twenty-five days."
    assert [block["type"] for block in answer[0].blocks] == ["markdown", "context"]
    assert answer[0].thread_ts == said.ts
