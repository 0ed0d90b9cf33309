"""What becomes of a Confluence page's macros."""

import pytest

from knowledge.parsing import parse
from knowledge.sources.confluence.storage import account_ids, page_html


def markdown(storage: str, names: dict[str, str] | None = None) -> str:
    """The page as the index reads it, without its title."""
    parsed = parse(page_html("Title", storage, names=names), "1", "text/html")
    assert parsed.title == "Title"
    return parsed.pages[0].markdown.removeprefix("# Title").strip()


def macro(name: str, inside: str, **parameters: str) -> str:
    given = "".join(
        f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items()
    )
    return f'<ac:structured-macro ac:name="{name}">{given}{inside}</ac:structured-macro>'


def plain(text: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{text}]]></ac:plain-text-body>"


def rich(html: str) -> str:
    return f"<ac:rich-text-body>{html}</ac:rich-text-body>"


def test_the_title_stands_above_the_headings_of_the_page() -> None:
    page = page_html("A & B", "<h1>One</h1><h2>Two</h2>").decode()
    assert "<h1>A &amp; B</h1>" in page
    assert parse(page.encode(), "1", "text/html").title == "A & B"
    assert markdown("<h1>One</h1><h2>Two</h2>") == "## One\n\n### Two"


def test_code_keeps_its_lines_and_its_brackets() -> None:
    text = markdown(macro("code", plain("if (a < b) {\n  run(&x);\n}"), language="c", title="Do"))
    assert "**Do**" in text
    assert "if (a < b) {\n  run(&x);\n}" in text
    assert "```" in text
    assert "language" not in text


@pytest.mark.parametrize("name", ["info", "note", "warning", "tip"])
def test_a_panel_says_what_it_is(name: str) -> None:
    text = markdown(macro(name, rich("<p>Read this.</p>"), title="First"))
    assert f"**{name.capitalize()}**" in text
    assert "**First**" in text
    assert "> Read this." in text


def test_an_expand_shows_its_title_and_what_it_hides() -> None:
    text = markdown(macro("expand", rich("<p>Hidden text.</p>"), title="More"))
    assert text == "**More**\n\nHidden text."


def test_macros_in_macros_are_read() -> None:
    inner = macro("code", plain("x = 1"))
    text = markdown(macro("expand", rich(macro("info", rich(f"<p>See</p>{inner}"))), title="T"))
    assert "x = 1" in text
    assert "See" in text
    assert "**T**" in text


def test_tasks_show_whether_they_are_done() -> None:
    task = (
        "<ac:task><ac:task-id>{}</ac:task-id><ac:task-status>{}</ac:task-status>"
        "<ac:task-body>{}</ac:task-body></ac:task>"
    )
    tasks = task.format(7, "complete", "Sign") + task.format(8, "incomplete", "Send")
    text = markdown(f"<ac:task-list>{tasks}</ac:task-list>")
    assert [line.replace("\\", "") for line in text.splitlines()] == ["- [x] Sign", "- [ ] Send"]


def test_people_have_their_names_where_they_are_known() -> None:
    storage = (
        '<p>Ask <ac:link><ri:user ri:account-id="5b1" /></ac:link> or '
        '<ac:link><ri:user ri:userkey="8a7" /></ac:link>.</p>'
    )
    assert account_ids(storage) == {"5b1", "8a7"}
    assert markdown(storage, {"5b1": "Ann Lee"}) == "Ask @Ann Lee or @someone."


def test_links_and_pictures_are_their_words() -> None:
    storage = (
        '<p><ac:link><ri:page ri:content-title="Leave" /></ac:link>, '
        '<ac:link><ri:page ri:content-title="X" />'
        "<ac:plain-text-link-body><![CDATA[the form]]></ac:plain-text-link-body></ac:link>, "
        '<ac:link><ri:page ri:content-title="Y" /><ac:link-body><em>rules</em></ac:link-body>'
        '</ac:link>, <ac:image ac:alt="a map"><ri:attachment ri:filename="m.png" /></ac:image>, '
        '<a href="https://x.example">site</a> <ac:emoticon ac:name="tick" '
        'ac:emoji-fallback="✅" /></p>'
    )
    assert markdown(storage) == "Leave, the form, *rules*, a map, site ✅"


def test_a_table_stays_a_table() -> None:
    text = markdown(
        "<table><tbody><tr><th>Grade</th><th>Days</th></tr>"
        f"<tr><td>A&nbsp;1</td><td>{macro('status', '', title='25', colour='Green')}</td></tr>"
        "</tbody></table>"
    )
    assert next(line.split() for line in text.splitlines()) == ["|", "Grade", "|", "Days", "|"]
    assert "25" in text
    assert "Green" not in text


def test_what_comes_from_elsewhere_or_runs_is_left_out() -> None:
    included = macro(
        "include", "<ac:parameter ac:name=''><ri:page ri:content-title='Secret' /></ac:parameter>"
    )
    storage = (
        f"{included}{macro('toc', '', maxLevel='3')}{macro('html', plain('<script>x()</script>'))}"
        "<ac:placeholder>Type here</ac:placeholder><p>Kept.</p>"
    )
    assert markdown(storage) == "Kept."


def test_an_unknown_macro_keeps_its_text_and_loses_its_parameters() -> None:
    text = markdown(macro("vendor-box", rich("<p>Kept.</p>"), color="red", width="300"))
    assert text == "Kept."


def test_the_new_editors_elements_show_their_fallback() -> None:
    storage = (
        '<ac:adf-extension><ac:adf-node type="panel"><ac:adf-attribute key="panel-type">note'
        "</ac:adf-attribute><ac:adf-content><p>New.</p></ac:adf-content></ac:adf-node>"
        "<ac:adf-fallback><p>Old.</p></ac:adf-fallback></ac:adf-extension>"
    )
    assert markdown(storage) == "Old."
    assert markdown(storage.partition("<ac:adf-fallback>")[0] + "</ac:adf-extension>") == "New."


def test_layouts_dates_and_markers_leave_their_text() -> None:
    storage = (
        '<ac:layout><ac:layout-section ac:type="two_equal"><ac:layout-cell><p>Until <time '
        'datetime="2026-11-24" /></p></ac:layout-cell><ac:layout-cell><p><ac:inline-comment-marker'
        ' ac:ref="1">Marked</ac:inline-comment-marker> text</p></ac:layout-cell>'
        "</ac:layout-section></ac:layout>"
    )
    assert markdown(storage) == "Until 2026-11-24\n\nMarked text"


def test_markup_that_is_broken_is_read_as_far_as_it_goes() -> None:
    assert "Text" in markdown("<p>Text<ac:structured-macro ac:name='info'><p>More")
