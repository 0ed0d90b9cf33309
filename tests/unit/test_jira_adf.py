"""What becomes of Cloud's document trees."""

from typing import Any

from knowledge.parsing.html import html_markdown
from knowledge.sources.jira.adf import DEEPEST, adf_html


def node(kind: str, *content: Any, **attributes: Any) -> dict[str, Any]:
    inner = [text(each) if isinstance(each, str) else each for each in content]
    return {"type": kind, "content": inner, "attrs": attributes}


def text(words: str, *marks: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "marks": [{"type": mark} for mark in marks]}


def markdown(*nodes: Any) -> str:
    return html_markdown(adf_html(node("doc", *nodes)))


def test_paragraphs_and_marks() -> None:
    paragraph = node("paragraph", "Do ", text("not", "strong"), " run ", text("rm", "code"), ".")
    assert markdown(paragraph) == "Do **not** run `rm`."


def test_headings_stand_below_the_parts_of_the_issue() -> None:
    assert markdown(node("heading", "Steps", level=1)) == "### Steps"
    assert markdown(node("heading", "Deep", level=6)) == "###### Deep"


def test_lists_tasks_and_tables() -> None:
    items = node("bulletList", node("listItem", node("paragraph", "One")))
    assert markdown(items) == "- One"
    tasks = node("taskList", node("taskItem", "Call", state="DONE"), node("taskItem", "Write"))
    assert markdown(tasks).replace("\\", "") == "- [x] Call\n- [ ] Write"
    row = node("tableRow", node("tableHeader", node("paragraph", "Key")), node("tableCell", "V"))
    assert "Key" in markdown(node("table", row))


def test_code_keeps_its_lines_and_its_brackets() -> None:
    block = node("codeBlock", 'if (a < b)\n  print("</code>")', language='py"><script>')
    assert 'if (a < b)\n  print("</code>")' in markdown(block)
    assert "<script>" not in adf_html(block)


def test_panels_and_expands_say_what_they_are() -> None:
    assert markdown(node("panel", node("paragraph", "Hot"), panelType="warning")) == (
        "> **Warning**\n>\n> Hot"
    )
    assert markdown(node("expand", node("paragraph", "In"), title="More")) == "**More**\n\nIn"


def test_what_has_no_text_of_its_own_shows_its_words() -> None:
    paragraph = node(
        "paragraph",
        node("mention", text="@Ann Lee", id="5b1"),
        " ",
        node("status", text="DONE"),
        " ",
        node("date", timestamp="1790208000000"),
        " ",
        node("inlineCard", url="https://x.example/a?b=1&c=2"),
        " ",
        node("emoji", shortName=":tada:"),
    )
    assert markdown(paragraph).replace("\\", "") == (
        "@Ann Lee DONE 2026-09-24 https://x.example/a?b=1&c=2 :tada:"
    )


def test_unknown_nodes_keep_their_text() -> None:
    assert markdown(node("newThing", node("paragraph", "Kept"))) == "Kept"


def test_a_tree_without_end_and_nonsense_are_survived() -> None:
    tree: dict[str, Any] = node("paragraph", "Bottom")
    for _ in range(DEEPEST * 20):
        tree = node("blockquote", tree)
    assert adf_html(tree).count("<blockquote>") == DEEPEST + 1
    assert adf_html(None) == adf_html("text") == adf_html({"type": "date", "attrs": []}) == ""
