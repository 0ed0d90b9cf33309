"""Text of a model, a document or a person, made inert in Slack's two markups.

Whatever such a text holds, it stays text: no formatting, no mention, no emoji, no link. A link
that a click or an unfurl follows is the way out for what should stay inside, so schemes are
dropped and names of hosts are broken by a character that no resolver takes.
"""

import re
import unicodedata
from urllib.parse import quote, urlsplit

# Zero width non-joiner: unseen, a letter's shape after a dot, an @ or a colon doesn't change by it,
# and a host with it is no valid host (a word joiner would be: resolvers drop it).
INERT = "\u200c"
KEPT_FORMATS = "\u200c\u200d\u200e\u200f\u061c"  # joiners and direction marks, which scripts need
LONGEST_URL = 2_000

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}:/{2,}", re.IGNORECASE)
_HOST_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})|(?<=\w)[。．｡](?=[A-Za-z])")
_AT = re.compile(r"@(?=\w)")
_EMOJI = re.compile(r":(?=[+-]1:|[\w+'-]*[^\W\d][\w+'-]*:)")
_MARKDOWN = re.compile(r"[\\`*~\[\]|]|(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"^(?:[#+=-]|\d{1,9}(?=[.)]))")
_MRKDWN = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "|": "∣"})
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_UNSAFE_IN_URL = re.compile(r"[\s<>|\"'`\\^{}]")


def inert(text: str) -> str:
    """`text` without invisible characters, and with nothing in it that a client makes a link,
    a mention or an emoji of. No markup is escaped yet."""
    text = "".join(map(_visible, text.replace("\r\n", "\n").replace("\r", "\n")))
    text = _SCHEME.sub("", text)
    text = _HOST_DOT.sub(lambda match: match.group() + INERT, text)
    text = _AT.sub("@" + INERT, text)
    return _EMOJI.sub(":" + INERT, text)


def escape_markdown(text: str) -> str:
    """`text` for a markdown block or a stream, shown as it is. Lines that begin with a bullet
    become items of a list; nothing else becomes markup."""
    return "\n".join(_markdown_line(line) for line in inert(text).split("\n"))


def escape_mrkdwn(text: str) -> str:
    """`text` for a mrkdwn text object or a message's `text`, shown nearly as it is.

    Mrkdwn has no escape for its marks; look-alikes stand in for those at a word's edge.
    """
    text = _EDGE_UNDERSCORE.sub("＿", inert(text).translate(_MRKDWN))
    lines = (re.sub(r"^\s*(>+)", lambda m: "›" * len(m[1]), line) for line in text.split("\n"))
    return _entities("\n".join(lines))


def one_line(text: str, most: int) -> str:
    """`text` in one line of at most `most` characters; what is cut is shown by an ellipsis."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def safe_url(url: str | None) -> str | None:
    """A URL of the database if it is a plain web address, else None: the source gets no link."""
    if not url or len(url) > LONGEST_URL or any(unicodedata.category(c) == "Cc" for c in url):
        return None
    try:
        parts = urlsplit(url.strip())
        host, user = parts.hostname, parts.username
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or user is not None:
        return None
    return _UNSAFE_IN_URL.sub(lambda match: quote(match.group()), url.strip())


def mrkdwn_link(url: str | None, label: str) -> str:
    """A link in mrkdwn; `label` is any text. Without a usable URL the label alone."""
    shown = escape_mrkdwn(label)
    usable = safe_url(url)
    return f"<{usable.replace('&', '&amp;')}|{shown}>" if usable else shown


def _visible(character: str) -> str:
    if character == "\n" or character in KEPT_FORMATS:
        return character
    if character == "\t" or unicodedata.category(character) in {"Zl", "Zp", "Zs"}:
        return " "
    return "" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} else character


def _markdown_line(line: str) -> str:
    line = line.strip()  # four spaces in front would be code
    bullet = re.match(r"[-*•‣]\s+(?=\S)", line)
    mark, rest = ("- ", line[bullet.end() :]) if bullet else ("", line)
    rest = _MARKDOWN.sub(lambda match: "\\" + match.group(), _entities(rest))
    return mark + _LINE_START.sub(_escape_start, rest)


def _escape_start(match: re.Match[str]) -> str:
    mark = match.group()
    return mark + "\\" if mark[0].isdigit() else "\\" + mark


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
