"""The playground page's own API: what a browser reads, gets pushed and does."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.limits import Limits
from bot.playground.seed import GENERAL, LEADERSHIP, NORA, SAM, default_workspace
from bot.playground.server import Playground

Json = dict[str, Any]
QUICK = Limits(retry_delays_seconds=(), acknowledgement_seconds=0.2, rate_limiting=False)


class Browser:
    """One person's open page."""

    def __init__(self, session: aiohttp.ClientSession, url: str, user: str) -> None:
        self._session, self._url, self.user = session, url, user

    async def get(self, path: str, **query: str) -> Json:
        """Read something."""
        query["user"] = self.user
        async with self._session.get(f"{self._url}/playground/{path}", params=query) as answer:
            body: Json = await answer.json()
            return body

    async def do(self, what: str, **body: Any) -> Json:
        """Do something."""
        body["user"] = self.user
        async with self._session.post(f"{self._url}/playground/{what}", json=body) as answer:
            result: Json = await answer.json()
            return result

    def live(self) -> Any:
        """Open the socket for updates."""
        return self._session.ws_connect(f"{self._url}/playground/live?user={self.user}")


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    async with Playground(default_workspace("Northwind", limits=QUICK)) as playground:
        yield playground


@pytest.fixture
async def nora(playground: Playground) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession() as session:
        yield Browser(session, playground.url, NORA)


@pytest.fixture
def client(playground: Playground) -> AsyncWebClient:
    return AsyncWebClient(playground.bot_token, base_url=playground.api_url)


async def until(live: aiohttp.ClientWebSocketResponse, kind: str) -> Json:
    """The next update of a kind."""
    while True:
        update: Json = await live.receive_json(timeout=5)
        if update["type"] == kind:
            return update


async def test_the_page_learns_who_and_what_there_is(nora: Browser) -> None:
    bootstrap = await nora.get("bootstrap")
    assert bootstrap["team"]["name"] == "Northwind"
    assert {"/ask", "/lorewise", "/reindex", "/retrain"} == {
        command["command"] for command in bootstrap["commands"]
    }
    people = {user["id"]: user for user in bootstrap["users"]}
    assert people[NORA]["initials"] == "NH"
    assert people[SAM]["is_admin"] is True
    assert people[bootstrap["bot_user_id"]]["is_bot"] is True


async def test_a_private_channel_is_seen_by_its_members_only(
    playground: Playground, nora: Browser
) -> None:
    channels = (await nora.get("state"))["channels"]
    assert LEADERSHIP not in {channel["id"] for channel in channels}
    assert (await nora.get("messages", channel=LEADERSHIP))["error"] == "channel_not_found"
    refused = await nora.do("post", channel=LEADERSHIP, text="let me in")
    assert refused == {"ok": False, "error": "not_in_channel"}


async def test_a_stream_is_pushed_as_it_grows(
    playground: Playground, nora: Browser, client: AsyncWebClient
) -> None:
    async with nora.live() as live:
        ts = (await nora.do("post", channel=GENERAL, text="How long?"))["ts"]
        assert (await until(live, "message"))["message"]["text"] == "How long?"
        started = await client.chat_startStream(
            channel=GENERAL, thread_ts=ts, recipient_team_id="T0PLAYGRND",
            recipient_user_id=NORA, markdown_text="Two",
        )  # fmt: skip
        shown = (await until(live, "message"))["message"]
        assert (shown["stream_markdown"], shown["streaming"]) == ("Two", True)
        assert (await until(live, "message"))["message"]["reply_count"] == 1
        stream = {"channel": GENERAL, "ts": started["ts"]}
        await client.chat_appendStream(**stream, markdown_text=" weeks")
        assert (await until(live, "message"))["message"]["stream_markdown"] == "Two weeks"
        await client.chat_stopStream(**stream, blocks=[{"type": "divider"}])
        done = (await until(live, "message"))["message"]
        assert [block["type"] for block in done["blocks"]] == ["markdown", "divider"]
        assert "streaming" not in done


async def test_an_ephemeral_message_is_pushed_to_its_viewer_only(
    playground: Playground, nora: Browser, client: AsyncWebClient
) -> None:
    async with aiohttp.ClientSession() as session:
        sam = Browser(session, playground.url, SAM)
        async with nora.live() as hers, sam.live() as his:
            await client.chat_postEphemeral(channel=GENERAL, user=NORA, text="only you")
            await client.chat_postMessage(channel=GENERAL, text="everyone")
            assert (await until(hers, "message"))["message"]["ephemeral"] is True
            assert (await until(his, "message"))["message"]["text"] == "everyone"


async def test_status_session_prompts_and_home_are_pushed(
    playground: Playground, nora: Browser, client: AsyncWebClient
) -> None:
    dm = (await nora.do("dm", with_user="U0LOREWISE"))["channel"]["id"]
    ts = (await nora.do("post", channel=dm, text="hello"))["ts"]
    async with nora.live() as live:
        await client.assistant_threads_setStatus(
            channel_id=dm, thread_ts=ts, status="is reading…", loading_messages=["Reading…"]
        )
        assert (await until(live, "status"))["loading_messages"] == ["Reading…"]
        await client.agents_sessions_setStatus(channel_id=dm, thread_ts=ts, status="processing")
        assert (await until(live, "session"))["status"] == "processing"
        prompts = [{"title": "Leave", "message": "How many days off do I have?"}]
        await client.assistant_threads_setSuggestedPrompts(channel_id=dm, prompts=prompts)
        assert (await until(live, "prompts"))["prompts"] == prompts
        home: Json = {"type": "home", "blocks": [{"type": "divider"}]}
        await client.views_publish(user_id=NORA, view=home)
        assert (await until(live, "home"))["view"]["type"] == "home"
    state = await nora.get("state")
    assert state["home"]["blocks"][0]["type"] == "divider"
    assert state["suggested_prompts"][dm]["prompts"] == prompts


async def test_an_unanswered_command_says_so(playground: Playground, nora: Browser) -> None:
    async with nora.live() as live:
        answer = await nora.do("command", channel=GENERAL, command="/ask", text="?")
        assert answer == {"ok": True, "acknowledged": False}
        assert "dispatch_failed" in (await until(live, "message"))["message"]["text"]
    unknown = await nora.do("command", channel=GENERAL, command="/shrug", text="")
    assert unknown["error"] == "unknown_command"


async def test_an_unanswered_click_shows_a_toast(nora: Browser, client: AsyncWebClient) -> None:
    button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Go"}}
    blocks: list[Json] = [{"type": "actions", "block_id": "b", "elements": [button]}]
    ts = (await client.chat_postMessage(channel=GENERAL, text="t", blocks=blocks))["ts"]
    async with nora.live() as live:
        action = {"type": "button", "action_id": "a", "block_id": "b"}
        await nora.do("action", channel=GENERAL, ts=ts, action=action)
        assert "trouble" in (await until(live, "toast"))["text"]
        wrong = await nora.do("action", channel=GENERAL, ts=ts, action={"action_id": "z"})
        assert wrong["error"] == "action_not_found"


async def test_only_ones_own_messages_can_be_edited_and_deleted(
    playground: Playground, nora: Browser
) -> None:
    said = await playground.say(SAM, GENERAL, "mine")
    refused = await nora.do("edit", channel=GENERAL, ts=said.ts, text="yours")
    assert refused["error"] == "cant_update_message"
    own = (await nora.do("post", channel=GENERAL, text="frist"))["ts"]
    assert (await nora.do("edit", channel=GENERAL, ts=own, text="first"))["ok"] is True
    assert (await nora.get("messages", channel=GENERAL))["messages"][-1]["edited"] is True
    async with nora.live() as live:
        await nora.do("delete", channel=GENERAL, ts=own)
        assert (await until(live, "message_deleted"))["ts"] == own


async def test_another_sites_page_is_kept_out(playground: Playground) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"{playground.url}/playground/bootstrap"
        async with session.get(url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 400
        url = f"{playground.url}/playground/post"
        form = {"user": NORA, "channel": GENERAL, "text": "forged"}
        async with session.post(url, data=form) as answer:
            assert (await answer.json())["ok"] is False
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(
                f"{playground.url}/playground/live?user={NORA}", origin="https://evil.example"
            )


async def test_the_page_folder_is_not_left(playground: Playground) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{playground.url}/page/nothing.js") as answer:
            assert answer.status == 404
        async with session.get(f"{playground.url}/page/%2e%2e/server.py") as answer:
            assert answer.status == 404


async def test_a_file_that_a_person_shares_is_announced_to_the_app(
    playground: Playground,
) -> None:
    await playground.say(NORA, GENERAL, "see this", files={"a.png": b"\x89PNG"})
    (event,) = playground.delivered("message")
    inner = event.payload["event"]
    assert (inner["subtype"], inner["files"][0]["mimetype"]) == ("file_share", "image/png")
