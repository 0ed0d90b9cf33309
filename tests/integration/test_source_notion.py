"""What of Notion becomes documents, and what happens when Notion refuses."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.errors import EmptyDocumentError, SourceError
from knowledge.parsing import parse
from knowledge.sources import Change, Checkpoint, Removed, SourceDocument, load_source
from knowledge.sources.notion.workspace import NotionSource
from knowledge.sources.patience import Patience, Vendor
from tests.vendors.notion import TOKEN, NotionServer, identity, text
from tests.vendors.server import Fault


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NotionServer]:
    """An empty workspace."""
    monkeypatch.setenv("NOTION_TOKEN", TOKEN)
    notion = NotionServer()
    await notion.start()
    yield notion
    await notion.close()


@pytest.fixture
def source(server: NotionServer) -> NotionSource:
    """The workspace, asked without long waits."""
    vendor = Vendor("Notion", patience=Patience(tries=4, first_wait_seconds=0.01))
    return NotionSource("https://www.notion.so/acme", TOKEN, vendor, server.url)


async def told(source: NotionSource) -> list[Change]:
    return [change async for change in source.changes(None)]


async def only(source: NotionSource) -> SourceDocument:
    (document,) = [c for c in await told(source) if isinstance(c, SourceDocument)]
    return document


async def markdown(source: NotionSource) -> str:
    """The only page as the index's parser reads it."""
    document = await only(source)
    parsed = parse(await document.load(), document.key, document.media_type)
    assert parsed.title == document.title
    return unescaped(parsed.pages[0].markdown)


def unescaped(escaped: str) -> str:
    """Markdown as a reader sees it: which characters are escaped is the parser's business."""
    return re.sub(r"\\(?=\W)", "", escaped)


# what a page becomes


async def test_every_common_block_becomes_markdown(
    server: NotionServer, source: NotionSource
) -> None:
    words, block = server.words, server.block
    cells = [[[text("Day")], [text("Who & why")]], [[text("1")], [text("a < b")]]]
    rich = [text("Ask "), text("HR", "https://hr.example/x", bold=True), text(" or ")]
    rich += [text("run", code=True), text(" it", italic=True)]
    caption = {"caption": [text("The plan")], "type": "external", "name": "plan.pdf"}
    server.put_page(
        "handbook",
        "Travel & expenses",
        [
            words("heading_1", "Before you go"),
            block("paragraph", {"rich_text": rich, "color": "default"}),
            words("heading_2", "Packing", [words("paragraph", "In a toggle heading")]),
            words("bulleted_list_item", "Passport", [words("bulleted_list_item", "Valid")]),
            words("bulleted_list_item", "Tickets"),
            words("numbered_list_item", "First"),
            words("numbered_list_item", "Second"),
            words("to_do", "Book", checked=True),
            words("to_do", "Pay", checked=False),
            words("toggle", "More", [words("paragraph", "Hidden at first")]),
            words("callout", "Mind the gap", icon={"type": "emoji", "emoji": "⚠️"}),
            words("quote", "Quoted"),
            words("code", "if a < b:\n    pass", language="python"),
            block("divider", {}),
            block("equation", {"expression": "e=mc^2"}),
            block("bookmark", {"url": "https://rail.example/", "caption": [text("Trains")]}),
            block("pdf", caption),
            block("child_page", {"title": "Visas"}),
            block("table_of_contents", {"color": "default"}),
            block("unsupported", {}),
            block(
                "table",
                {"table_width": 2, "has_column_header": True, "has_row_header": False},
                [block("table_row", {"cells": row}) for row in cells],
            ),
            block(
                "column_list",
                {},
                [
                    block("column", {}, [words("paragraph", "Left")]),
                    block("column", {}, [words("paragraph", "Right")]),
                ],
            ),
            words("heading_3", "Last"),
            words("a_block_of_tomorrow", "Still read", [words("paragraph", "and below")]),
        ],
    )
    assert await markdown(source) == (
        "# Travel & expenses\n\n## Before you go\n\nAsk **HR** or `run` *it*\n\n### Packing\n\n"
        "In a toggle heading\n\n- Passport\n  - Valid\n- Tickets\n\n1. First\n2. Second\n\n"
        "- [x] Book\n- [ ] Pay\n\n**More**\n\nHidden at first\n\n> ⚠️ Mind the gap\n\n"
        "> Quoted\n\n```\nif a < b:\n    pass\n```\n\n`e=mc^2`\n\n"
        "Trains https://rail.example/\n\nplan.pdf: The plan\n\nVisas\n\n"
        "| Day | Who & why |\n| --- | --- |\n| 1 | a < b |\n\nLeft\n\nRight\n\n"
        "#### Last\n\nStill read\n\nand below"
    )


async def test_more_than_a_hundred_blocks_are_read_on_every_level(
    server: NotionServer, source: NotionSource
) -> None:
    inner = [server.words("paragraph", f"Inner {n}.") for n in range(230)]
    outer = [server.words("paragraph", f"Outer {n}.") for n in range(120)]
    server.put_page("long", "Long", [*outer, server.words("toggle", "Open", inner)])
    lines = [line for line in (await markdown(source)).split("\n") if line]
    assert lines[1:] == [
        *(f"Outer {n}." for n in range(120)),
        "**Open**",
        *(f"Inner {n}." for n in range(230)),
    ]


async def test_a_synced_block_is_read_where_it_stands_if_its_original_is_shared(
    server: NotionServer, source: NotionSource
) -> None:
    origin = server.block("synced_block", {"synced_from": None}, [server.words("paragraph", "Us")])
    private = server.block("synced_block", {"synced_from": None}, [server.words("quote", "Secret")])
    server.unshared.add(private["id"])

    def copy(of: dict[str, Any]) -> dict[str, Any]:
        link = {"synced_from": {"type": "block_id", "block_id": of["id"]}}
        return server.block("synced_block", link, [server.words("paragraph", "not asked for")])

    server.put_page("copies", "Copies", [origin, copy(origin), copy(private)])
    assert await markdown(source) == "# Copies\n\nUs\n\nUs"


async def test_a_row_is_a_document_with_its_properties_as_a_head(
    server: NotionServer, source: NotionSource
) -> None:
    properties = {
        "Status": {"type": "status", "status": {"name": "Approved", "color": "green"}},
        "Owner": {"type": "people", "people": [{"object": "user", "name": "Ada"}, {"id": "x"}]},
        "Due": {"type": "date", "date": {"start": "2026-04-01", "end": "2026-04-03"}},
        "Cost": {"type": "number", "number": 12.5},
        "Tags": {"type": "multi_select", "multi_select": [{"name": "a"}, {"name": "b"}]},
        "Paid": {"type": "checkbox", "checkbox": False},
        "Note": {"type": "rich_text", "rich_text": [text("by "), text("card")]},
        "Key": {"type": "unique_id", "unique_id": {"prefix": "REQ", "number": 7}},
        "Sum": {"type": "formula", "formula": {"type": "string", "string": "ok"}},
        "All": {
            "type": "rollup",
            "rollup": {"type": "array", "array": [{"type": "number", "number": 3}]},
        },
        "Empty": {"type": "select", "select": None},
        "Kin": {
            "type": "relation",
            "relation": [{"id": identity(name)} for name in ("team", "hidden", "team")],
            "has_more": False,
        },
    }
    server.put_page("team", "Team red", [])
    server.put_page("hidden", "Hidden", [])
    server.unshared = {identity("hidden")}
    server.late = {identity("team")}  # so that the listing does not tell its title
    server.put_page("row", "New laptop", [], properties=properties)
    assert await markdown(source) == (
        "# New laptop\n\n- **Status:** Approved\n- **Owner:** Ada\n"
        "- **Due:** 2026-04-01 to 2026-04-03\n- **Cost:** 12.5\n- **Tags:** a, b\n- **Paid:** no\n"
        "- **Note:** by card\n- **Key:** REQ-7\n- **Sum:** ok\n- **All:** 3\n"
        "- **Kin:** Team red, Team red"
    )
    assert server.asked("/v1/pages/") == 2


async def test_a_database_tells_what_it_is_for_and_rows_are_found_before_the_search_finds_them(
    server: NotionServer, source: NotionSource
) -> None:
    select = {"type": "select", "select": {"options": [{"name": "Open"}, {"name": "Closed"}]}}
    database = server.put_data_source("db", "Requests", "What we buy.", {"State": select})
    parent = {"type": "data_source_id", "data_source_id": database, "database_id": identity("d")}
    names = [f"row {n}" for n in range(130)]
    for name in names:
        server.put_page(name, name, [server.words("paragraph", name)], parent=parent)
    server.late = {identity(name) for name in names[60:]}
    documents = [c for c in await told(source) if isinstance(c, SourceDocument)]
    assert [d.title for d in documents].count("Requests") == 1
    assert sorted(d.title or "" for d in documents if d.title != "Requests") == sorted(names)
    table = next(d for d in documents if d.title == "Requests")
    parsed = parse(await table.load(), table.key, table.media_type)
    assert unescaped(parsed.pages[0].markdown) == (
        "# Requests\n\nWhat we buy.\n\n- **State:** Open, Closed"
    )


async def test_a_page_without_a_word_is_told_to_be_empty(
    server: NotionServer, source: NotionSource
) -> None:
    server.put_page("empty", "Only a title", [server.block("divider", {})][:0])
    document = await only(source)
    with pytest.raises(EmptyDocumentError):
        parse(await document.load(), document.key, document.media_type)


# what is told


async def test_only_an_edited_page_has_another_fingerprint_and_times_are_settled(
    server: NotionServer, source: NotionSource
) -> None:
    server.put_page("old", "Old", [])
    first, second = await only(source), await only(source)
    assert first.fingerprint == second.fingerprint == "2026-03-01T09:01:00.000Z"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")
    server.items[identity("old")]["last_edited_time"] = now
    first, second = await only(source), await only(source)  # the same minute may bring more edits
    assert first.fingerprint != second.fingerprint


async def test_what_is_archived_is_removed(server: NotionServer, source: NotionSource) -> None:
    server.put_page("old", "Old", [])
    server.items[identity("old")]["archived"] = True
    removed, last = await told(source)
    assert removed == Removed(identity("old"))
    assert isinstance(last, Checkpoint)
    assert last.complete


async def test_what_the_search_misses_for_a_while_stays(
    server: NotionServer, source: NotionSource
) -> None:
    for name in ("kept", "missed", "unshared", "binned"):
        server.put_page(name, name, [])
    table = server.put_data_source("table", "Table", "What we buy.", {})
    *_, last = await told(source)
    assert isinstance(last, Checkpoint)
    server.late = {identity("missed"), table}
    server.unshared = {identity("unshared")}
    server.items[identity("binned")]["in_trash"] = True
    *changes, last = [change async for change in source.changes(last.cursor)]
    documents = {c.title for c in changes if isinstance(c, SourceDocument)}
    assert documents == {"kept", "missed", "Table"}
    assert [c.key for c in changes if isinstance(c, Removed)] == [identity("binned")]
    assert isinstance(last, Checkpoint)
    assert last.complete
    assert len(last.cursor["named"] if last.cursor else ()) == 4


async def test_a_listing_that_notion_calls_incomplete_removes_nothing(
    server: NotionServer, source: NotionSource
) -> None:
    server.put_page("a", "A", [])
    server.incomplete = True
    *_, last = await told(source)
    assert isinstance(last, Checkpoint)
    assert not last.complete


async def test_the_listing_takes_a_request_for_a_hundred_pages(
    server: NotionServer, source: NotionSource
) -> None:
    for number in range(250):
        server.put_page(str(number), str(number), [])
    assert len(await told(source)) == 251
    assert len(server.requests) == 3


# what goes wrong


async def test_a_rate_limit_and_a_broken_server_are_waited_for(
    server: NotionServer, source: NotionSource
) -> None:
    server.put_page("a", "A", [server.words("paragraph", "Here.")])
    limited = {"object": "error", "status": 429, "code": "rate_limited", "message": "Slow down."}
    server.faults += [Fault(429, limited, {"Retry-After": "0"}), Fault(502), Fault(503)]
    assert "Here." in await markdown(source)


async def test_a_server_that_stays_broken_is_a_source_error(
    server: NotionServer, source: NotionSource
) -> None:
    said = {"object": "error", "status": 500, "code": "internal_server_error", "message": "Oh no."}
    server.faults += [Fault(500, said)] * 4
    with pytest.raises(SourceError, match="Notion answers 500"):
        await told(source)


async def test_a_wrong_token_says_where_to_get_a_right_one(
    server: NotionServer, source: NotionSource
) -> None:
    with pytest.raises(SourceError, match=r"refuses the token.*my-integrations"):
        await told(replace(source, token="ntn_old"))


async def test_an_integration_that_may_not_read_content_is_told_so(
    server: NotionServer, source: NotionSource
) -> None:
    server.put_page("a", "A", [])
    document = await only(source)
    said = {"object": "error", "status": 403, "code": "restricted_resource", "message": "No."}
    server.faults.append(Fault(403, said))
    with pytest.raises(SourceError, match="Read content"):
        await document.load()


async def test_a_page_that_is_unshared_meanwhile_fails_alone(
    server: NotionServer, source: NotionSource
) -> None:
    server.put_page("a", "A", [])
    document = await only(source)
    server.unshared.add(identity("a"))
    with pytest.raises(SourceError, match="Share it with the integration"):
        await document.load()


async def test_too_deep_a_page_is_refused(server: NotionServer, source: NotionSource) -> None:
    block = server.words("paragraph", "The deepest.")
    for _ in range(40):
        block = server.words("toggle", "Open", [block])
    server.put_page("deep", "Deep", [block])
    with pytest.raises(SourceError, match="nested deeper"):
        await (await only(source)).load()


def test_options_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTION_TOKEN", TOKEN)
    usual = load_source("notion", "https://www.notion.so/acme", {"token": "env:NOTION_TOKEN"})
    assert isinstance(usual, NotionSource)
    assert usual.vendor.patience.requests_per_second == 3  # what Notion allows
    with pytest.raises(SourceError, match="token=env"):
        load_source("notion", "https://www.notion.so/acme")
    options = {"token": "env:NOTION_TOKEN", "requests_per_second": "fast"}
    with pytest.raises(SourceError, match="requests_per_second"):
        load_source("notion", "https://www.notion.so/acme", options)
