"""What becomes of Slack's messages: which are taken, how they read, which channels are chosen."""

from typing import Any

import pytest

from bot.arrival import Identity
from bot.history import Asked, Choice
from bot.history.grouping import Rules, day_of
from bot.history.names import Names
from bot.history.reader import Pace, Reader
from bot.history.rendering import first_line, page, plain
from knowledge.errors import SourceError
from knowledge.parsing.html import parse_html

US = Identity("T1", "U0US", "B0US", "https://acme.slack.com/")


class NoReader(Reader):
    """Nobody needs to be looked up here."""

    def __init__(self) -> None:
        pass

    async def person(self, user: str) -> dict[str, Any]:
        return {"id": user, "profile": {"display_name": {"U1": "nora", "U2": "sam"}.get(user, "")}}


@pytest.fixture
async def names() -> Names:
    names = Names(NoReader())
    await names.learn(["U1", "U2", "U3"])
    names.learn_channels(
        [{"id": "C1", "name": "help"}, {"id": "G1", "name": "merger", "is_private": True}]
    )
    return names


def message(
    text: str = "Hello", user: str = "U1", ts: str = "1764000000.000100", **more: Any
) -> Any:
    return {"type": "message", "user": user, "ts": ts, "text": text, **more}


def markdown(*messages: Any, names: Names) -> str:
    parsed = parse_html(page("#help: Title", messages, names, US.user), "x")
    return parsed.pages[0].markdown


async def test_mentions_and_channels_get_their_names_and_links_their_words(names: Names) -> None:
    text = (
        "<@U2> asks in <#C1> and <#C9|named> about <https://x.example/a|the form>, "
        "<https://x.example/b> and <!here> &amp; <!date^1764000000^{date}|today>"
    )
    said = plain(text, names, US.user)
    assert said == (
        "@sam asks in #help and #named about the form (https://x.example/a), "
        "https://x.example/b and @here & today"
    )


async def test_a_private_channel_s_name_is_never_told_elsewhere(names: Names) -> None:
    assert "merger" not in plain("See <#G1>", names, US.user)


async def test_an_unknown_person_is_somebody(names: Names) -> None:
    assert plain("Ask <@U9>", names, US.user) == "Ask @somebody"


async def test_code_stays_as_it_was_typed(names: Names) -> None:
    said = markdown(
        message("Run this:\n```\nfor x in *.py:\n    print(x)  # &lt;x&gt;\n```\nand `a *b* c`."),
        names=names,
    )
    assert "for x in *.py:\n    print(x)  # <x>" in said
    assert "`a *b* c`" in said
    assert "**nora** (2025-11-24 16:00): Run this:" in said


async def test_what_a_person_typed_never_becomes_a_heading_or_a_tag(names: Names) -> None:
    said = markdown(message("# Not a heading\n&lt;h2&gt;nor this&lt;/h2&gt;\n---"), names=names)
    assert [line for line in said.splitlines() if line.startswith("#")] == ["# #help: Title"]


async def test_marks_of_bold_and_italic_are_not_read_aloud(names: Names) -> None:
    said = markdown(message("The *new* _rule_ ~holds~, 2*3*4 = snake_case."), names=names)
    assert "The new rule holds, 2*3*4 = snake_case." in said.replace("\\", "")


async def test_a_title_is_the_first_line_that_says_something(names: Names) -> None:
    assert first_line("\n <@U0US>  How do I\nbook?", names, US.user) == "How do I"
    assert len(first_line("word " * 90, names, US.user)) <= 80


def test_a_message_s_day_is_that_of_utc() -> None:
    assert day_of("1764028799.999999") == "2025-11-24"
    assert day_of("1764028800.000000") == "2025-11-25"


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        (message(user="U0US"), "own"),
        (message(bot_id="B0US"), "own"),
        (message(bot_id="B9"), "apps"),
        (message(subtype="bot_message"), "apps"),
        (message(subtype="channel_join"), "Slack itself"),
        (message(subtype="tombstone", hidden=True), "Slack itself"),
        (message(""), "without text"),
    ],
)
def test_what_is_left_out_has_a_reason(left_out: Any, why: str) -> None:
    assert why in str(Rules(US).why_not(left_out))


def test_apps_messages_are_taken_where_asked_but_never_our_own() -> None:
    rules = Rules(US, bots=True)
    assert rules.why_not(message(bot_id="B9")) is None
    assert rules.why_not(message(bot_id="B0US")) is not None


def test_a_question_with_our_answer_alone_is_no_knowledge() -> None:
    asked, answer = message("<@U0US> where?"), message("There.", user="U0US")
    more, human = message("and when?"), message("At noon.", user="U2")
    assert Rules(US).thread([asked, answer, more]) == []
    assert Rules(US).thread([asked, answer, human]) == [asked, human]
    assert Rules(US).thread([message("By shortcut?"), answer]) == []
    statement = message("The VPN is down.", user="U2")
    assert Rules(US).thread([statement, asked, answer]) == [statement, asked]


HELP = {"id": "C1", "name": "help-it"}
RANDOM = {"id": "C2", "name": "random"}
SECRET = {"id": "G1", "name": "help-board", "is_private": True}


def test_channels_are_chosen_by_name_id_or_pattern() -> None:
    def chosen(text: str) -> list[str]:
        choice = Choice(text)
        return [str(c["name"]) for c in (HELP, RANDOM, SECRET) if choice.takes(c)]

    assert chosen("#random, C1") == ["help-it", "random"]
    assert chosen("help-*") == ["help-it"]
    assert chosen("*,!random") == ["help-it"]
    assert chosen("help-board") == ["help-board"]
    assert chosen("G1,*") == ["help-it", "random", "help-board"]
    assert chosen("*,!C1") == ["random"]


def test_direct_messages_are_never_chosen() -> None:
    direct = {"id": "D0ABCDEFG", "is_im": True, "name": "help-it"}
    assert not Choice("*,help-it,D0ABCDEFG").takes(direct)
    assert not Choice("*").takes({"id": "G2", "is_mpim": True, "name": "mpdm-a--b"})
    with pytest.raises(SourceError, match="direct message"):
        Choice("D0ABCDEFG").check()


def test_a_named_channel_that_is_not_there_is_missing() -> None:
    assert Choice("help-it,nowhere,x-*,!gone").missing([HELP]) == ["nowhere"]


@pytest.mark.parametrize("options", [{"public": "all"}, {"bots": "maybe"}, {"days": "0"}])
def test_an_option_that_cannot_be_is_refused_with_what_can(options: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="write"):
        Asked.of(options)


def test_options_are_read_as_typed() -> None:
    asked = Asked.of({"public": "everyone", "bots": "yes", "days": "90"})
    assert (asked.public, asked.bots, asked.days) == ("everyone", True, 90)


def test_nothing_chosen_is_refused() -> None:
    for text in ("", " , ", "!random"):
        with pytest.raises(SourceError, match="Name the channels"):
            Choice(text).check()


def test_reading_keeps_below_the_limit_after_a_burst() -> None:
    seconds = [0.0]
    pace = Pace(per_minute=40, burst=5, now=lambda: seconds[0])
    for _ in range(200):
        seconds[0] += pace.wait_seconds()
    assert 285 <= seconds[0] <= 300  # 195 calls at 40 a minute
