"""Channels' history as a source, against the playground's Web API."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.history import SlackSource, reader, slack_kind
from bot.history.choice import Record
from bot.history.source import DAY_SECONDS
from bot.playground.limits import Limits
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, ENGINEERING, LEADERSHIP, NORA, SAM, default_workspace
from bot.playground.server import Playground
from bot.playground.team import User
from knowledge.errors import SourceError
from knowledge.sources import Change, Checkpoint, Removed, Skipped, SourceDocument

TEAM, BOT = "T0PLAYGRND", "U0LOREWISE"


@dataclass
class Office:
    """A playground whose clock a test sets, and a source over it."""

    playground: Playground
    client: AsyncWebClient
    seconds: list[float]
    index: dict[str, str] = field(default_factory=dict)
    readers: dict[str, frozenset[str]] = field(default_factory=dict)
    cursor: dict[str, Any] | None = None
    touched: set[str] = field(default_factory=set)
    listed: dict[str, bool] = field(default_factory=dict)

    def source(self, location: str = "ask-hr", **options: str) -> SlackSource:
        async def listed(channels: Mapping[str, bool]) -> None:
            self.listed = dict(channels)

        async def touched(key: str, since: float) -> bool:
            known = key in self.touched
            self.touched.discard(key)
            return known

        async def indexed(channel: str) -> frozenset[str]:
            return frozenset(key for key in self.index if key.startswith(f"{channel}/"))

        us = Identity(TEAM, BOT, "B0LOREWISE", f"{self.playground.url}/")
        record = Record(listed, touched, indexed)
        kind = slack_kind(self.client, us, record, now=lambda: self.seconds[0])
        source = kind.load(location, options)
        assert isinstance(source, SlackSource)
        return source

    async def sync(
        self, source: SlackSource | None = None, *, cut: int | None = None
    ) -> list[Change]:
        """Follow one telling as the index does; `cut` ends it at its n-th checkpoint."""
        told: list[Change] = []
        async for change in (source or self.source()).changes(self.cursor):
            told.append(change)
            if isinstance(change, Checkpoint):
                self.cursor = change.cursor
                cut = cut - 1 if cut is not None else None
                if cut == 0:
                    return told
        await self.apply(told)
        last = told[-1]
        if isinstance(last, Checkpoint) and last.complete:
            named = {change.key for change in told if isinstance(change, SourceDocument)}
            self.index = {key: text for key, text in self.index.items() if key in named}
        return told

    async def apply(self, told: list[Change]) -> None:
        for change in told:
            if isinstance(change, SourceDocument):
                self.index[change.key] = (await change.load()).decode()
                self.readers[change.key] = change.principals or frozenset()
            elif isinstance(change, Removed):
                self.index.pop(change.key, None)

    async def say(
        self, user: str, text: str, thread: Message | None = None, **more: Any
    ) -> Message:
        channel = more.pop("channel", ASK_HR)
        ts = thread.ts if thread else None
        return await self.playground.say(user, channel, text, ts, **more)

    def later(self, seconds: float) -> None:
        self.seconds[0] += seconds

    @property
    def text(self) -> str:
        return "\n".join(self.index.values())


def documents(told: list[Change]) -> list[str]:
    return [change.key for change in told if isinstance(change, SourceDocument)]


def skipped(told: list[Change]) -> dict[str, str]:
    return {change.key: change.reason for change in told if isinstance(change, Skipped)}


def complete(told: list[Change]) -> bool:
    last = told[-1]
    assert isinstance(last, Checkpoint)
    return last.complete


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    seconds = [1_764_000_000.0]  # 2025-11-24 16:00 UTC
    workspace = default_workspace(now=lambda: seconds[0], limits=Limits(rate_limiting=False))
    async with Playground(workspace) as playground, aiohttp.ClientSession() as session:
        client = AsyncWebClient(playground.bot_token, base_url=playground.api_url, session=session)
        yield Office(playground, client, seconds)


async def test_a_thread_is_one_document_with_authors_times_and_a_link(office: Office) -> None:
    root = await office.say(NORA, "How do I claim a taxi, @sam?")
    await office.say(SAM, "With the *expense form*:\n```\nform 17b\n```", root)
    told = await office.sync()
    [document] = [change for change in told if isinstance(change, SourceDocument)]
    text = (await document.load()).decode()
    assert document.key == f"{ASK_HR}/{root.ts}"
    assert "<b>nora</b> (2025-11-24 16:00): How do I claim a taxi, @sam?" in text
    assert "<b>sam</b> (2025-11-24 16:00): With the expense form:" in text
    assert "<pre><code>form 17b</code></pre>" in text
    assert document.title == "#ask-hr: How do I claim a taxi, @sam?"
    link = await office.client.chat_getPermalink(channel=ASK_HR, message_ts=root.ts)
    assert document.url == link["permalink"]
    assert document.principals == frozenset({f"channel:{TEAM}:{ASK_HR}"})
    assert complete(told)


async def test_what_stands_alone_is_a_document_a_day(office: Office) -> None:
    await office.say(NORA, "The canteen opens at seven.")
    await office.say(SAM, "The gym is closed.")
    office.later(DAY_SECONDS)
    await office.say(NORA, "The gym is open again.")
    await office.sync()
    assert set(office.index) == {f"{ASK_HR}/2025-11-24", f"{ASK_HR}/2025-11-25"}
    assert "canteen" in office.index[f"{ASK_HR}/2025-11-24"]
    assert "gym is closed" in office.index[f"{ASK_HR}/2025-11-24"]
    assert "open again" in office.index[f"{ASK_HR}/2025-11-25"]


async def test_an_edit_changes_one_document_and_a_deletion_takes_one_away(office: Office) -> None:
    alone = await office.say(NORA, "The canteen opens at seven.")
    root = await office.say(NORA, "Who has the key?")
    reply = await office.say(SAM, "The porter has it.", root)
    office.later(DAY_SECONDS)
    other = await office.say(NORA, "A word of another day.")
    await office.sync()
    before = dict(office.index)
    await office.playground.edit(NORA, ASK_HR, alone.ts, "The canteen opens at eight.")
    await office.playground.edit(SAM, ASK_HR, reply.ts, "The guard has it.")
    told = await office.sync()
    assert not complete(told)
    assert "opens at eight" in office.text
    assert "guard" in office.text
    assert "seven" not in office.text
    assert "porter" not in office.text
    day = f"{ASK_HR}/2025-11-25"
    assert office.index[day] == before[day]
    await office.playground.delete(NORA, ASK_HR, other.ts)
    await office.playground.delete(SAM, ASK_HR, reply.ts)
    await office.playground.delete(NORA, ASK_HR, root.ts)
    assert Removed(day) in await office.sync()
    assert list(office.index) == [f"{ASK_HR}/2025-11-24"]


async def test_a_thread_that_loses_its_first_message_keeps_what_others_said(office: Office) -> None:
    root = await office.say(NORA, "A secret.")
    await office.say(SAM, "The rest of us know it.", root)
    await office.sync()
    await office.playground.delete(NORA, ASK_HR, root.ts)
    await office.sync()
    assert "secret" not in office.text
    assert "The rest of us" in office.text


async def test_the_first_reply_moves_a_message_from_its_day_to_its_thread(office: Office) -> None:
    root = await office.say(NORA, "Who has the key?")
    await office.say(SAM, "Lunch!")
    await office.sync()
    await office.say(SAM, "The porter.", root)
    await office.sync()
    assert "key" in office.index[f"{ASK_HR}/{root.ts}"]
    assert "key" not in office.index[f"{ASK_HR}/2025-11-24"]


async def test_an_unchanged_old_thread_is_not_read_again(office: Office) -> None:
    root = await office.say(NORA, "Who has the key?")
    await office.say(SAM, "The porter.", root)
    await office.sync()
    office.later(5 * DAY_SECONDS)
    calls = len([name for name, _ in office.playground.calls if name == "conversations.replies"])
    assert documents(await office.sync()) == []
    await office.say(NORA, "Thanks, found it at the porter's.", root)
    assert documents(await office.sync()) == [f"{ASK_HR}/{root.ts}"]
    again = [name for name, _ in office.playground.calls if name == "conversations.replies"]
    assert len(again) == calls + 1


async def test_everything_is_told_once_a_week_and_what_vanished_goes(office: Office) -> None:
    root = await office.say(NORA, "Who has the key?")
    await office.say(SAM, "The porter.", root)
    await office.sync()
    office.later(40 * DAY_SECONDS)
    await office.say(NORA, "Something new.")
    reply = office.playground.messages(ASK_HR, root.ts)[1]
    await office.playground.edit(SAM, ASK_HR, reply.ts, "The guard.")
    office.cursor = {**(office.cursor or {}), "complete_at": office.seconds[0]}
    await office.sync()
    assert "porter" in office.text  # too old to be looked at each time
    office.later(8 * DAY_SECONDS)
    told = await office.sync()
    assert complete(told)
    assert "guard" in office.text
    assert "porter" not in office.text


async def test_a_cut_telling_goes_on_and_the_next_tells_all_in_one_piece(office: Office) -> None:
    for day in range(4):
        await office.say(NORA, f"Word {day}.")
        office.later(DAY_SECONDS)
    first = await office.sync(cut=2)
    assert len(documents(first)) == 2
    rest = await office.sync()
    assert len(documents(rest)) == 2
    assert not set(documents(first)) & set(documents(rest))
    assert not complete(rest)
    whole = await office.sync()
    assert len(documents(whole)) == 4
    assert complete(whole)
    assert not complete(await office.sync())


async def test_long_histories_come_page_by_page(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PAGE", 7)
    root = await office.say(NORA, "A long thread.")
    for number in range(20):
        await office.say(SAM, f"Reply {number}.", root)
    for number in range(40):
        await office.say(NORA, f"Message {number}.")
        office.later(3600)
    await office.sync()
    assert all(f"Message {number}." in office.text for number in range(40))
    assert all(f"Reply {number}." in office.text for number in range(20))
    assert office.text.count("Message 7.") == 1


async def test_answers_apps_and_joins_are_left_out_with_a_count(office: Office) -> None:
    workspace = office.playground.workspace
    workspace.add_user(User("U0ALERTBOT", "alerts", "Alerts", is_bot=True))
    place = workspace.channels[ASK_HR]
    workspace.add_message(workspace.new_message(place, "U0ALERTBOT", "Disk is full."))
    workspace.add_message(workspace.new_message(place, NORA, "joined", subtype="channel_join"))
    asked = await office.say(NORA, f"<@{BOT}> where is the form?")
    workspace.add_message(
        workspace.new_message(place, BOT, "An answer of ours.", thread_ts=asked.ts)
    )
    await office.say(NORA, f"<@{BOT}> hello?")
    told = await office.sync()
    assert office.index == {}
    assert sorted(skipped(told).values()) == [
        "1 messages of Slack itself are not taken",
        "1 messages of apps are not taken",
        "1 questions to the bot are not taken",
    ]
    await office.sync(office.source(bots="yes"))
    assert "Disk is full" in office.text
    assert "An answer of ours" not in office.text


async def test_a_colleague_s_answer_below_a_question_to_the_bot_is_taken(office: Office) -> None:
    workspace = office.playground.workspace
    asked = await office.say(NORA, f"<@{BOT}> where is the form?")
    place = workspace.channels[ASK_HR]
    workspace.add_message(workspace.new_message(place, BOT, "No idea.", thread_ts=asked.ts))
    await office.say(SAM, "It hangs in the hall.", asked)
    await office.sync()
    [text] = office.index.values()
    assert "where is the form?" in text
    assert "in the hall" in text
    assert "No idea" not in text


async def test_files_are_named_as_skipped(office: Office) -> None:
    message = await office.say(NORA, "See the plan.", files={"plan.pdf": b"%PDF"})
    told = await office.sync()
    assert "file" in skipped(told)[f"{ASK_HR}/{message.ts}/plan.pdf"]
    assert "See the plan." in office.text


async def test_readers_follow_the_option_and_a_private_channel_s_are_its_members(
    office: Office,
) -> None:
    workspace = office.playground.workspace
    workspace.join(BOT, LEADERSHIP)
    await office.say(NORA, "For all.")
    await office.say(SAM, "For us.", channel=LEADERSHIP)
    await office.sync(office.source("*", public="everyone"))
    assert "For us" not in office.text  # a pattern takes no private channel
    await office.sync(office.source("*,leadership", public="everyone"))
    assert {key.split("/")[0]: readers for key, readers in office.readers.items()} == {
        ASK_HR: frozenset({"everyone"}),
        LEADERSHIP: frozenset({f"channel:{TEAM}:{LEADERSHIP}"}),
    }


async def test_a_channel_that_becomes_private_takes_its_readers_along(office: Office) -> None:
    await office.say(NORA, "For all.")
    source = office.source(public="everyone")
    await office.sync(source)
    office.playground.workspace.channels[ASK_HR].is_private = True
    await office.sync(office.source("ask-hr", public="everyone"))
    assert set(office.readers.values()) == {frozenset({f"channel:{TEAM}:{ASK_HR}"})}


async def test_a_channel_without_the_bot_is_named_and_its_documents_go(office: Office) -> None:
    await office.say(NORA, "In HR.")
    await office.say(NORA, "In engineering.", channel=ENGINEERING)
    await office.sync(office.source("ask-hr,engineering"))
    assert len(office.index) == 2
    office.playground.workspace.leave(BOT, ENGINEERING)
    told = await office.sync(office.source("ask-hr,engineering"))
    assert "invite it" in skipped(told)["engineering"]
    assert complete(told)
    assert [key.split("/")[0] for key in office.index] == [ASK_HR]


async def test_archived_channels_are_skipped_by_name(office: Office) -> None:
    await office.say(NORA, "In HR.")
    office.playground.workspace.channels[ASK_HR].is_archived = True
    assert "archived" in skipped(await office.sync())[ASK_HR]


async def test_direct_messages_are_never_read(office: Office) -> None:
    dm = await office.playground.open_dm(NORA)
    await office.say(NORA, "Between us.", channel=dm.id)
    await office.say(NORA, "In public.")
    await office.sync(office.source("*"))
    assert "Between us" not in office.text
    read = [a["channel"] for name, a in office.playground.calls if name.endswith(".history")]
    assert dm.id not in read


async def test_days_bound_what_is_kept(office: Office) -> None:
    await office.say(NORA, "Old news.")
    office.later(20 * DAY_SECONDS)
    await office.say(NORA, "New news.")
    await office.sync(office.source(days="10"))
    assert "Old" not in office.text
    assert "New" in office.text


async def test_a_limit_of_slack_is_obeyed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(reader, "sleep", sleep)
    await office.say(NORA, "News.")
    office.playground.workspace.faults.add("conversations.history", "rate_limited", times=2)
    await office.sync()
    assert "News" in office.text
    assert len(waited) == 2
    assert all(seconds >= 1 for seconds in waited)


async def test_a_missing_scope_says_what_to_do(office: Office) -> None:
    office.playground.workspace.faults.add(
        "conversations.history", "error", error="missing_scope", times=1
    )
    with pytest.raises(SourceError, match="lorewise manifest"):
        await office.sync()


async def test_what_is_deleted_while_it_is_indexed_does_not_come_back(office: Office) -> None:
    message = await office.say(NORA, "A slip of the tongue.")
    await office.say(NORA, "Another word.")
    [document] = [c async for c in office.source().changes(None) if isinstance(c, SourceDocument)]
    await office.playground.delete(NORA, ASK_HR, message.ts)
    office.touched.add(document.key)
    text = (await document.load()).decode()
    assert "slip" not in text
    assert "Another word" in text


async def test_around_a_message_its_documents_are_told_anew(office: Office) -> None:
    root = await office.say(NORA, "Who has the key?")
    await office.say(SAM, "Lunch!")
    await office.sync()
    reply = await office.say(SAM, "The porter.", root)
    await office.apply(await office.source().around(ASK_HR, root.ts, is_thread=True, known=False))
    assert "porter" in office.index[f"{ASK_HR}/{root.ts}"]
    assert "key" not in office.index[f"{ASK_HR}/2025-11-24"]
    await office.playground.delete(SAM, ASK_HR, reply.ts)
    await office.apply(await office.source().around(ASK_HR, root.ts, is_thread=True, known=True))
    assert list(office.index) == [f"{ASK_HR}/2025-11-24"]
    assert "key" in office.text
    await office.playground.delete(NORA, ASK_HR, root.ts)
    await office.apply(await office.source().around(ASK_HR, root.ts, is_thread=False, known=False))
    assert "key" not in office.text
    assert "Lunch" in office.text


async def test_a_document_that_came_by_an_event_is_removed_by_the_next_sync(office: Office) -> None:
    await office.sync()
    root = await office.say(NORA, "Who has the key?")
    await office.apply(await office.source().around(ASK_HR, root.ts, is_thread=False, known=False))
    await office.playground.delete(NORA, ASK_HR, root.ts)
    await office.sync()
    assert office.index == {}


async def test_the_channels_that_are_indexed_are_told(office: Office) -> None:
    await office.sync(office.source("ask-hr,engineering", bots="yes"))
    assert office.listed == {ASK_HR: True, ENGINEERING: True}
