"""The smallest units that a chunk is put together from: paragraphs, list items, table rows, lines.

What is longer than a chunk is cut: at sentence ends, else between words, else between letters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import sentencex

from knowledge.structure import Block, Code, Heading, Paragraph, Table

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A unit of text with what stands between it and the piece before it."""

    text: str
    joiner: str
    page: int | None
    tokens: int = 0
    header: str = ""  # of a table row: the lines above the rows
    header_tokens: int = 0
    table: int = 0  # rows of one table share a number; 0 is no table
    cells: tuple[tuple[str, str], ...] = ()  # of a table row: (column, cell)


def section_pieces(blocks: Sequence[Block]) -> list[Piece]:
    """The pieces of a section, uncounted and uncut."""
    pieces: list[Piece] = []
    before: Block | None = None
    for number, block in enumerate(blocks, start=1):
        match block:
            case Paragraph():
                items = block.item and isinstance(before, Paragraph) and before.item
                pieces.append(Piece(block.text, "\n" if items else "\n\n", block.page))
            case Table():
                pieces += _rows(block, number)
            case Code():
                pieces.append(Piece(block.text, "\n\n", block.page))
            case Heading():
                pieces.append(Piece(block.text, "\n\n", block.page))
        before = block
    return pieces


def count_pieces(
    sections: Sequence[Sequence[Piece]], count_tokens: CountTokens
) -> list[list[Piece]]:
    """The same pieces with their tokens counted."""
    whole = [piece for section in sections for piece in section]
    headers = sorted({piece.header for piece in whole if piece.header})
    counts = iter(count_tokens([*headers, *(piece.text for piece in whole)]))
    of_header = {header: next(counts) for header in headers} | {"": 0}
    return [
        [replace(p, tokens=next(counts), header_tokens=of_header[p.header]) for p in section]
        for section in sections
    ]


def cut_pieces(
    pieces: Sequence[Piece], limit: int, language: str, count_tokens: CountTokens
) -> list[Piece]:
    """The text of counted pieces, in pieces of `limit` tokens at the most."""
    cut: list[Piece] = []
    for piece in pieces:
        if piece.tokens + piece.header_tokens <= limit:
            cut.append(piece)
        else:
            cut += _cut(piece, limit, language, count_tokens)
    return cut


def _rows(table: Table, number: int) -> Iterator[Piece]:
    header = f"{_row(table.header)}\n|{' --- |' * len(table.header)}" if any(table.header) else ""
    if not table.rows:
        yield Piece(_row(table.header), "\n\n", table.page)
    for index, cells in enumerate(table.rows):
        yield Piece(
            text=_row(cells),
            joiner="\n" if index else "\n\n",
            page=table.page,
            header=header,
            table=number,
            cells=tuple(zip(table.header, cells, strict=False)),
        )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cut(piece: Piece, limit: int, language: str, count_tokens: CountTokens) -> list[Piece]:
    """A row that is too long alone becomes "column: cell" lines; other text is cut at its seams."""
    if piece.cells:
        lines = [f"{name}: {cell}" if name else cell for name, cell in piece.cells if cell]
        parts = [Piece(line, "\n", piece.page) for line in lines]
        parts[0] = replace(parts[0], joiner="\n\n")
        (counted,) = count_pieces([parts], count_tokens)
        return cut_pieces(counted, limit, language, count_tokens)
    joiner = piece.joiner
    cut: list[Piece] = []
    for text, after in _seams(piece.text, limit, language, count_tokens):
        cut.append(Piece(text, joiner, piece.page, count_tokens([text])[0]))
        joiner = after
    return cut


def _seams(
    text: str, limit: int, language: str, count_tokens: CountTokens
) -> Iterator[tuple[str, str]]:
    """Parts of `text`, each with the white space that follows it."""
    for line in text.splitlines(keepends=True):
        for sentence in sentencex.segment(language, line):
            whole = sentence.rstrip()
            if not whole:
                continue
            if count_tokens([whole])[0] <= limit:
                yield whole, sentence[len(whole) :]
            else:
                *parts, last = _words(whole, limit, count_tokens)
                yield from parts
                yield last[0], sentence[len(whole) :]


def _words(text: str, limit: int, count_tokens: CountTokens) -> Iterator[tuple[str, str]]:
    """Halves at the space nearest to the middle, or in the middle, until they fit."""
    if count_tokens([text])[0] <= limit or len(text) == 1:
        yield text, ""
        return
    middle = len(text) // 2
    spaces = [text.rfind(" ", 1, middle), text.find(" ", middle, -1)]
    found = [space for space in spaces if space > 0]
    at = min(found, key=lambda space: abs(space - middle)) if found else middle
    first, second = text[:at].rstrip(), text[at:].lstrip()
    between = " " if text[at] == " " else ""
    *parts, last = _words(first, limit, count_tokens)
    yield from parts
    yield last[0], between
    yield from _words(second, limit, count_tokens)
