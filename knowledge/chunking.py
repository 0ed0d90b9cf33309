"""Documents to chunks: cut by structure, never in the middle of a sentence or a table row.

A chunk lies within one section. Its text is the passage as a reader sees it; what is embedded is
`embedding_text`: the title and the headings above, then the passage; what BM25 counts is
`counted_text`: the same with more of the title, and the document's summary.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from knowledge.parsing.document import ParsedDocument
from knowledge.pieces import Piece, count_pieces, cut_pieces, section_pieces
from knowledge.structure import Block, Heading, read_blocks

__all__ = ["VERSION", "Chunk", "chunk_document", "counted_text", "embedding_text"]

VERSION = 2  # to be raised when the same Markdown gives other chunks: all is indexed again

# Of the model's width, for special tokens and a prompt such as "passage: ".
_RESERVED_TOKENS = 8
_SMALLEST_LIMIT_TOKENS = 16
_LONGEST_CRUMB = 80  # characters; a whole sentence set as a heading would crowd out the passage
_MOST_CRUMBS = 4

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document, as it is stored, found and cited."""

    title: str
    heading_path: tuple[str, ...]
    page: int | None
    position: int
    text: str
    tokens: int
    """Of `text`, by the embedder that the width was measured with."""


@dataclass(frozen=True, slots=True)
class _Section:
    path: tuple[str, ...]
    blocks: tuple[Block, ...]


def embedding_text(chunk: Chunk) -> str:
    """What is embedded: "Title > Heading > Sub-heading", an empty line, the passage."""
    return f"{_prefix(chunk.title, chunk.heading_path)}\n\n{chunk.text}"


def counted_text(chunk: Chunk, summary: str) -> str:
    """What BM25 counts: a word of the title three times, then headings, passage and summary."""
    return "\n".join([chunk.title, chunk.title, embedding_text(chunk), summary])


def chunk_document(
    document: ParsedDocument,
    *,
    language: str,
    count_tokens: CountTokens,
    width_tokens: int,
    model_width_tokens: int,
) -> list[Chunk]:
    """Cut a document into chunks of `width_tokens` at the most.

    `model_width_tokens` is what the embedder reads at the most: where title and headings are
    long, the passage is shorter. `language` (ISO 639-1) says where sentences end.
    """
    sections = list(_sections(document.title, read_blocks(document.pages)))
    limits = _limits(document.title, sections, count_tokens, width_tokens, model_width_tokens)
    # Counting is quick for many texts at once, and slow for one at a time.
    pieces = count_pieces([section_pieces(section.blocks) for section in sections], count_tokens)
    groups = [
        (section, limit, group)
        for section, limit, counted in zip(sections, limits, pieces, strict=True)
        for group in _groups(cut_pieces(counted, limit, language, count_tokens), limit)
    ]
    tokens = count_tokens([_text(group) for _, _, group in groups])
    chunks: list[Chunk] = []
    for (section, limit, group), counted_tokens in zip(groups, tokens, strict=True):
        for part, its_tokens in _fitting(group, counted_tokens, limit, count_tokens):
            chunks.append(
                Chunk(
                    title=document.title,
                    heading_path=section.path,
                    page=part[0].page,
                    position=len(chunks),
                    text=_text(part),
                    tokens=its_tokens,
                )
            )
    return chunks


def _limits(
    title: str,
    sections: Sequence[_Section],
    count_tokens: CountTokens,
    width_tokens: int,
    model_width_tokens: int,
) -> list[int]:
    """How long a passage of each section may be, beside its title and headings."""
    prefixes = count_tokens([_prefix(title, section.path) for section in sections])
    rooms = [model_width_tokens - _RESERVED_TOKENS - tokens for tokens in prefixes]
    return [max(_SMALLEST_LIMIT_TOKENS, min(width_tokens, room)) for room in rooms]


def _prefix(title: str, path: tuple[str, ...]) -> str:
    crumbs = [title, *path]
    if len(crumbs) > _MOST_CRUMBS:  # the title and the nearest headings say most
        crumbs = [title, *crumbs[1 - _MOST_CRUMBS :]]
    return " > ".join(crumb[:_LONGEST_CRUMB].strip() for crumb in crumbs)


def _sections(title: str, blocks: Sequence[Block]) -> Iterator[_Section]:
    """The blocks below each heading. A heading with nothing below it is its own text."""
    open_headings: list[Heading] = []
    below: list[Block] = []
    for index, block in enumerate(blocks):
        if not isinstance(block, Heading):
            below.append(block)
            continue
        if below:
            yield _Section(_path(title, open_headings), tuple(below))
            below = []
        while open_headings and open_headings[-1].level >= block.level:
            open_headings.pop()
        open_headings.append(block)
        after = blocks[index + 1] if index + 1 < len(blocks) else None
        if after is None or (isinstance(after, Heading) and after.level <= block.level):
            yield _Section(_path(title, open_headings), (block,))
    if below:
        yield _Section(_path(title, open_headings), tuple(below))


def _path(title: str, headings: Sequence[Heading]) -> tuple[str, ...]:
    """The headings' texts; a first one that only repeats the title is left out."""
    texts = [heading.text for heading in headings]
    if texts and texts[0].casefold() == title.casefold():
        texts = texts[1:]
    return tuple(texts)


def _fitting(
    group: Sequence[Piece], tokens: int, limit: int, count_tokens: CountTokens
) -> Iterator[tuple[Sequence[Piece], int]]:
    """The group, or its halves where a tokenizer's counts don't add up."""
    if tokens <= limit or len(group) == 1:
        yield group, tokens
        return
    middle = len(group) // 2
    for part in (group[:middle], group[middle:]):
        yield from _fitting(part, count_tokens([_text(part)])[0], limit, count_tokens)


def _groups(pieces: Sequence[Piece], limit: int) -> Iterator[list[Piece]]:
    """Pieces put together to chunks of like size."""
    whole = sum(piece.tokens for piece in pieces)
    target = whole / max(1, math.ceil(whole / limit))  # no crumb is left for the last chunk
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        cost = _cost(group[-1] if group else None, piece)
        announces = bool(group) and group[-1].text.endswith((":", "："))
        if group and (size + cost > limit or (size >= target and not announces)):
            yield group
            group, size = [], 0
            cost = _cost(None, piece)
        group.append(piece)
        size += cost
    if group:
        yield group


def _cost(before: Piece | None, piece: Piece) -> int:
    return piece.tokens + (0 if _shares_header(before, piece) else piece.header_tokens)


def _shares_header(before: Piece | None, piece: Piece) -> bool:
    return before is not None and before.table == piece.table


def _text(group: Sequence[Piece]) -> str:
    """The pieces' texts in one; a table's header stands above the chunk's first row of it."""
    parts: list[str] = []
    before: Piece | None = None
    for piece in group:
        text = piece.text
        if piece.header and not _shares_header(before, piece):
            text = f"{piece.header}\n{text}"
        if parts:
            parts.append(piece.joiner)
        else:
            text = text.lstrip("\n")
        parts.append(text)
        before = piece
    return "".join(parts)
