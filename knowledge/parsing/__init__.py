"""Bytes to Markdown with headings and page numbers.

`parse` is a plain function; `ParserProcess` runs it in a process of its own, because a broken
file may take minutes or crash a parser's C library.
"""

from collections.abc import Callable
from functools import partial

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing.characters import visible
from knowledge.parsing.document import Page, ParsedDocument

__all__ = ["VERSION", "Page", "ParsedDocument", "parse"]

VERSION = 2  # to be raised when the same bytes give other Markdown: all is indexed again


def parse(raw: bytes, name: str, media_type: str) -> ParsedDocument:
    """Read a document. `name` is its key within the source, for messages and as a last title.

    Raises:
        ParsingError: it cannot be read; says what to do. EmptyDocumentError: nothing is in it.
    """
    if not raw.strip():
        raise ParsingError(f"{name} is empty.")
    document = _reader(media_type, name)(raw, name)
    pages = tuple(Page(page.number, visible(page.markdown).strip()) for page in document.pages)
    if not any(page.markdown for page in pages):
        raise EmptyDocumentError(f"{name} holds no text.")
    title = " ".join(visible(document.title).split())
    return ParsedDocument(title, tuple(page for page in pages if page.markdown), document.url)


def _reader(media_type: str, name: str) -> Callable[[bytes, str], ParsedDocument]:
    """The reader of a type; each is imported when the first such document comes."""
    kind, *parameters = [part.strip() for part in media_type.split(";")]
    if kind == "text/html" and "profile=page" in parameters:
        from knowledge.parsing.web import parse_web_page

        said = [part[len("charset=") :] for part in parameters if part.startswith("charset=")]
        return partial(parse_web_page, charset=said[0] if said else None)
    match kind:
        case "text/markdown":
            from knowledge.parsing.markdown import parse_markdown as reader
        case "text/html" | "application/xhtml+xml":
            from knowledge.parsing.html import parse_html as reader
        case "application/pdf":
            from knowledge.parsing.pdf import parse_pdf as reader
        case "text/csv" | "text/tab-separated-values":
            from knowledge.parsing.sheets import parse_csv as reader
        case _ if kind.endswith(".spreadsheetml.sheet"):
            from knowledge.parsing.sheets import parse_xlsx as reader
        case _ if kind.endswith(".wordprocessingml.document"):
            from knowledge.parsing.office import parse_docx as reader
        case _ if kind.endswith(".presentationml.presentation"):
            from knowledge.parsing.office import parse_pptx as reader
        case _ if kind.startswith("text/"):
            from knowledge.parsing.plain import parse_text as reader
        case other:
            raise ParsingError(f"{name} is of a type that is not read ({other}).")
    return reader
