"""Block Kit's limits, each at its border."""

from typing import Any

import pytest

from bot.playground.blocks import check_message, check_view
from bot.playground.errors import SlackError
from bot.playground.limits import Limits

Json = dict[str, Any]
LIMITS = Limits()


def plain(length: int) -> Json:
    """A plain text object of `length` characters."""
    return {"type": "plain_text", "text": "x" * length}


def button(text: int = 5, value: int = 5, action_id: str = "press") -> Json:
    """A button with a text and a value of the given lengths."""
    return {
        "type": "button",
        "text": plain(text),
        "value": "x" * value,
        "action_id": action_id,
    }


def thumbs(value: int = 5) -> Json:
    """Feedback buttons with values of the given length."""
    side = {"text": plain(4), "value": "x" * value}
    return {"type": "feedback_buttons", "positive_button": side, "negative_button": side}


def section(length: int) -> Json:
    """A section of `length` characters."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


def actions(count: int, **sizes: int) -> Json:
    """A row of `count` buttons."""
    return {
        "type": "actions",
        "elements": [button(**sizes, action_id=f"{n}") for n in range(count)],
    }


def context(count: int) -> Json:
    """A context block of `count` texts."""
    return {"type": "context", "elements": [plain(3) for _ in range(count)]}


def refusal(blocks: list[Json]) -> str | None:
    """The error code for a message of `blocks`; None when it's accepted."""
    try:
        check_message(blocks, LIMITS)
    except SlackError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ([section(3_000)], [section(3_001)]),
        ([{"type": "header", "text": plain(150)}], [{"type": "header", "text": plain(151)}]),
        ([{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
        ([context(10)], [context(11)]),
        ([actions(25)], [actions(26)]),
        ([actions(1, text=75)], [actions(1, text=76)]),
        ([actions(1, value=2_000)], [actions(1, value=2_001)]),
        (
            [{"type": "context_actions", "elements": [thumbs() for _ in range(5)]}],
            [{"type": "context_actions", "elements": [thumbs() for _ in range(6)]}],
        ),
        (
            [{"type": "context_actions", "elements": [thumbs(2_000)]}],
            [{"type": "context_actions", "elements": [thumbs(2_001)]}],
        ),
        (
            [{"type": "markdown", "text": "x" * 12_000}],
            [{"type": "markdown", "text": "x" * 12_001}],
        ),
    ],
)
def test_a_block_fits_up_to_slacks_limit_and_no_further(
    fits: list[Json], too_much: list[Json]
) -> None:
    assert refusal(fits) is None
    assert refusal(too_much) == "invalid_blocks"


def test_the_markdown_of_all_blocks_counts_together() -> None:
    half = {"type": "markdown", "text": "x" * 6_600}
    assert refusal([half, half]) is None
    assert refusal([half, half, {"type": "markdown", "text": "x"}]) == "msg_too_long"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "sectoin", "text": plain(3)},
        {"type": "section"},
        {"type": "section", "text": "bare"},
        {"type": "section", "text": plain(0)},
        {"type": "actions", "elements": []},
        {"type": "actions", "elements": [thumbs()]},
        {"type": "context_actions", "elements": [button()]},
        {"type": "actions", "elements": [button(), button()]},
        {"type": "image", "image_url": "https://example.com/a.png"},
        "not a block",
    ],
)
def test_a_malformed_block_is_refused(block: Any) -> None:
    assert refusal([block]) == "invalid_blocks"


def test_two_blocks_with_one_id_are_refused() -> None:
    assert refusal([{"type": "divider", "block_id": "a"}] * 2) == "invalid_blocks"


def test_blocks_and_elements_get_ids_without_touching_the_callers_own() -> None:
    sent = [{"type": "actions", "elements": [{"type": "button", "text": plain(2)}]}]
    (block,) = check_message(sent, LIMITS)
    assert block["block_id"]
    assert block["elements"][0]["action_id"]
    assert "block_id" not in sent[0]


def modal(**fields: Any) -> Json:
    """A modal with one divider."""
    return {"type": "modal", "title": plain(24), "blocks": [{"type": "divider"}], **fields}


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        (modal(), modal(title=plain(25))),
        (modal(close=plain(24)), modal(close=plain(25))),
        (modal(private_metadata="x" * 3_000), modal(private_metadata="x" * 3_001)),
        (modal(blocks=[{"type": "divider"}] * 100), modal(blocks=[{"type": "divider"}] * 101)),
    ],
)
def test_a_modal_fits_up_to_slacks_limit_and_no_further(fits: Json, too_much: Json) -> None:
    check_view(fits, "modal", LIMITS)
    with pytest.raises(SlackError, match="invalid_arguments"):
        check_view(too_much, "modal", LIMITS)


def test_a_modal_with_an_input_needs_a_submit_button() -> None:
    field = {
        "type": "input",
        "label": plain(5),
        "element": {"type": "plain_text_input", "action_id": "a"},
    }
    with pytest.raises(SlackError, match="invalid_arguments"):
        check_view(modal(blocks=[field]), "modal", LIMITS)
    check_view(modal(blocks=[field], submit=plain(4)), "modal", LIMITS)


def test_a_home_tab_is_not_opened_as_a_modal() -> None:
    with pytest.raises(SlackError, match="invalid_arguments"):
        check_view({"type": "home", "blocks": []}, "modal", LIMITS)
