"""A message, and the two shapes it is shown in: Slack's own and the playground page's."""

import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_TOKEN = re.compile(r"<(?P<sign>[@#!]?)(?P<body>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")
_UNESCAPED = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(slots=True)
class Message:
    """One message in one conversation; `ts` is its id there.

    `viewer` is set on an ephemeral message: the only person who sees it. `stream_markdown` is
    what a stream has written so far; `streaming` is true until the stream ends.
    """

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    blocks: list[Json] | None = None
    attachments: list[Json] | None = None
    bot: bool = False
    subtype: str | None = None
    client_msg_id: str | None = None
    username: str | None = None
    metadata: Json | None = None
    files: list[Json] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    edited: Json | None = None
    viewer: str | None = None
    streaming: bool = False
    stream_markdown: str | None = None
    broadcast: bool = False

    @property
    def root(self) -> str:
        """The ts of the thread that the message belongs to, or would start."""
        return self.thread_ts or self.ts

    @property
    def is_reply(self) -> bool:
        """True for a message inside a thread (not its first one)."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def reaction_list(self) -> list[Json]:
        """The reactions in Slack's shape."""
        return [
            {"name": name, "users": list(users), "count": len(users)}
            for name, users in self.reactions.items()
            if users
        ]

    def to_page(self, reply_count: int = 0) -> Json:
        """The shape that the playground page draws."""
        shape: Json = {
            "ts": self.ts,
            "channel": self.channel,
            "user": self.user,
            "bot": self.bot,
            "text": self.text,
            "reactions": self.reaction_list(),
        }
        optional: Json = {
            "thread_ts": self.thread_ts,
            "blocks": self.blocks,
            "username": self.username,
            "metadata": self.metadata,
            "files": [file | {"url_private": file.get("page_url")} for file in self.files],
            # once a stream is finished its text is the first of its blocks
            "stream_markdown": None if self.blocks else self.stream_markdown,
            "reply_count": reply_count,
            "edited": bool(self.edited),
            "ephemeral": self.viewer is not None,
            "streaming": self.streaming,
            "broadcast": self.broadcast,
        }
        return shape | {name: value for name, value in optional.items() if value}


def rich_text(text: str) -> list[Json]:
    """The rich text block that Slack's composer makes of what a person typed."""
    elements: list[Json] = []
    position = 0
    for token in _TOKEN.finditer(text):
        _add_text(elements, text[position : token.start()])
        elements.append(_rich_token(token))
        position = token.end()
    _add_text(elements, text[position:])
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": "typed", "elements": [section]}]


def _add_text(elements: list[Json], text: str) -> None:
    if not text:
        return
    for escaped, plain in _UNESCAPED:
        text = text.replace(escaped, plain)
    elements.append({"type": "text", "text": text})


def _rich_token(token: re.Match[str]) -> Json:
    sign, body = token["sign"], token["body"]
    if sign == "@":
        return {"type": "user", "user_id": body}
    if sign == "#":
        return {"type": "channel", "channel_id": body}
    if sign == "!":
        return {"type": "broadcast", "range": body}
    link: Json = {"type": "link", "url": body}
    return link | ({"text": token["label"]} if token["label"] else {})


_URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\]]")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_KEPT = re.compile(r"<(?:@[UW][A-Z0-9]+|#[CG][A-Z0-9]+(?:\|[^<>]*)?|https?://[^<>\s]+)>")


def as_typed(text: str, mentions: dict[str, str]) -> str:
    """What Slack's composer sends for what a person typed.

    `&`, `<` and `>` are escaped, links are wrapped, and `@Name` becomes `<@U…>` for every name in
    `mentions` (lower case name to user id) and `<!channel>` and the like for the broadcasts.
    Mentions and links that already are tokens stay as they are; in code nothing is a mention.
    """
    code = _CODE.split(text)
    return "".join(
        _escaped(part) if index % 2 else _typed_prose(part, mentions)
        for index, part in enumerate(code)
    )


def _typed_prose(text: str, mentions: dict[str, str]) -> str:
    parts: list[str] = []
    position = 0
    for token in _KEPT.finditer(text):
        parts.append(_typed_plain(text[position : token.start()], mentions))
        parts.append(token.group())
        position = token.end()
    parts.append(_typed_plain(text[position:], mentions))
    return "".join(parts)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _typed_plain(text: str, mentions: dict[str, str]) -> str:
    text = _escaped(text)
    text = _URL.sub(lambda match: f"<{match.group()}>", text)
    for name in sorted(mentions, key=len, reverse=True):
        pattern = re.compile(rf"(?<![\w@<])@{re.escape(name)}(?!\w)", re.IGNORECASE)
        text = pattern.sub(f"<@{mentions[name]}>", text)
    return re.sub(r"(?<![\w@<!])@(channel|here|everyone)(?!\w)", r"<!\1>", text)
