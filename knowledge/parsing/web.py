"""A page of a web site: its main text, without what stands on every page of the site."""

from knowledge.parsing.document import Page, ParsedDocument, title_of_name
from knowledge.parsing.html import decode_html, parse_html

WEB_PAGE = "text/html; profile=page"
"""The media type of a page of a site; " ; charset=…" may follow, as the server said it."""


def parse_web_page(raw: bytes, name: str, charset: str | None = None) -> ParsedDocument:
    """A page's main text as Markdown; the whole page where no main text is found."""
    import trafilatura

    html = decode_html(raw, name, charset)
    markdown = trafilatura.extract(
        html,
        output_format="markdown",
        include_comments=False,
        include_formatting=True,
        include_tables=True,
        favor_recall=True,
    )
    if not markdown:
        whole = parse_html(html.encode("utf-8-sig"), name)
        return ParsedDocument(whole.title, whole.pages)
    metadata = trafilatura.extract_metadata(html)
    return ParsedDocument(metadata.title or title_of_name(name), (Page(None, markdown),))
