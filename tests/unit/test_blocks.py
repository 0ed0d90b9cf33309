"""Answers as blocks, held against the limits of the playground."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import (
    FEEDBACK_ACTION,
    RLM,
    TEXT_CHARACTERS,
    Body,
    body_of,
    closing,
    fallback,
    posts,
    simpler,
)
from bot.playground.blocks import check_message
from bot.playground.limits import Limits
from bot.texts import Texts
from knowledge.conversation import (
    Answer,
    Citation,
    Reason,
    Seconds,
    Sentence,
    State,
    Verification,
)

ID = UUID("00000000-0000-4000-8000-000000000001")
EN, AR = Texts.of("en"), Texts.of("ar")
LEAVE = Citation(1, "Leave", "https://docs.example/leave?a=1&b=2", ("Annual",), 3, "25 days", "l")
ANSWER = Answer(
    id=ID,
    question_id=ID,
    state="answered",
    text="You get 25 days.",
    citations=(LEAVE,),
    nearest=(),
    reason=None,
    language="en",
    verification=None,
    model="m",
    adapter=None,
    seconds=Seconds(0.1, 0.2, 0.3),
)
NASTY = st.text(alphabet=st.sampled_from(list("<>|*_`[]()!@#: \nab漢ض.https/")), max_size=300)


def shown(blocks: object) -> str:
    return json.dumps(blocks, ensure_ascii=False)


def test_sources_are_numbered_lines_with_links() -> None:
    second = replace(LEAVE, number=3, title="Travel", url=None, heading_path=(), page=None)
    blocks = closing(replace(ANSWER, citations=(LEAVE, second)), EN)
    assert blocks[0]["text"]["text"] == (
        "*Sources*\n1. <https://docs.example/leave?a=1&amp;b=2|Leave › Annual>, p. 3\n3. Travel"
    )
    assert blocks[0]["text"]["verbatim"] is True


def test_a_source_without_a_web_address_has_no_link() -> None:
    blocks = closing(replace(ANSWER, citations=(replace(LEAVE, url="javascript:x"),)), EN)
    assert "<" not in blocks[0]["text"]["text"]


def test_the_thumbs_carry_the_answer_and_the_vote() -> None:
    thumbs = closing(ANSWER, EN)[-1]["elements"][0]
    assert thumbs["action_id"] == FEEDBACK_ACTION
    assert thumbs["positive_button"]["value"] == f"{ID}:1"
    assert thumbs["negative_button"]["value"] == f"{ID}:-1"


def test_a_verified_answer_says_who_approved_it_and_when() -> None:
    approved = Verification("user:T:U1", datetime(2026, 5, 4, tzinfo=UTC))
    answer = replace(ANSWER, state="verified", verification=approved)
    with_name = shown(closing(answer, EN, approver="Sam <!channel>"))
    assert (
        "Verified by Sam &lt;!channel&gt; on <!date^1777852800^{date_long}|2026-05-04>" in with_name
    )
    assert "user:T:U1" not in shown(closing(answer, EN))
    assert "Verified on <!date" in shown(closing(answer, EN))


@pytest.mark.parametrize("reason", ["no_evidence", "nothing_readable"])
def test_an_abstention_says_why_and_names_the_nearest_documents(reason: Reason) -> None:
    answer = replace(
        ANSWER, state="abstained", reason=reason, text="", citations=(), nearest=(LEAVE,)
    )
    assert body_of(answer, EN) == EN.texts[f"abstained_{reason}"]
    blocks = closing(answer, EN)
    assert blocks[0]["text"]["text"].startswith(f"*{EN.get('nearest')}*\n1. <https://docs.example")
    assert blocks[-1]["type"] == "context_actions"


def test_quotes_are_called_quotes() -> None:
    assert EN.get("quoted")[:20] in shown(closing(replace(ANSWER, state="quoted"), EN))
    failed = replace(ANSWER, state="quoted", reason="model_failed")
    assert EN.get("quoted_model_failed")[:20] in shown(closing(failed, EN))


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_what_is_no_whole_answer_can_not_be_rated(state: State) -> None:
    answer = replace(ANSWER, state=state)
    assert "context_actions" not in [block["type"] for block in closing(answer, EN)]


def test_sentences_are_joined_with_their_numbers() -> None:
    body = Body()
    body.add(Sentence("First.", (1,)))
    body.add(Sentence("Second.", (1, 2)))
    body.add(Sentence("New paragraph.", (), starts_paragraph=True))
    body.add(Sentence("- one", (1,), starts_paragraph=True))
    body.add(Sentence("- two", (2,), starts_paragraph=True))
    assert body.markdown == ("First. [1] Second. [1, 2]\n\nNew paragraph.\n\n- one [1]\n- two [2]")


@given(st.lists(st.tuples(NASTY, st.booleans()), max_size=8))
def test_the_text_of_an_answer_only_ever_grows(sentences: list[tuple[str, bool]]) -> None:
    body, before = Body(), ""
    for text, starts in sentences:
        body.add(Sentence(text, (1,), starts_paragraph=starts))
        assert body.markdown.startswith(before)
        before = body.markdown


def test_arabic_lines_run_from_right_to_left_even_if_they_begin_with_latin() -> None:
    body = Body()
    body.add(Sentence("الإجازة السنوية ٢٥ يومًا في السنة.", (1,)))
    body.add(Sentence("- VPN هو الاتصال الآمن", (2,), starts_paragraph=True))
    body.add(Sentence("3. اطلبها من مديرك", (2,), starts_paragraph=True))
    lines = body.markdown.split("\n\n")
    assert lines[1].startswith(f"- {RLM}VPN")
    assert lines[2].startswith(f"{RLM}3\\.")
    sources = closing(replace(ANSWER, text=body.plain), AR)[0]["text"]["text"]
    assert all(line.startswith(RLM) for line in sources.split("\n"))


@given(NASTY, NASTY, NASTY)
def test_whatever_a_document_holds_slack_takes_the_message(
    text: str, title: str, path: str
) -> None:
    citation = replace(
        LEAVE, title=title, heading_path=(text, title), url="https://x.example/" + path
    )
    answer = replace(ANSWER, citations=(citation,) * 9, text=text)
    body = Body()
    body.add(Sentence(text, (1,)))
    for texts in (EN, AR):
        for post in posts(body.markdown, closing(answer, texts)):
            check_message(post.blocks, Limits())
            check_message(simpler(post.blocks), Limits())
            assert 0 < len(post.text) <= TEXT_CHARACTERS


def test_a_hundred_long_sources_fit_into_a_message() -> None:
    citations = tuple(
        replace(LEAVE, number=n, url="https://x.example/" + "a" * 1_500) for n in range(1, 101)
    )
    check_message(closing(replace(ANSWER, citations=citations), EN), Limits())


def test_sources_and_thumbs_stand_under_the_last_message_only() -> None:
    made = posts("\n\n".join("word " * 300 for _ in range(20)), closing(ANSWER, EN))
    assert len(made) == 3
    assert [len(post.blocks) for post in made] == [1, 1, 3]
    assert all(len(post.blocks[0]["text"]) <= 11_500 for post in made)


@given(st.text(alphabet="a<&>_* \n", min_size=4_000, max_size=9_000))
def test_the_text_for_notifications_is_short(text: str) -> None:
    assert 0 < len(fallback(text)) <= TEXT_CHARACTERS


def test_older_blocks_show_the_same_words() -> None:
    body = Body()
    body.add(Sentence("Use *stars* & file_name_x.", (1,)))
    body.add(Sentence("- one", (), starts_paragraph=True))
    plain = simpler([*posts(body.markdown)[0].blocks, *closing(ANSWER, EN)])
    assert plain[0]["text"]["text"] == "Use ∗stars∗ &amp; file_name_x. [1]\n\n• one"
    assert [block["type"] for block in plain] == ["section", "section", "actions"]
    assert [element["value"] for element in plain[-1]["elements"]] == [f"{ID}:1", f"{ID}:-1"]


def test_in_an_arabic_answer_a_citation_does_not_join_the_latin_word_before_it() -> None:
    body = Body()
    body.add(Sentence("لك أيام من الإجازة وفق سياسة HaldenLink (2024).", (1,)))
    body.add(Sentence("HaldenLink تحسب الأيام.", (2,)))
    first, second = body.markdown.split(" [1] ")
    assert first == f"لك أيام من الإجازة وفق سياسة HaldenLink (2024).{RLM}"
    assert second == f"{RLM}HaldenLink تحسب الأيام. [2]"
