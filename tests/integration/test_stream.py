"""Answers on their way into Slack, against the playground on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import AnswerBrokenError
from bot.playground.limits import Limits
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, LEADERSHIP, NORA, SAM, default_workspace
from bot.playground.server import Playground
from bot.stream import Delivered, Features, Pace, Place, deliver, mark_of
from bot.texts import Texts
from knowledge.conversation import (
    Answer,
    Citation,
    Event,
    Finished,
    Searching,
    Seconds,
    Sentence,
    Writing,
)

FAST = Pace(
    flush_seconds=0.02,
    update_seconds=0.02,
    slowest_seconds=0.2,
    call_seconds=1,
    settle_seconds=0.05,
    stop_seconds=1,
)
STREAM_METHODS = ("chat.startStream", "chat.appendStream", "chat.stopStream")
TEXTS = Texts.of("en")


def an_answer(question_id: UUID, text: str, **changes: Any) -> Answer:
    citation = Citation(1, "Leave", "https://docs.example/leave", ("Annual",), 3, "25 days", "l")
    answer = Answer(
        id=uuid4(),
        question_id=question_id,
        state="answered",
        text=text,
        citations=(citation,),
        nearest=(),
        reason=None,
        language="en",
        verification=None,
        model="m",
        adapter=None,
        seconds=Seconds(0.1, 0.2, 0.3),
    )
    return replace(answer, **changes)


@dataclass
class Script:
    """Events of an answer; `pause_seconds` is between the sentences."""

    sentences: list[str]
    pause_seconds: float = 0.03
    error: Exception | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    paragraphs: bool = False
    closed: bool = False
    question_id: UUID = field(default_factory=uuid4)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def events(self) -> AsyncIterator[Event]:
        try:
            yield Searching()
            yield Writing(3)
            for text in self.sentences:
                if self.stop.is_set():
                    self.changes["state"] = "stopped"
                    break
                await asyncio.sleep(self.pause_seconds)
                yield Sentence(text, (1,), starts_paragraph=self.paragraphs)
            if self.error:
                raise self.error
            text = " ".join(self.sentences)
            yield Finished(an_answer(self.question_id, text, **self.changes))
        finally:
            self.closed = True


@dataclass
class Slack:
    """A playground, a client for it, and a question in it that waits for an answer."""

    playground: Playground
    client: AsyncWebClient
    place: Place
    features: Features = field(default_factory=Features)
    seen: list[tuple[str, str]] = field(default_factory=list)

    async def on_message(self, channel: str, ts: str) -> None:
        self.seen.append((channel, ts))

    async def deliver(
        self, script: Script, pace: Pace = FAST, place: Place | None = None, **options: Any
    ) -> Delivered:
        return await deliver(
            script.events(),
            place or self.place,
            self.client,
            TEXTS,
            question_id=script.question_id,
            on_message=self.on_message,
            features=self.features,
            pace=pace,
            **options,
        )

    @property
    def faults(self) -> Any:
        return self.playground.workspace.faults

    def called(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.playground.calls if name == method]

    def replies(self) -> list[Message]:
        """The bot's messages in the question's thread."""
        bot = self.playground.workspace.bot.id
        thread = self.playground.messages(self.place.channel, self.place.thread_ts)
        return [message for message in thread if message.user == bot]


async def open_slack(
    playground: Playground, *, channel: str = ASK_HR, user: str = NORA, dm: bool = False
) -> Slack:
    if dm:
        channel = (await playground.open_dm(user)).id
    asked = await playground.say(user, channel, "How much leave do I get?")
    client = AsyncWebClient(playground.bot_token, base_url=playground.api_url)
    team = playground.workspace.team_id
    return Slack(playground, client, Place(team, channel, user, asked.ts, is_dm=dm))


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Playground() as playground:
        yield await open_slack(playground)


def markdown_of(message: Message) -> str:
    blocks = message.blocks or []
    return "\n\n".join(block["text"] for block in blocks if block["type"] == "markdown")


def kinds(message: Message) -> list[str]:
    return [block["type"] for block in message.blocks or []]


def mark(message: Message) -> Any:
    return mark_of({"metadata": message.metadata})


SENTENCES = ["You get 25 days.", "Ask your manager.", "Unused days expire in March."]
WHOLE = "You get 25 days. [1] Ask your manager. [1] Unused days expire in March. [1]"


async def test_an_answer_is_streamed_and_ends_with_sources_and_thumbs(slack: Slack) -> None:
    script = Script(SENTENCES)
    delivered = await slack.deliver(script)
    [message] = slack.replies()
    assert delivered.mode == "stream"
    assert delivered.messages == (message.ts,)
    assert markdown_of(message) == WHOLE
    assert kinds(message) == ["markdown", "section", "context_actions"]
    assert not message.streaming
    assert "<https://docs.example/leave|Leave › Annual>, p. 3" in str(message.blocks)
    assert delivered.answer is not None
    assert mark(message).answer_id == delivered.answer.id
    assert mark(message).question_id == script.question_id
    assert len(slack.called("chat.appendStream")) >= 1
    assert slack.seen == [(ASK_HR, message.ts)]


async def test_the_first_sentence_is_shown_before_the_second_is_there(slack: Slack) -> None:
    task = asyncio.create_task(slack.deliver(Script(SENTENCES, pause_seconds=0.4)))
    await slack.playground.wait_for(slack.replies)
    [message] = slack.replies()
    assert message.stream_markdown == "You get 25 days. [1]"
    await task


async def test_the_status_line_says_what_happens_until_the_answer_comes(slack: Slack) -> None:
    await slack.deliver(Script(SENTENCES))
    statuses = [call["status"] for call in slack.called("assistant.threads.setStatus")]
    assert statuses == [TEXTS.get("status_searching"), TEXTS.get("status_writing")]
    assert not slack.playground.workspace.agents.statuses


async def test_the_thread_has_a_stop_button_while_the_answer_is_written(slack: Slack) -> None:
    await slack.deliver(Script(SENTENCES))
    statuses = [call["status"] for call in slack.called("agents.sessions.setStatus")]
    assert statuses == ["processing", "active"]


async def test_an_answer_in_a_direct_message_is_streamed_too() -> None:
    async with Playground() as playground:
        slack = await open_slack(playground, dm=True)
        delivered = await slack.deliver(Script(SENTENCES))
        [message] = slack.replies()
    assert delivered.mode == "stream"
    assert markdown_of(message) == WHOLE


async def test_pressing_stop_ends_the_generation_and_says_so(slack: Slack) -> None:
    script = Script([f"Sentence number {n} is here." for n in range(200)])
    task = asyncio.create_task(slack.deliver(script))
    await slack.playground.wait_for(slack.replies)
    assert slack.place.thread_ts
    await slack.playground.stop(NORA, ASK_HR, slack.place.thread_ts)
    delivered = await task
    [message] = slack.replies()
    assert delivered.stopped
    assert script.closed
    assert TEXTS.get("stopped") in str(message.blocks)
    assert "number 199" not in markdown_of(message)
    assert not message.streaming


async def test_pressing_stop_lets_whoever_generates_finish_the_answer(slack: Slack) -> None:
    script = Script([f"Sentence number {n} is here." for n in range(200)])
    task = asyncio.create_task(slack.deliver(script, stop=script.stop))
    await slack.playground.wait_for(slack.replies)
    assert slack.place.thread_ts
    await slack.playground.stop(NORA, ASK_HR, slack.place.thread_ts)
    delivered = await task
    [message] = slack.replies()
    assert delivered.stopped
    assert delivered.answer is not None
    assert delivered.answer.state == "stopped"
    assert mark(message).answer_id == delivered.answer.id
    assert TEXTS.get("stopped") in str(message.blocks)


async def test_a_long_answer_goes_on_in_a_new_message(slack: Slack) -> None:
    sentences = [f"Sentence number {n} is here." for n in range(60)]
    delivered = await slack.deliver(Script(sentences, 0.002), replace(FAST, stream_characters=600))
    messages = slack.replies()
    assert len(messages) > 2
    assert list(delivered.messages) == [message.ts for message in messages]
    shown = " ".join(markdown_of(message) for message in messages)
    assert [n for n in range(60) if shown.count(f"number {n} is") != 1] == []
    assert all(len(markdown_of(message)) <= 600 for message in messages)
    assert all("context_actions" not in kinds(message) for message in messages[:-1])
    assert kinds(messages[-1])[-1] == "context_actions"
    assert all(mark(message).answer_id is None for message in messages[:-1])


async def test_a_slow_answer_goes_on_in_a_new_message_before_its_stream_dies() -> None:
    workspace = default_workspace(limits=Limits(stream_lifetime_seconds=0.6))
    async with Playground(workspace) as playground:
        slack = await open_slack(playground)
        sentences = [f"Sentence number {n} is here." for n in range(12)]
        await slack.deliver(Script(sentences, 0.1), replace(FAST, stream_seconds=0.4))
        messages = slack.replies()
        shown = " ".join(markdown_of(message) for message in messages)
        assert len(messages) >= 2
        assert [n for n in range(12) if shown.count(f"number {n} is") != 1] == []
        assert not slack.called("chat.update")


async def test_a_stream_is_ended_in_time_while_the_model_is_silent() -> None:
    workspace = default_workspace(limits=Limits(stream_lifetime_seconds=0.5))
    async with Playground(workspace) as playground:
        slack = await open_slack(playground)
        await slack.deliver(Script(SENTENCES[:2], 0.8), replace(FAST, stream_seconds=0.3))
        first, second = slack.replies()
        assert (markdown_of(first), markdown_of(second)) == (
            "You get 25 days. [1]",
            "Ask your manager. [1]",
        )
        assert not slack.called("chat.update")


async def test_what_a_dead_stream_lost_is_written_into_the_same_message() -> None:
    workspace = default_workspace(limits=Limits(stream_lifetime_seconds=0.25))
    async with Playground(workspace) as playground:
        slack = await open_slack(playground)
        sentences = [f"Sentence number {n} is here." for n in range(12)]
        delivered = await slack.deliver(Script(sentences, 0.06))
        messages = slack.replies()
        shown = " ".join(markdown_of(message) for message in messages)
        assert [n for n in range(12) if shown.count(f"number {n} is") != 1] == []
        assert kinds(messages[-1])[-1] == "context_actions"
        assert delivered.messages == tuple(message.ts for message in messages)
        assert slack.called("chat.update")


@pytest.mark.parametrize(
    "error", ["unknown_method", "missing_scope", "feature_not_enabled", "not_allowed_token_type"]
)
async def test_without_streams_the_same_answer_comes_by_changing_a_message(
    slack: Slack, error: str
) -> None:
    for method in (*STREAM_METHODS, "assistant.threads.setStatus", "agents.sessions.setStatus"):
        slack.faults.remove_method(method, error)
    delivered = await slack.deliver(Script(SENTENCES))
    [message] = slack.replies()
    assert delivered.mode == "update"
    assert delivered.messages == (message.ts,)
    assert markdown_of(message) == WHOLE
    assert kinds(message) == ["markdown", "section", "context_actions"]
    assert len(slack.called("chat.postMessage")) == 1
    assert slack.seen == [(ASK_HR, message.ts)]


async def test_a_method_that_is_missing_is_not_tried_again_for_a_while(slack: Slack) -> None:
    slack.faults.remove_method("chat.startStream")
    await slack.deliver(Script(SENTENCES))
    slack.faults.restore_method("chat.startStream")
    delivered = await slack.deliver(Script(SENTENCES))
    assert delivered.mode == "update"
    assert not slack.called("chat.startStream")
    assert slack.called("chat.postMessage")[1]["text"] == TEXTS.get("looking")


async def test_a_missing_method_is_tried_again_after_an_hour(slack: Slack) -> None:
    clock = [0.0]
    slack.features = Features(lambda: clock[0])
    slack.faults.remove_method("chat.startStream")
    await slack.deliver(Script(SENTENCES))
    slack.faults.restore_method("chat.startStream")
    clock[0] = 3_601.0
    assert (await slack.deliver(Script(SENTENCES))).mode == "stream"


@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_a_stream_that_can_not_go_on_ends_as_a_whole_answer(
    slack: Slack, method: str
) -> None:
    slack.faults.add(method, "error", times=100, error="feature_not_enabled")
    workspace = slack.playground.workspace
    workspace.limits = Limits(stream_lifetime_seconds=0.2)
    task = asyncio.create_task(slack.deliver(Script(SENTENCES, 0.15)))
    await task
    shown = " ".join(markdown_of(message) for message in slack.replies())
    assert [text for text in SENTENCES if shown.count(text) != 1] == []
    assert "context_actions" in kinds(slack.replies()[-1])


async def test_without_blocks_of_this_age_the_answer_comes_in_older_ones(slack: Slack) -> None:
    for method in STREAM_METHODS:
        slack.faults.remove_method(method)
    slack.faults.add("chat.postMessage", "error", error="invalid_blocks")
    await slack.deliver(Script(SENTENCES))
    [message] = slack.replies()
    assert kinds(message) == ["section", "section", "actions"]
    assert "You get 25 days. [1]" in message.blocks[0]["text"]["text"]  # type: ignore[index]


async def test_without_chat_update_the_answer_is_posted_once_it_is_there(slack: Slack) -> None:
    for method in (*STREAM_METHODS, "chat.update"):
        slack.faults.remove_method(method)
    slack.features.refused(slack.place.team, "chat.update")
    await slack.deliver(Script(SENTENCES))
    [message] = slack.replies()
    assert markdown_of(message) == WHOLE


async def test_a_deleted_message_is_written_again(slack: Slack) -> None:
    for method in STREAM_METHODS:
        slack.faults.remove_method(method)
    task = asyncio.create_task(slack.deliver(Script(SENTENCES, 0.2)))
    await slack.playground.wait_for(slack.replies)
    slack.playground.workspace.delete_message(slack.replies()[0])
    await task
    [message] = slack.replies()
    assert markdown_of(message) == WHOLE


async def test_rate_limits_are_waited_out_and_nothing_is_lost(slack: Slack) -> None:
    slack.faults.add("chat.appendStream", "rate_limited", retry_after_seconds=1)
    slack.faults.add("chat.stopStream", "rate_limited", retry_after_seconds=1)
    await slack.deliver(Script(SENTENCES))
    [message] = slack.replies()
    assert markdown_of(message) == WHOLE
    assert mark(message).answer_id


async def test_who_would_have_to_wait_for_a_stream_gets_a_plain_message(slack: Slack) -> None:
    slack.faults.add("chat.startStream", "rate_limited", retry_after_seconds=30)
    async with asyncio.timeout(5):
        delivered = await slack.deliver(Script(SENTENCES))
    assert delivered.mode == "update"
    assert slack.features.has(slack.place.team, "chat.startStream")
    assert markdown_of(slack.replies()[0]) == WHOLE


@pytest.mark.parametrize("fault", ["half_response", "server_error", "timeout"])
@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_lost_response_to_a_post_leaves_one_message(
    slack: Slack, fault: Any, takes_effect: bool
) -> None:
    for method in STREAM_METHODS:
        slack.faults.remove_method(method)
    slack.faults.add("chat.postMessage", fault, takes_effect=takes_effect, hang_seconds=2)
    delivered = await slack.deliver(Script(SENTENCES))
    [message] = slack.replies()
    assert delivered.messages == (message.ts,)
    assert markdown_of(message) == WHOLE


@pytest.mark.parametrize("method", STREAM_METHODS)
@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_lost_response_of_a_stream_leaves_every_sentence_once(
    slack: Slack, method: str, takes_effect: bool
) -> None:
    slack.faults.add(method, "half_response", takes_effect=takes_effect)
    await slack.deliver(Script(SENTENCES))
    shown = " ".join(markdown_of(message) for message in slack.replies())
    assert [text for text in SENTENCES if shown.count(text) != 1] == []
    assert len(slack.replies()) == 1
    assert "context_actions" in kinds(slack.replies()[0])


async def test_an_answer_longer_than_any_message_is_split(slack: Slack) -> None:
    for method in STREAM_METHODS:
        slack.faults.remove_method(method)
    sentences = [f"Paragraph {n}: " + "many words that say little " * 20 for n in range(60)]
    await slack.deliver(Script(sentences, 0.001, paragraphs=True))
    messages = slack.replies()
    shown = "\n\n".join(markdown_of(message) for message in messages)
    assert len(messages) >= 3
    assert [n for n in range(60) if shown.count(f"Paragraph {n}:") != 1] == []
    assert [kinds(m)[-1] for m in messages].index("context_actions") == len(messages) - 1


async def test_an_abstention_is_one_plain_message_with_the_nearest_documents(
    slack: Slack,
) -> None:
    nearest = (Citation(1, "Travel", "https://docs.example/travel", (), None, "", "t"),)
    changes = {"state": "abstained", "reason": "no_evidence", "citations": (), "nearest": nearest}
    await slack.deliver(Script([], changes=changes))
    [message] = slack.replies()
    assert markdown_of(message) == TEXTS.get("abstained_no_evidence")
    assert TEXTS.get("nearest") in str(message.blocks)
    assert "<https://docs.example/travel|Travel>" in str(message.blocks)
    assert mark(message).answer_id
    assert not slack.called("chat.startStream")


@pytest.mark.parametrize("streams", [True, False])
async def test_an_answer_that_breaks_off_says_so_and_the_error_is_raised(
    slack: Slack, streams: bool
) -> None:
    if not streams:
        for method in STREAM_METHODS:
            slack.faults.remove_method(method)
    with pytest.raises(RuntimeError, match="the model died"):
        await slack.deliver(Script(SENTENCES, error=RuntimeError("the model died")))
    [message] = slack.replies()
    assert TEXTS.get("broken") in str(message.blocks)
    assert SENTENCES[0] in markdown_of(message)
    assert not message.streaming
    assert mark(message).answer_id is None


async def test_events_without_an_end_are_an_error_that_is_shown(slack: Slack) -> None:
    async def events() -> AsyncIterator[Event]:
        yield Sentence("Half of it.", (1,))

    with pytest.raises(AnswerBrokenError):
        await deliver(
            events(), slack.place, slack.client, TEXTS, question_id=uuid4(), pace=FAST,
            features=slack.features,
        )  # fmt: skip
    assert TEXTS.get("broken") in str(slack.replies()[0].blocks)


async def test_an_answer_that_slack_does_not_take_is_an_error(slack: Slack) -> None:
    place = replace(slack.place, channel=LEADERSHIP, thread_ts=None)
    script = Script(SENTENCES)
    with pytest.raises(SlackApiError):
        await slack.deliver(script, place=place)
    assert script.closed


async def test_nothing_unfurls(slack: Slack) -> None:
    for method in STREAM_METHODS:
        slack.faults.remove_method(method)
    await slack.deliver(Script(SENTENCES))
    posted = slack.called("chat.postMessage") + slack.called("chat.update")
    assert len(posted) >= 2
    assert all(call["unfurl_links"] is False for call in posted)
    assert all(call["unfurl_media"] is False for call in posted)


async def test_an_answer_to_a_command_is_seen_by_the_asker_alone(slack: Slack) -> None:
    url = slack.playground.workspace.hooks.issue(NORA, ASK_HR)
    place = replace(slack.place, thread_ts=None, ephemeral=True, response_url=url)
    delivered = await slack.deliver(Script(SENTENCES), place=place)
    assert delivered.mode == "ephemeral"
    assert slack.replies() == []
    [message] = [m for m in slack.playground.messages(ASK_HR, user=NORA) if m.viewer]
    assert message.viewer == NORA
    assert markdown_of(message) == WHOLE
    assert not [m for m in slack.playground.messages(ASK_HR, user=SAM) if m.viewer]


async def test_a_used_up_response_url_is_replaced_by_an_ephemeral_message(slack: Slack) -> None:
    hooks = slack.playground.workspace.hooks
    url = hooks.issue(NORA, ASK_HR)
    for _ in range(5):
        hooks.use(url.rpartition("/")[2], {"text": "used"})
    place = replace(slack.place, thread_ts=None, ephemeral=True, response_url=url)
    await slack.deliver(Script(SENTENCES), place=place)
    assert slack.called("chat.postEphemeral")[0]["user"] == NORA


async def test_where_the_bot_is_not_in_the_channel_the_answer_comes_directly(
    slack: Slack,
) -> None:
    place = replace(slack.place, channel=LEADERSHIP, user=SAM, thread_ts=None, ephemeral=True)
    delivered = await slack.deliver(Script(SENTENCES), place=place)
    direct = await slack.playground.open_dm(SAM)
    [message] = slack.playground.messages(direct.id)
    assert markdown_of(message) == WHOLE
    assert delivered.messages == (message.ts,)
    assert slack.seen == [(direct.id, message.ts)]


async def test_a_cancelled_delivery_stops_the_generation(slack: Slack) -> None:
    script = Script([f"Sentence {n}." for n in range(500)])
    task = asyncio.create_task(slack.deliver(script))
    await slack.playground.wait_for(slack.replies)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert script.closed


async def test_eight_answers_at_once_keep_apart(slack: Slack) -> None:
    slacks = [await open_slack(slack.playground) for _ in range(8)]
    scripts = [Script([f"Answer {n}, sentence {m}." for m in range(5)]) for n in range(8)]
    await asyncio.gather(*(s.deliver(script) for s, script in zip(slacks, scripts, strict=True)))
    for n, one in enumerate(slacks):
        [message] = one.replies()
        assert markdown_of(message).count(f"Answer {n},") == 5
        assert markdown_of(message).count("Answer") == 5
