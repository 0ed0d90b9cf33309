"""What Slack's composer makes of what a person types."""

import pytest

from bot.playground.message import as_typed, rich_text

NAMES = {"lorewise": "U0LOREWISE", "nora haddad": "U0NORAHADD", "nora": "U0NORAHADD"}


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("@Lorewise hello", "<@U0LOREWISE> hello"),
        ("hello @Nora Haddad!", "hello <@U0NORAHADD>!"),
        ("<@U0LOREWISE> hello", "<@U0LOREWISE> hello"),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<!channel> wake up", "&lt;!channel&gt; wake up"),
        ("@here lunch", "<!here> lunch"),
        ("nora@lorewise.example", "nora@lorewise.example"),
        ("see https://example.com/a?b=1&c=2.", "see <https://example.com/a?b=1&amp;c=2>."),
        ("@lorewises are many", "@lorewises are many"),
        ("`@Lorewise <b>`", "`@Lorewise &lt;b&gt;`"),
        ("سلام @Lorewise", "سلام <@U0LOREWISE>"),
    ],
)
def test_typed_text_becomes_slacks_text(typed: str, sent: str) -> None:
    assert as_typed(typed, NAMES) == sent


def test_a_mention_is_an_element_of_its_own_in_rich_text() -> None:
    (block,) = rich_text("<@U0LOREWISE> is 1 &lt; 2?")
    elements = block["elements"][0]["elements"]
    assert elements == [
        {"type": "user", "user_id": "U0LOREWISE"},
        {"type": "text", "text": " is 1 < 2?"},
    ]
