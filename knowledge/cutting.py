"""What becomes of a parsed document: its language, its chunks, and the embedders that take them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from knowledge.chunking import Chunk, chunk_document
from knowledge.embedding import Embedder
from knowledge.errors import IndexingStoppedError
from knowledge.languages import detect
from knowledge.parsing import ParsedDocument
from knowledge.summary import summarise

Embedders = Sequence[tuple[Embedder, Callable[[str], bool]]]
"""Which embedder takes chunks of which language; widths are measured by the first that does."""

_READ_PAGES = 20  # of a document: more does not change its language
_SHORTEST_OWN_LANGUAGE = 80  # characters


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document in chunks."""

    title: str
    url: str | None
    language: str
    summary: str
    chunks: tuple[Chunk, ...]
    languages: tuple[str, ...]
    """Of each chunk."""


def cut_document(parsed: ParsedDocument, embedders: Embedders, width_tokens: int) -> CutDocument:
    """Cut a document for the embedders that take its language. Heavy: call it in a thread."""
    whole = "\n".join(page.markdown for page in parsed.pages[:_READ_PAGES])
    language = detect(whole)
    takers = [embedder for embedder, takes in embedders if takes(language)]
    if not takers:
        raise IndexingStoppedError(f"No embedding model takes documents in {language!r}.")
    chunks = chunk_document(
        parsed,
        language=language,
        count_tokens=takers[0].count_tokens,
        width_tokens=width_tokens,
        model_width_tokens=min(taker.width_tokens for taker in takers),
    )
    share = _ascii_share(whole)
    return CutDocument(
        title=parsed.title,
        url=parsed.url,
        language=language,
        summary=summarise(parsed.pages, language),
        chunks=tuple(chunks),
        languages=tuple(_language(chunk.text, share, language) for chunk in chunks),
    )


def _language(chunk: str, share: float, language: str) -> str:
    """The chunk's language: the document's, unless the chunk is written in another script."""
    if len(chunk) < _SHORTEST_OWN_LANGUAGE or abs(_ascii_share(chunk) - share) < 0.4:
        return language
    return detect(chunk)


def _ascii_share(text: str) -> float:
    """The share of ASCII characters: above 0.9 in English, below 0.3 in Arabic or Chinese."""
    start = text[:4000]
    return len(start.encode("ascii", "ignore")) / max(1, len(start))
