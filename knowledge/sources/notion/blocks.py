"""Notion's blocks as HTML, which the parser makes Markdown of."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from knowledge.sources.notion.properties import rich_html
from knowledge.sources.notion.tree import CHILDREN, Block

_LISTS = {"bulleted_list_item": "ul", "numbered_list_item": "ol", "to_do": "ul"}
# One level down: the page's title is the first heading of the document.
_HEADINGS = {"heading_1": "h2", "heading_2": "h3", "heading_3": "h4", "heading_4": "h5"}


def page_html(title: str, head: str, blocks: Sequence[Block] = ()) -> bytes:
    """A whole page; without a word but its title it has no body, and so is told to be empty."""
    body = head + blocks_html(blocks)
    if body:
        body = f"<h1>{escape(title)}</h1>{body}"
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f"<body>{body}</body></html>"
    ).encode()


def blocks_html(blocks: Sequence[Block]) -> str:
    """Blocks that stand beside each other; neighbouring items of a list are one list."""
    parts = []
    for tag, group in groupby(blocks, key=lambda block: _LISTS.get(block["type"])):
        html = "".join(_block(block) for block in group)
        parts.append(f"<{tag}>{html}</{tag}>" if tag and html else html)
    return "".join(parts)


def _block(block: Block) -> str:
    kind = block["type"]
    return _BLOCKS.get(kind, _paragraph)(block, block.get(kind) or {})


def _words(value: Mapping[str, Any]) -> str:
    return rich_html(value.get("rich_text") or [])


def _below(block: Block) -> str:
    return blocks_html(block.get(CHILDREN) or [])


def _paragraph(block: Block, value: Mapping[str, Any]) -> str:
    """Words, then what is nested: a paragraph, a column, a synced block, a kind of tomorrow."""
    words = _words(value)
    return (f"<p>{words}</p>" if words.strip() else "") + _below(block)


def _heading(block: Block, value: Mapping[str, Any]) -> str:
    tag, words = _HEADINGS[block["type"]], _words(value)
    return (f"<{tag}>{words}</{tag}>" if words.strip() else "") + _below(block)


def _item(block: Block, value: Mapping[str, Any]) -> str:
    mark = ""
    if block["type"] == "to_do":
        mark = "[x] " if value.get("checked") else "[ ] "
    return f"<li>{mark}{_words(value)}{_below(block)}</li>"


def _toggle(block: Block, value: Mapping[str, Any]) -> str:
    return f"<p><strong>{_words(value)}</strong></p>{_below(block)}"


def _quote(block: Block, value: Mapping[str, Any]) -> str:
    icon = (value.get("icon") or {}).get("emoji") or ""
    words = f"{escape(icon)} {_words(value)}".strip()
    return f"<blockquote><p>{words}</p>{_below(block)}</blockquote>"


def _code(block: Block, value: Mapping[str, Any]) -> str:
    language = escape(str(value.get("language") or ""), quote=True)
    code = escape("".join(item.get("plain_text") or "" for item in value.get("rich_text") or []))
    return f'<pre><code class="language-{language}">{code}</code></pre>{_caption(value)}'


def _caption(value: Mapping[str, Any]) -> str:
    caption = rich_html(value.get("caption") or [])
    return f"<p>{caption}</p>" if caption else ""


def _equation(block: Block, value: Mapping[str, Any]) -> str:
    return f"<p><code>{escape(value.get('expression') or '')}</code></p>"


def _table(block: Block, value: Mapping[str, Any]) -> str:
    rows = [row for row in block.get(CHILDREN) or [] if row["type"] == "table_row"]
    lines = []
    for number, row in enumerate(rows):
        tag = "th" if number == 0 and value.get("has_column_header") else "td"
        cells = (f"<{tag}>{rich_html(cell)}</{tag}>" for cell in row["table_row"]["cells"])
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>" if lines else ""


def _link(block: Block, value: Mapping[str, Any]) -> str:
    """A bookmark, an embedded page: its caption and its address."""
    words = " ".join(
        filter(None, [rich_html(value.get("caption") or []), escape(value.get("url") or "")])
    )
    return f"<p>{words}</p>" if words else ""


def _file(block: Block, value: Mapping[str, Any]) -> str:
    """A file is not read, but what is written of it is."""
    name = escape(value.get("name") or "")
    words = ": ".join(filter(None, [name, rich_html(value.get("caption") or [])]))
    return f"<p>{words}</p>" if words else ""


def _child(block: Block, value: Mapping[str, Any]) -> str:
    """A page or database in a page is a document of its own; here stands its name."""
    title = escape(value.get("title") or "")
    return f"<p>{title}</p>" if title else ""


def _nothing(block: Block, value: Mapping[str, Any]) -> str:
    return ""


_BLOCKS: Mapping[str, Callable[[Block, Mapping[str, Any]], str]] = {
    **dict.fromkeys(_HEADINGS, _heading),
    **dict.fromkeys(_LISTS, _item),
    **dict.fromkeys(["quote", "callout"], _quote),
    **dict.fromkeys(["bookmark", "embed", "link_preview"], _link),
    **dict.fromkeys(["image", "video", "audio", "file", "pdf"], _file),
    **dict.fromkeys(["child_page", "child_database"], _child),
    **dict.fromkeys(
        ["breadcrumb", "divider", "link_to_page", "table_of_contents", "unsupported"], _nothing
    ),
    "toggle": _toggle,
    "code": _code,
    "equation": _equation,
    "table": _table,
}
