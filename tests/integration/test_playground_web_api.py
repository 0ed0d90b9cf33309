"""The playground's Web API through the real client: rights, limits, rates, faults."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.limits import Limits
from bot.playground.scopes import DEFAULT_SCOPES
from bot.playground.seed import GENERAL, LEADERSHIP, NORA, SAM, default_workspace
from bot.playground.server import Playground

Json = dict[str, Any]
UNLIMITED = Limits(rate_limiting=False)


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1_732_390_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def playground(clock: Clock) -> AsyncIterator[Playground]:
    workspace = default_workspace(limits=UNLIMITED, now=clock)
    async with Playground(workspace) as playground:
        yield playground


@pytest.fixture
def client(playground: Playground) -> AsyncWebClient:
    return client_of(playground)


def client_of(playground: Playground, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token or playground.bot_token, base_url=playground.api_url)


async def refusal(call: Any) -> Json:
    """The body of the refusal that `call` must end in."""
    with pytest.raises(SlackApiError) as caught:
        await call
    body = caught.value.response.data
    assert isinstance(body, dict)
    return body


# who may call


async def test_a_wrong_token_is_refused(playground: Playground) -> None:
    answer = await refusal(client_of(playground, "xoxb-wrong").auth_test())
    assert answer["error"] == "invalid_auth"


async def test_a_call_without_a_token_is_refused(playground: Playground) -> None:
    url = f"{playground.api_url}auth.test"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (await answer.json())["error"] == "not_authed"


async def test_the_app_token_posts_no_messages(playground: Playground) -> None:
    client = client_of(playground, playground.app_token)
    answer = await refusal(client.chat_postMessage(channel=GENERAL, text="hello"))
    assert answer["error"] == "not_allowed_token_type"


async def test_a_missing_scope_is_named(clock: Clock) -> None:
    workspace = default_workspace(now=clock, scopes=DEFAULT_SCOPES - {"chat:write"})
    async with Playground(workspace) as playground:
        call = client_of(playground).chat_postMessage(channel=GENERAL, text="hello")
        answer = await refusal(call)
    assert answer["error"] == "missing_scope"
    assert answer["needed"] == "chat:write"
    assert "channels:read" in answer["provided"]


async def test_the_token_may_stand_in_a_form(playground: Playground) -> None:
    form = {"token": playground.bot_token, "channel": GENERAL, "text": "hello"}
    url = f"{playground.api_url}chat.postMessage"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        assert (await answer.json())["ok"] is True


async def test_a_multipart_form_is_read(playground: Playground) -> None:
    form = aiohttp.FormData({"channel": GENERAL, "text": "سلام"})
    form.add_field("ignored", b"\x00\r\n\xff", filename="a.bin")
    headers = {"Authorization": f"Bearer {playground.bot_token}"}
    url = f"{playground.api_url}chat.postMessage"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, data=form) as answer,
    ):
        assert (await answer.json())["message"]["text"] == "سلام"


async def test_a_method_that_slack_does_not_know_is_unknown(client: AsyncWebClient) -> None:
    answer = await refusal(client.api_call("chat.shout"))
    assert answer["error"] == "unknown_method"


async def test_an_older_workspace_lacks_a_method(
    playground: Playground, client: AsyncWebClient
) -> None:
    playground.workspace.faults.remove_method("agents.sessions.setStatus")
    call = client.agents_sessions_setStatus(channel_id=GENERAL, status="active", thread_ts="1.1")
    assert (await refusal(call))["error"] == "unknown_method"


# where the bot may act


async def test_a_private_channel_without_the_bot_is_not_there(client: AsyncWebClient) -> None:
    call = client.chat_postMessage(channel=LEADERSHIP, text="hello")
    assert (await refusal(call))["error"] == "channel_not_found"
    listed = await client.conversations_list(types="public_channel,private_channel")
    assert LEADERSHIP not in {channel["id"] for channel in listed["channels"]}


async def test_a_public_channel_without_the_bot_refuses_its_posts(
    playground: Playground, client: AsyncWebClient
) -> None:
    playground.workspace.leave(playground.workspace.bot.id, GENERAL)
    assert (await client.conversations_info(channel=GENERAL))["channel"]["is_member"] is False
    call = client.chat_postMessage(channel=GENERAL, text="hello")
    assert (await refusal(call))["error"] == "not_in_channel"


async def test_others_messages_are_not_the_bots_to_change(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "mine")
    call = client.chat_update(channel=GENERAL, ts=said.ts, text="yours")
    assert (await refusal(call))["error"] == "cant_update_message"


async def test_a_reply_needs_a_thread_that_exists(client: AsyncWebClient) -> None:
    call = client.chat_postMessage(channel=GENERAL, text="hello", thread_ts="1.000001")
    assert (await refusal(call))["error"] == "thread_not_found"


# messages


async def test_message_ids_rise_even_when_the_clock_stands_still(client: AsyncWebClient) -> None:
    posts = [await client.chat_postMessage(channel=GENERAL, text=f"{n}") for n in range(5)]
    stamps = [post["ts"] for post in posts]
    assert stamps == sorted(set(stamps))
    assert all(len(ts.partition(".")[2]) == 6 for ts in stamps)


async def test_history_pages_from_the_newest_on(client: AsyncWebClient) -> None:
    for number in range(5):
        await client.chat_postMessage(channel=GENERAL, text=f"{number}")
    texts: list[str] = []
    async for page in await client.conversations_history(channel=GENERAL, limit=2):
        texts.extend(message["text"] for message in page["messages"])
    assert texts == ["4", "3", "2", "1", "0"]


async def test_replies_begin_with_the_question(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "question")
    await client.chat_postMessage(channel=GENERAL, text="answer", thread_ts=said.ts)
    thread = await client.conversations_replies(channel=GENERAL, ts=said.ts)
    first, second = thread["messages"]
    assert (first["text"], first["reply_count"]) == ("question", 1)
    assert (second["text"], second["parent_user_id"]) == ("answer", NORA)
    history = await client.conversations_history(channel=GENERAL)
    assert [message["text"] for message in history["messages"]] == ["question"]


async def test_an_ephemeral_message_is_in_no_history_and_cannot_be_updated(
    playground: Playground, client: AsyncWebClient
) -> None:
    sent = await client.chat_postEphemeral(channel=GENERAL, user=NORA, text="only you")
    assert [m.text for m in playground.messages(GENERAL, user=NORA)] == ["only you"]
    assert playground.messages(GENERAL, user=SAM) == []
    assert (await client.conversations_history(channel=GENERAL))["messages"] == []
    call = client.chat_update(channel=GENERAL, ts=sent["message_ts"], text="changed")
    assert (await refusal(call))["error"] == "message_not_found"


async def test_metadata_is_shown_only_when_asked_for(client: AsyncWebClient) -> None:
    metadata = {"event_type": "answer", "event_payload": {"id": "7"}}
    await client.chat_postMessage(channel=GENERAL, text="hello", metadata=metadata)
    plain = await client.conversations_history(channel=GENERAL)
    assert "metadata" not in plain["messages"][0]
    full = await client.conversations_history(channel=GENERAL, include_all_metadata=True)
    assert full["messages"][0]["metadata"] == metadata


async def test_a_reaction_counts_once_for_each_person(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "hello")
    await client.reactions_add(channel=GENERAL, timestamp=said.ts, name="eyes")
    again = client.reactions_add(channel=GENERAL, timestamp=said.ts, name="eyes")
    assert (await refusal(again))["error"] == "already_reacted"
    await playground.react(NORA, GENERAL, said.ts, "eyes")
    got = await client.reactions_get(channel=GENERAL, timestamp=said.ts)
    assert got["message"]["reactions"][0]["count"] == 2
    await client.reactions_remove(channel=GENERAL, timestamp=said.ts, name="eyes")
    gone = client.reactions_remove(channel=GENERAL, timestamp=said.ts, name="eyes")
    assert (await refusal(gone))["error"] == "no_reaction"


async def test_a_file_is_shown_in_the_thread(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "send me the list")
    await client.files_upload_v2(
        channel=GENERAL, thread_ts=said.ts, content="a,b\n1,2\n", filename="list.csv"
    )
    (reply,) = playground.messages(GENERAL, said.ts)[1:]
    url = reply.files[0]["url_private"]
    headers = {"Authorization": f"Bearer {playground.bot_token}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers=headers) as answer:
            assert await answer.text() == "a,b\n1,2\n"
        async with session.get(url) as answer:
            assert answer.status == 403


async def test_an_email_needs_its_own_scope(clock: Clock) -> None:
    workspace = default_workspace(now=clock, scopes=DEFAULT_SCOPES - {"users:read.email"})
    async with Playground(workspace) as playground:
        user = (await client_of(playground).users_info(user=NORA, include_locale=True))["user"]
    assert "email" not in user["profile"]
    assert user["locale"] == "en-US"


# lengths


@pytest.mark.parametrize(("length", "passes"), [(40_000, True), (40_001, False)])
async def test_a_post_holds_forty_thousand_characters(
    client: AsyncWebClient, length: int, passes: bool
) -> None:
    call = client.chat_postMessage(channel=GENERAL, text="x" * length)
    if passes:
        assert (await call)["ok"]
    else:
        assert (await refusal(call))["error"] == "msg_too_long"


@pytest.mark.parametrize(("length", "passes"), [(4_000, True), (4_001, False)])
async def test_an_update_holds_four_thousand_characters(
    client: AsyncWebClient, length: int, passes: bool
) -> None:
    ts = (await client.chat_postMessage(channel=GENERAL, text="short"))["ts"]
    call = client.chat_update(channel=GENERAL, ts=ts, text="x" * length)
    if passes:
        assert (await call)["message"]["edited"]["user"] == "U0LOREWISE"
    else:
        assert (await refusal(call))["error"] == "msg_too_long"


async def test_invalid_blocks_say_where_they_are_wrong(client: AsyncWebClient) -> None:
    blocks: list[Json] = [
        {"type": "divider"},
        {"type": "header", "text": {"type": "mrkdwn", "text": "no"}},
    ]
    answer = await refusal(client.chat_postMessage(channel=GENERAL, text="t", blocks=blocks))
    assert answer["error"] == "invalid_blocks"
    assert "/blocks/1/text" in answer["response_metadata"]["messages"][0]


# rates


async def test_posting_faster_than_one_a_second_is_refused_after_a_burst(clock: Clock) -> None:
    async with Playground(default_workspace(now=clock)) as playground:
        client = client_of(playground)
        for _ in range(Limits().posts_in_a_burst):
            await client.chat_postMessage(channel=GENERAL, text="hello")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=GENERAL, text="hello")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "1"
        clock.seconds += 1
        await client.chat_postMessage(channel=GENERAL, text="hello")


async def test_a_tier_is_counted_over_a_minute(clock: Clock) -> None:
    async with Playground(default_workspace(now=clock)) as playground:
        client = client_of(playground)
        for _ in range(20):
            await client.conversations_list()
        with pytest.raises(SlackApiError) as caught:
            await client.conversations_list()
        assert caught.value.response.headers["Retry-After"] == "60"
        clock.seconds += 60
        await client.conversations_list()


async def test_the_clients_retry_handler_gets_through_a_rate_limit(
    playground: Playground, client: AsyncWebClient
) -> None:
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    playground.workspace.faults.add("chat.postMessage", "rate_limited", retry_after_seconds=1)
    assert (await client.chat_postMessage(channel=GENERAL, text="hello"))["ok"]
    assert len(playground.messages(GENERAL)) == 1


# faults


async def test_a_server_error_passes(playground: Playground, client: AsyncWebClient) -> None:
    playground.workspace.faults.add("chat.postMessage", "server_error", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=GENERAL, text="hello")
        assert caught.value.response.status_code == 500
    assert playground.messages(GENERAL) == []
    await client.chat_postMessage(channel=GENERAL, text="hello")


async def test_a_lost_answer_may_hide_a_message_that_was_posted(
    playground: Playground, client: AsyncWebClient
) -> None:
    playground.workspace.faults.add("chat.postMessage", "half_response", takes_effect=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.chat_postMessage(channel=GENERAL, text="hello")
    assert [message.text for message in playground.messages(GENERAL)] == ["hello"]


async def test_a_call_may_hang(playground: Playground, client: AsyncWebClient) -> None:
    playground.workspace.faults.add("auth.test", "timeout", hang_seconds=30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.auth_test(), 0.2)


# streams


async def start(client: AsyncWebClient, thread_ts: str, **fields: Any) -> str:
    """Start a stream in #general for Nora; its ts."""
    answer = await client.chat_startStream(
        channel=GENERAL,
        thread_ts=thread_ts,
        recipient_team_id="T0PLAYGRND",
        recipient_user_id=NORA,
        **fields,
    )
    return str(answer["ts"])


async def test_a_stream_in_a_channel_needs_its_recipient(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "question")
    call = client.chat_startStream(channel=GENERAL, thread_ts=said.ts)
    assert (await refusal(call))["error"] == "missing_recipient_team_id"


async def test_a_stream_in_a_dm_needs_no_recipient(
    playground: Playground, client: AsyncWebClient
) -> None:
    dm = await playground.open_dm(NORA)
    said = await playground.say(NORA, dm.id, "question")
    assert (await client.chat_startStream(channel=dm.id, thread_ts=said.ts))["ok"]


async def test_a_stream_dies_five_minutes_after_its_start(
    playground: Playground, client: AsyncWebClient, clock: Clock
) -> None:
    said = await playground.say(NORA, GENERAL, "question")
    ts = await start(client, said.ts, markdown_text="a")
    clock.seconds += 299
    await client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="b")
    clock.seconds += 1
    call = client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="c")
    assert (await refusal(call))["error"] == "message_not_in_streaming_state"
    await client.chat_update(channel=GENERAL, ts=ts, text="abc")
    assert playground.messages(GENERAL, said.ts)[1].text == "abc"


async def test_a_stopped_stream_takes_no_more_text(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "question")
    ts = await start(client, said.ts, markdown_text="a")
    assert await playground.stop(NORA, GENERAL, said.ts) == [ts]
    call = client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="b")
    assert (await refusal(call))["error"] == "stopped_by_user"
    await client.chat_stopStream(channel=GENERAL, ts=ts, session_status="active")
    again = client.chat_stopStream(channel=GENERAL, ts=ts)
    assert (await refusal(again))["error"] == "message_not_in_streaming_state"


async def test_one_append_holds_twelve_thousand_characters(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "question")
    ts = await start(client, said.ts)
    call = client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="x" * 12_001)
    assert (await refusal(call))["error"] == "msg_too_long"
    await client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="x" * 12_000)


async def test_an_ordinary_message_is_no_stream(client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=GENERAL, text="hello"))["ts"]
    call = client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="more")
    assert (await refusal(call))["error"] == "message_not_in_streaming_state"


async def test_a_running_stream_is_not_updated(
    playground: Playground, client: AsyncWebClient
) -> None:
    said = await playground.say(NORA, GENERAL, "question")
    ts = await start(client, said.ts, markdown_text="a")
    call = client.chat_update(channel=GENERAL, ts=ts, text="b")
    assert (await refusal(call))["error"] == "streaming_state_conflict"


# the agent


async def test_a_status_goes_when_the_bot_answers_and_when_time_passes(clock: Clock) -> None:
    limits = replace(UNLIMITED, status_lifetime_seconds=0.05)
    async with Playground(default_workspace(limits=limits, now=clock)) as playground:
        client, statuses = client_of(playground), playground.workspace.agents.statuses
        said = await playground.say(NORA, GENERAL, "question")
        setting: Json = {"channel_id": GENERAL, "thread_ts": said.ts, "status": "is reading…"}
        await client.assistant_threads_setStatus(**setting)
        await client.chat_postMessage(channel=GENERAL, thread_ts=said.ts, text="answer")
        assert statuses == {}
        await client.assistant_threads_setStatus(**setting)
        assert statuses == {(GENERAL, said.ts): "is reading…"}
        await playground.wait_for(lambda: not statuses, timeout_seconds=1)


async def test_a_session_without_the_stop_event_warns(clock: Clock) -> None:
    workspace = default_workspace(limits=UNLIMITED, now=clock, subscriptions={"app_mention"})
    async with Playground(workspace) as playground:
        said = await playground.say(NORA, GENERAL, "question")
        answer = await client_of(playground).agents_sessions_setStatus(
            channel_id=GENERAL, thread_ts=said.ts, status="processing"
        )
    assert answer["warning"] == "missing_agent_session_stopped_event_subscription"


# views and triggers


def modal(title: str = "Correct this") -> Json:
    """A modal with one required input."""
    return {
        "type": "modal",
        "callback_id": "correct",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "answer",
                "label": {"type": "plain_text", "text": "Answer"},
                "element": {"type": "plain_text_input", "action_id": "text"},
            }
        ],
    }


async def test_a_trigger_is_good_once_and_for_three_seconds(
    playground: Playground, client: AsyncWebClient, clock: Clock
) -> None:
    views = playground.workspace.views
    trigger = views.issue_trigger(NORA)
    await client.views_open(trigger_id=trigger, view=modal())
    again = client.views_open(trigger_id=trigger, view=modal())
    assert (await refusal(again))["error"] == "trigger_exchanged"
    late = views.issue_trigger(NORA)
    clock.seconds += 3.1
    call = client.views_open(trigger_id=late, view=modal())
    assert (await refusal(call))["error"] == "expired_trigger_id"


async def test_a_modals_title_holds_twenty_four_characters(
    playground: Playground, client: AsyncWebClient
) -> None:
    trigger = playground.workspace.views.issue_trigger(NORA)
    call = client.views_open(trigger_id=trigger, view=modal("x" * 25))
    answer = await refusal(call)
    assert answer["error"] == "invalid_arguments"
    assert "/view/title" in answer["response_metadata"]["messages"][0]


async def test_an_outdated_hash_does_not_overwrite_a_home_tab(client: AsyncWebClient) -> None:
    home: Json = {"type": "home", "blocks": [{"type": "divider"}]}
    first = (await client.views_publish(user_id=NORA, view=home))["view"]["hash"]
    await client.views_publish(user_id=NORA, view=home, hash=first)
    call = client.views_publish(user_id=NORA, view=home, hash=first)
    assert (await refusal(call))["error"] == "hash_conflict"
