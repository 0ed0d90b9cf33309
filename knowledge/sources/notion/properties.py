"""Rich text and the properties of a database's row, as HTML."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

Json = Mapping[str, Any]
_MARKS = {"code": "code", "bold": "strong", "italic": "em", "strikethrough": "del"}


def rich_text(items: Sequence[Json]) -> str:
    """The plain words of Notion's rich text."""
    return " ".join("".join(item.get("plain_text") or "" for item in items).split())


def rich_html(items: Sequence[Json]) -> str:
    """Notion's rich text with its emphasis and links."""
    return "".join(_piece(item) for item in items)


def _piece(item: Json) -> str:
    html = escape(item.get("plain_text") or "").replace("\n", "<br>")
    if not html.strip():
        return html
    if item.get("type") == "equation":
        return f"<code>{html}</code>"
    annotations = item.get("annotations") or {}
    for mark, tag in _MARKS.items():
        if annotations.get(mark):
            html = f"<{tag}>{html}</{tag}>"
    href = item.get("href")
    return f'<a href="{escape(href)}">{html}</a>' if href else html


def related(item: Json) -> list[str]:
    """The ids of the pages that a row's relations lead to (Notion names 25 of each here)."""
    return [
        page["id"]
        for property_ in (item.get("properties") or {}).values()
        for page in property_.get("relation") or ()
        if property_.get("type") == "relation"
    ]


def properties_html(item: Json, titles: Mapping[str, str]) -> str:
    """A row's properties, or what a data source's properties may be; empty where there are none.

    `titles` are those of related pages.
    """

    def describe(property_: Json) -> str:
        if item["object"] == "data_source":
            return _kind_of(property_)
        if property_.get("type") == "relation":
            names = (titles.get(page["id"], "") for page in property_.get("relation") or ())
            return ", ".join(filter(None, names))
        return value_of(property_)

    lines = [
        f"<li><strong>{escape(name)}:</strong> {escape(value)}</li>"
        for name, property_ in (item.get("properties") or {}).items()
        if property_.get("type") != "title" and (value := describe(property_))
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _kind_of(property_: Json) -> str:
    """A data source's property: its description and the choices that it offers."""
    options = (property_.get(property_["type"]) or {}).get("options") or []
    choices = ", ".join(option["name"] for option in options)
    return ". ".join(filter(None, [property_.get("description") or "", choices]))


def value_of(property_: Json) -> str:
    """A property's value in words; empty where it says nothing to a reader."""
    kind = property_.get("type") or ""
    value = property_.get(kind)
    if value is None or value == [] or kind not in _VALUES:
        return ""
    return _VALUES[kind](value)


def _names(values: Sequence[Json]) -> str:
    return ", ".join(value.get("name") or "" for value in values if value.get("name"))


def _date(value: Json) -> str:
    return " to ".join(filter(None, [value.get("start"), value.get("end")]))


def _name(value: Json) -> str:
    return str(value.get("name") or "")


def _unique_id(value: Json) -> str:
    return "-".join(str(part) for part in (value.get("prefix"), value.get("number")) if part)


def _rollup(value: Json) -> str:
    if value.get("type") == "array":
        return ", ".join(filter(None, (value_of(item) for item in value["array"])))
    return value_of(value)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


_VALUES: Mapping[str, Callable[[Any], str]] = {
    "title": rich_text,
    "rich_text": rich_text,
    "number": lambda value: f"{value:g}" if isinstance(value, float) else str(value),
    "select": _name,
    "status": _name,
    "multi_select": _names,
    "date": _date,
    "people": _names,
    "files": _names,
    "checkbox": _yes_or_no,
    "boolean": _yes_or_no,  # of a formula
    "string": str,
    "url": str,
    "email": str,
    "phone_number": str,
    "formula": value_of,
    "rollup": _rollup,
    "created_by": _name,
    "last_edited_by": _name,
    "unique_id": _unique_id,
    "place": _name,
}
