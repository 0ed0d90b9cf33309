"""A site page as HTML: its text web parts, and the words of the others."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]

VERSION = 1  # to be raised when the same page gives other HTML


def page_html(page: Json) -> bytes:
    """The page with its title, description, and the web parts of its sections in their order."""
    title, description = page.get("title"), page.get("description")
    parts = [f"<h1>{escape(str(title or page.get('name') or ''))}</h1>"]
    if description:
        parts.append(f"<p>{escape(str(description))}</p>")
    parts += [html for part in _web_parts(page.get("canvasLayout") or {}) for html in _html(part)]
    return b"<!doctype html><meta charset=utf-8>" + "".join(parts).encode()


def _web_parts(layout: Json) -> Iterator[Json]:
    for section in layout.get("horizontalSections") or ():
        for column in section.get("columns") or ():
            yield from column.get("webparts") or ()
    yield from (layout.get("verticalSection") or {}).get("webparts") or ()


def _html(part: Json) -> Iterator[str]:
    inner = part.get("innerHtml")
    if inner:
        yield f"<div>{inner}</div>"
        return
    data = part.get("data") or {}
    content = data.get("serverProcessedContent") or {}
    if data.get("title"):
        yield f"<p><strong>{escape(str(data['title']))}</strong></p>"
    for text in content.get("searchablePlainTexts") or ():
        yield f"<p>{escape(str(text.get('value') or ''))}</p>"
    for text in content.get("htmlStrings") or ():
        yield f"<div>{text.get('value') or ''}</div>"
