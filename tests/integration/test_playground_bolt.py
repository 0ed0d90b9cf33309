"""The playground against an unmodified slack-bolt app, in Socket Mode and over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import uvicorn
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.playground.limits import Limits
from bot.playground.seed import ASK_HR, GENERAL, LEADERSHIP, NORA, SAM, default_workspace
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


async def test_an_event_that_nobody_acknowledges_is_tried_four_times(
    playground: Playground, connect: Any
) -> None:
    await connect()  # no listener: bolt answers 404, which Socket Mode turns into silence
    await playground.say(NORA, GENERAL, "anyone?")
    (event,) = playground.delivered("message")
    await playground.wait_for(lambda: len(event.outcomes) == 4)
    assert {outcome.reason for outcome in event.outcomes} == {"timeout"}


async def test_a_retry_says_which_one_it_is_and_why(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    attempts: list[tuple[str, str | None, str | None]] = []

    @app.middleware
    async def note(req: Any, resp: Any, next_: Any) -> Any:
        headers = {name: values[0] for name, values in req.headers.items()}
        number, reason = headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason")
        attempts.append((req.body["event_id"], number, reason))
        if len(attempts) == 3:
            return await next_()
        resp.status = 500
        return resp

    @app.event("message")
    async def message(body: Json) -> None:
        del body

    await connect()
    await playground.say(NORA, GENERAL, "are you there?")
    (event,) = playground.delivered("message")
    await playground.wait_for(lambda: event.acknowledged)
    assert [attempt[1:] for attempt in attempts[1:]] == [("1", "timeout"), ("2", "timeout")]
    assert len({attempt[0] for attempt in attempts}) == 1


async def test_each_payload_goes_to_one_of_two_sockets(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    seen: list[str] = []

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event["text"])

    await connect()
    await connect()
    for number in range(6):
        await playground.say(NORA, GENERAL, f"{number}")
    await playground.wait_for(lambda: len(seen) >= 6)
    assert sorted(seen) == [f"{number}" for number in range(6)]
    assert [socket.envelopes for socket in playground.parts.sockets.sockets] == [3, 3]


async def test_an_eleventh_socket_is_turned_away(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    playground.workspace.limits = replace(QUICK, sockets=1)
    await connect()
    client = app.client
    url = (await client.apps_connections_open(app_token=playground.app_token))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as websocket:
        assert (await websocket.receive_json())["reason"] == "too_many_websockets"


async def test_a_ticket_opens_one_socket(playground: Playground, app: AsyncApp) -> None:
    url = (await app.client.apps_connections_open(app_token=playground.app_token))["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as websocket:
            assert (await websocket.receive_json())["type"] == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_the_app_comes_back_after_its_socket_is_recycled(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    seen: list[str] = []

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event["text"])

    await connect()
    first = playground.parts.sockets.sockets[0]
    await playground.disconnect_sockets()
    await playground.wait_for(
        lambda: playground.parts.sockets.sockets and playground.parts.sockets.sockets[0] != first
    )
    await playground.say(NORA, GENERAL, "still there?")
    await playground.wait_for(lambda: seen == ["still there?"])


async def test_a_duplicated_event_keeps_its_event_id(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    seen: list[str] = []

    @app.event("message")
    async def message(body: Json) -> None:
        seen.append(body["event_id"])

    await connect()
    playground.workspace.faults.duplicate_next_events(1)
    await playground.say(NORA, GENERAL, "once or twice?")
    await playground.wait_for(lambda: len(seen) == 2)
    assert len(set(seen)) == 1


async def test_the_bot_hears_nothing_from_channels_it_is_not_in(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    await connect()
    await playground.say(SAM, LEADERSHIP, "@Lorewise a secret")
    assert playground.delivered() == []
    (warning,) = playground.messages(LEADERSHIP, user=SAM)[1:]
    assert "isn't in this channel" in warning.text


async def test_a_commands_answer_is_seen_by_the_asker_alone(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    @app.command("/ask")
    async def ask(ack: Any, command: Json, respond: Any) -> None:
        await ack(f"Looking for: {command['text']}")
        await respond(text="Twenty-five.", response_type="ephemeral")

    await connect()
    outcome = await playground.command(NORA, GENERAL, "/ask", "days off?")
    assert outcome.acknowledged
    await playground.wait_for(lambda: len(playground.messages(GENERAL, user=NORA)) == 2)
    texts = {message.text for message in playground.messages(GENERAL, user=NORA)}
    assert texts == {"Looking for: days off?", "Twenty-five."}
    assert playground.messages(GENERAL, user=SAM) == []


async def test_a_command_that_is_not_acknowledged_fails_before_the_users_eyes(
    playground: Playground, connect: Any
) -> None:
    await connect()
    outcome = await playground.command(NORA, GENERAL, "/ask", "anyone?")
    assert not outcome.acknowledged
    (shown,) = playground.messages(GENERAL, user=NORA)
    assert "dispatch_failed" in shown.text


async def test_a_response_url_is_good_for_five_answers(playground: Playground) -> None:
    url = playground.workspace.hooks.issue(NORA, GENERAL)
    webhook = AsyncWebhookClient(url)
    answers = [await webhook.send(text=f"{number}") for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert "used_url" in answers[5].body


THUMBS: Json = {
    "type": "context_actions", "block_id": "thumbs", "elements": [{
        "type": "feedback_buttons", "action_id": "rate",
        "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up"},
        "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "down"},
    }],
}  # fmt: skip


async def test_a_thumb_opens_a_modal_whose_errors_and_end_are_shown(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    actions: list[Json] = []

    @app.action("rate")
    async def rate(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        actions.extend(body["actions"])
        await client.views_open(trigger_id=body["trigger_id"], view=CORRECTION)

    @app.view("correct")
    async def correct(ack: Any, view: Json) -> None:
        text = view["state"]["values"]["answer"]["text"]["value"]
        if len(text) < 5:
            await ack(response_action="errors", errors={"answer": "Say more."})
        else:
            await ack()

    await connect()
    posted = await app.client.chat_postMessage(channel=GENERAL, text="25", blocks=[THUMBS])
    await playground.click(NORA, GENERAL, posted["ts"], "rate", value="down")
    view = await playground.wait_for(lambda: playground.workspace.views.top(NORA))
    assert (actions[0]["type"], actions[0]["value"]) == ("feedback_buttons", "down")
    assert (actions[0]["block_id"], actions[0]["text"]["text"]) == ("thumbs", "Bad")

    def values(text: str) -> Json:
        return {"answer": {"text": {"type": "plain_text_input", "value": text}}}

    required = await playground.submit_view(NORA, view.id, values(""))
    assert required == {"answer": "Please complete this required field."}
    assert await playground.submit_view(NORA, view.id, values("no")) == {"answer": "Say more."}
    assert await playground.submit_view(NORA, view.id, values("It is 30.")) == {}
    assert playground.workspace.views.top(NORA) is None


CORRECTION: Json = {
    "type": "modal", "callback_id": "correct", "title": {"type": "plain_text", "text": "Correct"},
    "submit": {"type": "plain_text", "text": "Send"}, "notify_on_close": True,
    "blocks": [{
        "type": "input", "block_id": "answer", "label": {"type": "plain_text", "text": "Answer"},
        "element": {"type": "plain_text_input", "action_id": "text"},
    }],
}  # fmt: skip


async def test_closing_a_modal_is_heard_when_the_app_asked_to(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    closed: list[Json] = []

    @app.shortcut("ask_lorewise")
    async def shortcut(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=CORRECTION)

    @app.view_closed("correct")
    async def close(ack: Any, body: Json) -> None:
        await ack()
        closed.append(body)

    await connect()
    said = await playground.say(NORA, GENERAL, "question")
    await playground.shortcut(NORA, GENERAL, said.ts, "ask_lorewise")
    view = await playground.wait_for(lambda: playground.workspace.views.top(NORA))
    await playground.close_view(NORA, view.id)
    assert closed[0]["view"]["id"] == view.id


async def test_a_home_tab_is_published_when_it_is_opened(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    @app.event("app_home_opened")
    async def opened(event: Json, client: AsyncWebClient) -> None:
        assert event["tab"] == "home"
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "Welcome"}}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    await connect()
    await playground.open_home(NORA)
    home = await playground.wait_for(lambda: playground.workspace.views.homes.get(NORA))
    assert home.content["blocks"][0]["text"]["text"] == "Welcome"


async def test_the_stop_button_ends_a_stream_and_tells_the_app(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    stopped: list[Json] = []

    @app.event("agent_session_stopped")
    async def stop(event: Json) -> None:
        stopped.append(event)

    await connect()
    said = await playground.say(NORA, GENERAL, "tell me everything")
    client = app.client
    await client.agents_sessions_setStatus(
        channel_id=GENERAL, thread_ts=said.ts, status="processing"
    )
    started = await client.chat_startStream(
        channel=GENERAL, thread_ts=said.ts, recipient_team_id="T0PLAYGRND", recipient_user_id=NORA
    )
    await playground.stop(NORA, GENERAL, said.ts)
    await playground.wait_for(lambda: stopped)
    assert stopped[0]["streaming_message_ts"] == [started["ts"]]
    assert (stopped[0]["user"], stopped[0]["thread_ts"]) == (NORA, said.ts)


async def test_reactions_edits_and_deletions_are_events(
    playground: Playground, app: AsyncApp, connect: Any
) -> None:
    seen: list[Json] = []

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event)

    @app.event("reaction_added")
    async def added(event: Json) -> None:
        seen.append(event)

    @app.event("reaction_removed")
    async def removed(event: Json) -> None:
        seen.append(event)

    await connect()
    said = await playground.say(NORA, GENERAL, "frist")
    await playground.react(SAM, GENERAL, said.ts, "+1")
    await playground.unreact(SAM, GENERAL, said.ts, "+1")
    await playground.edit(NORA, GENERAL, said.ts, "first")
    await playground.delete(NORA, GENERAL, said.ts)
    await playground.wait_for(lambda: len(seen) == 5)
    by_kind = {event.get("subtype") or event["type"]: event for event in seen}
    assert by_kind["reaction_added"]["item"] == {
        "type": "message", "channel": GENERAL, "ts": said.ts}  # fmt: skip
    assert by_kind["reaction_removed"]["item_user"] == NORA
    assert by_kind["message_changed"]["message"]["text"] == "first"
    assert by_kind["message_changed"]["previous_message"]["text"] == "frist"
    assert by_kind["message_deleted"]["deleted_ts"] == said.ts


async def test_a_bot_hears_its_own_messages_under_its_bot_id(
    playground: Playground, app: AsyncApp
) -> None:
    await app.client.chat_postMessage(channel=GENERAL, text="mine")
    (event,) = playground.delivered("message")
    assert event.payload["event"]["bot_id"] == "B0LOREWISE"
    assert event.payload["authorizations"][0]["user_id"] == "U0LOREWISE"


# over HTTP


class Served:
    """An ASGI app on a free port of this machine."""

    def __init__(self, app: Any) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))

    async def __aenter__(self) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        self.task = asyncio.create_task(self.server._serve([listener]))
        while not self.server.started:
            await asyncio.sleep(0.005)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events"

    async def __aexit__(self, *error: object) -> None:
        self.server.should_exit = True
        await self.task


def http_app(playground: Playground, secret: str | None = None) -> tuple[AsyncApp, Starlette]:
    """A bolt app behind Starlette that checks signatures."""
    app = AsyncApp(
        client=AsyncWebClient(playground.bot_token, base_url=playground.api_url),
        signing_secret=secret or playground.signing_secret,
    )
    handler = AsyncSlackRequestHandler(app)

    async def events(request: Request) -> Response:
        return await handler.handle(request)

    return app, Starlette(routes=[Route("/slack/events", events, methods=["POST"])])


async def test_events_commands_and_clicks_arrive_signed_over_http(playground: Playground) -> None:
    app, served = http_app(playground)
    seen: list[str] = []

    @app.event("message")
    async def message(event: Json) -> None:
        seen.append(event["text"])

    @app.command("/ask")
    async def ask(ack: Any) -> None:
        await ack("Looking.")

    @app.action("rate")
    async def rate(ack: Any, action: Json) -> None:
        await ack()
        seen.append(action["value"])

    async with Served(served) as request_url:
        await playground.use_http(request_url).verify()
        await playground.say(NORA, GENERAL, "over HTTP")
        await playground.wait_for(lambda: seen == ["over HTTP"])
        await playground.command(NORA, GENERAL, "/ask", "?")
        posted = await app.client.chat_postMessage(channel=GENERAL, text="25", blocks=[THUMBS])
        await playground.click(NORA, GENERAL, posted["ts"], "rate", value="up")
        await playground.wait_for(lambda: "up" in seen)
    assert [m.text for m in playground.messages(GENERAL, user=NORA) if m.viewer] == ["Looking."]


async def test_a_wrong_signature_is_retried_as_an_http_error(playground: Playground) -> None:
    app, served = http_app(playground, secret="another")

    @app.event("message")
    async def message(event: Json) -> None:
        del event

    async with Served(served) as request_url:
        playground.use_http(request_url)
        await playground.say(NORA, GENERAL, "hello")
        (event,) = playground.delivered("message")
        await playground.wait_for(lambda: len(event.outcomes) == 4)
    assert {outcome.reason for outcome in event.outcomes} == {"http_error"}
    assert not event.acknowledged


async def test_an_app_that_is_down_is_told_again_when_it_is_back(playground: Playground) -> None:
    app, served = http_app(playground)

    @app.event("message")
    async def message(event: Json) -> None:
        del event

    playground.workspace.limits = replace(QUICK, retry_delays_seconds=(0.0, 0.5))
    transport = playground.use_http("http://127.0.0.1:9/slack/events")
    await playground.say(NORA, GENERAL, "hello")
    (event,) = playground.delivered("message")
    await playground.wait_for(lambda: len(event.outcomes) == 2)
    async with Served(served) as request_url:
        transport.request_url = request_url
        await playground.wait_for(lambda: event.acknowledged)
    assert [outcome.reason for outcome in event.outcomes] == ["connection_failed"] * 2 + [""]
