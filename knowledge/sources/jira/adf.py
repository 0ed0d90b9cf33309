"""The Atlassian Document Format, Cloud's form of rich text, as HTML."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

Node = Mapping[str, Any]

_WRAPPED = {
    "blockquote": "blockquote",
    "bulletList": "ul",
    "decisionItem": "li",
    "decisionList": "ul",
    "listItem": "li",
    "orderedList": "ol",
    "paragraph": "p",
    "table": "table",
    "tableCell": "td",
    "tableHeader": "th",
    "tableRow": "tr",
    "taskList": "ul",
}
_MARKS = {"strong": "strong", "em": "em", "code": "code", "strike": "s"}
DEEPEST = 60  # nobody writes so; a made-up document must not exhaust the stack


def adf_html(node: object, depth: int = 0) -> str:
    """A node with all in it; text of unknown nodes stays, and nothing but text becomes text."""
    if not isinstance(node, Mapping) or depth > DEEPEST:
        return ""
    kind = str(node.get("type"))
    if kind == "text":
        return _text(node)
    inner = "".join(adf_html(child, depth + 1) for child in node.get("content") or ())
    if kind in _WRAPPED:
        return f"<{_WRAPPED[kind]}>{inner}</{_WRAPPED[kind]}>"
    if kind in _BLOCKS:
        return _BLOCKS[kind](_attributes(node), inner)
    return escape(_words(kind, _attributes(node))) or inner


def _attributes(node: Node) -> Node:
    attributes = node.get("attrs")
    return attributes if isinstance(attributes, Mapping) else {}


def _text(node: Node) -> str:
    html = escape(str(node.get("text") or ""))
    for mark in node.get("marks") or ():
        kind = mark.get("type") if isinstance(mark, Mapping) else None
        if kind in _MARKS:
            html = f"<{_MARKS[kind]}>{html}</{_MARKS[kind]}>"
    return html


def _heading(attributes: Node, inner: str) -> str:
    # The title and its parts have the first two levels.
    level = min(6, 2 + max(1, int(attributes.get("level") or 1)))
    return f"<h{level}>{inner}</h{level}>"


def _code(attributes: Node, inner: str) -> str:
    language = escape(str(attributes.get("language") or ""), quote=True)
    return f'<pre><code class="language-{language}">{inner}</code></pre>'


def _panel(attributes: Node, inner: str) -> str:
    kind = escape(str(attributes.get("panelType") or "panel").capitalize())
    return f"<blockquote><p><strong>{kind}</strong></p>{inner}</blockquote>"


def _expand(attributes: Node, inner: str) -> str:
    title = escape(str(attributes.get("title") or ""))
    return (f"<p><strong>{title}</strong></p>" if title else "") + inner


def _task(attributes: Node, inner: str) -> str:
    return f"<li>{'[x]' if attributes.get('state') == 'DONE' else '[ ]'} {inner}</li>"


_BLOCKS: Mapping[str, Callable[[Node, str], str]] = {
    "codeBlock": _code,
    "expand": _expand,
    "hardBreak": lambda _attributes, _inner: "<br>",
    "heading": _heading,
    "nestedExpand": _expand,
    "panel": _panel,
    "rule": lambda _attributes, _inner: "<hr>",
    "taskItem": _task,
}


def _words(kind: str, attributes: Node) -> str:
    """What a node without text of its own shows."""
    if kind == "mention":
        return "@" + str(attributes.get("text") or "someone").lstrip("@")
    if kind in {"emoji", "status", "placeholder"}:
        return str(attributes.get("text") or attributes.get("shortName") or "")
    if kind in {"inlineCard", "blockCard", "embedCard"}:
        return str(attributes.get("url") or "")
    if kind == "media":
        return str(attributes.get("alt") or "")
    return _date(attributes) if kind == "date" else ""


def _date(attributes: Node) -> str:
    try:
        moment = datetime.fromtimestamp(int(attributes["timestamp"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return ""
    return f"{moment:%Y-%m-%d}"
