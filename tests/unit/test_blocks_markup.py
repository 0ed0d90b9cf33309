"""Text from outside never becomes markup. The oracle is an independent Markdown parser."""

import html
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.markup import INERT, escape_markdown, escape_mrkdwn, inert, mrkdwn_link, safe_url

MARKS = st.lists(
    st.sampled_from(
        [
            *"*_`~[](){}#+-.!|<>&\\:;=@/\n \t\r0123456789aZé漢ض",
            "**", "```", "~~~", "](", "![", "http://", "https://", "<!channel>", "<@U123>", "- ",
            "    ", "1. ", "[1]: ", ":joy:", "www.", "evil.com", "://", "\u200b", "\u202e", "---",
            "| a | b |\n", "|---|---|\n", "&lt;", "mailto:", "\ud83d",
        ]
    ),
    max_size=40,
).map("".join)  # fmt: skip
ANY = st.one_of(MARKS, st.text(max_size=80))

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS = {
    "paragraph_open", "paragraph_close", "inline", "text", "softbreak", "hardbreak", "text_special",
    "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close",
}  # fmt: skip


def tokens(markdown: str) -> list[Token]:
    flat: list[Token] = []
    for token in PARSER.parse(markdown):
        flat += [token, *(token.children or [])]
    return flat


@given(ANY)
@example("[a](https://evil.example/?q=secret)")
@example("![x](https://evil.example/p.png)")
@example("<!channel> <@U12345678> <https://evil.example|click>")
@example("x\n===\ny\n---")
@example("[1]: https://evil.example\n\n[1]")
@example("```\ncode\n```")
@example("| a | b |\n|---|---|\n| c | d |")
def test_text_from_outside_becomes_no_markdown(text: str) -> None:
    found = {token.type for token in tokens(escape_markdown(text))}
    assert found <= HARMLESS


@given(ANY)
def test_every_visible_character_is_shown(text: str) -> None:
    shown = "".join(
        token.content for token in tokens(escape_markdown(text)) if token.type == "text"
    )
    expected = re.sub(r"(?m)^\s*[-*•‣]\s+(?=\S)", "", inert(text))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", expected)


@given(ANY)
@example("hthttps://tps://evil.example")
@example("hxxp:/https:///x")
@example("www.\\www.")
def test_no_address_survives(text: str) -> None:
    shown = re.sub(r"\\(.)", r"\1", html.unescape(escape_markdown(text)))
    assert not re.search(r"[a-zA-Z][a-zA-Z0-9+.-]*://", shown)
    assert not re.search(r"\w\.[^\W\d_]{2}", shown)
    assert not re.search(r"@\w", shown)


@given(ANY)
def test_text_from_outside_becomes_no_slack_token(text: str) -> None:
    for escaped in (escape_markdown(text), escape_mrkdwn(text)):
        assert "<" not in escaped
        assert ">" not in escaped
        assert re.sub(r"&(amp|lt|gt);", "", escaped).count("&") == 0


@given(ANY)
def test_mrkdwn_has_no_marks_left(text: str) -> None:
    escaped = escape_mrkdwn(text)
    assert not set("*~`|") & set(escaped)
    assert not re.search(r"(?<![^\W_])_\S", escaped)
    assert not re.search(r"(?m)^\s*&gt;", escaped)


@given(st.text())
def test_invisible_and_direction_overriding_characters_are_gone(text: str) -> None:
    kept = set("\u200c\u200d\u200e\u200f\u061c\n")
    odd = {c for c in inert(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"}}
    assert odd <= kept


@pytest.mark.parametrize(
    "text",
    [
        "Leave is 25 days.",
        "Use snake_case_names, 3.14 and 10:30:45.",
        "الإجازة ٢٥ يومًا؟",
        "年休は25日です。",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escape_markdown(text) == text


def test_bullets_stay_a_list_and_numbers_stay_their_numbers() -> None:
    escaped = escape_markdown("- one\n* two\n3. three\n7) seven")
    assert escaped == "- one\n- two\n3\\. three\n7\\) seven"


def test_emoji_names_stay_words() -> None:
    assert escape_markdown("well :tada: done") == f"well :{INERT}tada: done"


@given(st.text())
def test_a_safe_url_is_a_plain_web_address(url: str) -> None:
    safe = safe_url("https://docs.example/" + url)
    assert safe is None or re.fullmatch(r"https?://[^\s<>|\"'`\\^{}]+", safe)


@pytest.mark.parametrize(
    "url",
    [
        None, "", "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "//evil.example",
        "https://", "https://user:secret@evil.example/", "https://a\nb", "handbook/leave.md",
        "https://[::1", "https://x:port/", "slack://open", "https://x/" + "a" * 3_000,
    ],
)  # fmt: skip
def test_what_is_no_web_address_gets_no_link(url: str | None) -> None:
    assert safe_url(url) is None
    assert mrkdwn_link(url, "Leave") == "Leave"


@given(ANY, ANY)
def test_a_link_is_one_token_with_the_url_of_the_database(path: str, label: str) -> None:
    link = mrkdwn_link("https://docs.example/a" + path.replace("\n", ""), label.replace("\n", ""))
    if link.startswith("<"):
        assert re.fullmatch(r"<https://docs\.example/a[^<>|\s]*\|[^<>|]*>", link)
    else:
        assert "<" not in link
