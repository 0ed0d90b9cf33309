"""An issue as an HTML document: a head of its fields, the description, the comments.

Data Center gives its wiki markup rendered as HTML; Cloud gives a document tree.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from knowledge.sources.atlassian import Json
from knowledge.sources.jira.adf import adf_html

VERSION = 1  # to be raised when the same issue gives other HTML

HEAD = {
    "issuetype": "Type",
    "status": "Status",
    "resolution": "Resolution",
    "priority": "Priority",
    "assignee": "Assignee",
    "reporter": "Reporter",
    "labels": "Labels",
    "components": "Components",
    "fixVersions": "Fix versions",
}
"""The fields of the head, with the words before them."""


def title_of(issue: Json) -> str:
    """The key with the summary."""
    return f"{issue.get('key')}: {(issue.get('fields') or {}).get('summary') or ''}"


def issue_html(issue: Json, comments: Sequence[Json]) -> bytes:
    """The document. `comments` are all of the issue's, those for fewer people among them."""
    fields = issue.get("fields") or {}
    rendered = issue.get("renderedFields") or {}
    parts = [f"<h1>{escape(title_of(issue))}</h1>", *_head(fields)]
    description = rendered.get("description") or _rich(fields.get("description"))
    if description:
        parts.append(f"<h2>Description</h2>{description}")
    shown = [comment for comment in comments if for_all_readers(comment)]
    if shown:
        parts.append("<h2>Comments</h2>")
    parts += [_comment(comment) for comment in shown]
    return b"<!doctype html><meta charset=utf-8>" + "".join(parts).encode()


def for_all_readers(comment: Json) -> bool:
    """Whether every reader of the issue may read it: not those for a role, a group, or agents."""
    return not comment.get("visibility") and comment.get("jsdPublic") is not False


def _head(fields: Mapping[str, Any]) -> Iterator[str]:
    lines = [(words, _shown(fields.get(name))) for name, words in HEAD.items()]
    items = "".join(f"<li>{words}: {escape(value)}</li>" for words, value in lines if value)
    if items:
        yield f"<ul>{items}</ul>"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_shown, value)))
    if isinstance(value, Mapping):
        return str(value.get("displayName") or value.get("name") or value.get("value") or "")
    return str(value or "")


def _comment(comment: Json) -> str:
    author = escape(_shown(comment.get("author")) or "Someone")
    body = comment.get("renderedBody") or _rich(comment.get("body"))
    return f"<h3>{author}, {escape(str(comment.get('created') or '')[:10])}</h3>{body}"


def _rich(value: Any) -> str:
    """Rich text in either form; plain text where it is neither."""
    if isinstance(value, Mapping):
        return adf_html(value)
    lines = escape(str(value or "")).split("\n\n")
    return "".join(f"<p>{line}</p>" for line in lines if line.strip())
