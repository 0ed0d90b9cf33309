"""Bytes to Markdown with headings and page numbers.

`parse` is a plain function; `ParserProcess` runs it in a process of its own, because a broken
file may take minutes or crash a parser's C library.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing.characters import visible
from knowledge.parsing.document import Page, ParsedDocument
from knowledge.parsing.ocr import Ocr, ocr_recipe

__all__ = ["VERSION", "Ocr", "Page", "ParsedDocument", "may_hold_pictures", "ocr_recipe", "parse"]

VERSION = 2  # to be raised when the same bytes give other Markdown: all is indexed again

Reader = Callable[[bytes, str], ParsedDocument]


def may_hold_pictures(media_type: str) -> bool:
    """Whether text recognition may change what is read of a document of this type."""
    return media_type.startswith(("image/", "application/pdf"))


def parse(raw: bytes, name: str, media_type: str, ocr: Ocr | None = None) -> ParsedDocument:
    """Read a document. `name` is its key within the source, for messages and as a last title.

    Without `ocr` the text in pictures is not recognised.

    Raises:
        ParsingError: it cannot be read; says what to do. EmptyDocumentError: nothing is in it.
    """
    if not raw.strip():
        raise ParsingError(f"{name} is empty.")
    document = _reader(media_type, name, ocr)(raw, name)
    pages = tuple(Page(page.number, visible(page.markdown).strip()) for page in document.pages)
    if not any(page.markdown for page in pages):
        raise EmptyDocumentError(f"{name} holds no text.")
    title = " ".join(visible(document.title).split())
    return replace(document, title=title, pages=tuple(page for page in pages if page.markdown))


def _reader(media_type: str, name: str, ocr: Ocr | None) -> Reader:
    """The reader of a type; each is imported when the first such document comes."""
    kind, *parameters = [part.strip() for part in media_type.split(";")]
    if kind == "text/html" and "profile=page" in parameters:
        from knowledge.parsing.web import parse_web_page

        said = [part[len("charset=") :] for part in parameters if part.startswith("charset=")]
        return partial(parse_web_page, charset=said[0] if said else None)
    if kind == "application/pdf":
        from knowledge.parsing.pdf import parse_pdf

        return partial(parse_pdf, ocr=ocr)
    if kind.startswith("image/"):
        from knowledge.parsing.image import parse_image

        return partial(parse_image, ocr=ocr)
    return _plain_reader(kind, name)


def _plain_reader(kind: str, name: str) -> Reader:
    match kind:
        case "text/markdown":
            from knowledge.parsing.markdown import parse_markdown as reader
        case "text/html" | "application/xhtml+xml":
            from knowledge.parsing.html import parse_html as reader
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
