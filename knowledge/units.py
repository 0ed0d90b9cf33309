"""Cuts a passage into units: the smallest pieces that can be quoted as an answer.

A unit is a sentence, a short list together with the line that leads into it, an item of a long
list, a step list, or a table row that names its columns. Its text is plain, without markup.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from sentencex import segment

LIST_WIDTH_WORDS = 70  # a longer list is quoted item by item

_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")
_NUMBERED = re.compile(r"^\s*\d{1,2}[.)]\s+")
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_RULE = re.compile(r"^[\s|:-]+$")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_AUTOLINK = re.compile(r"<(?:mailto:)?((?:https?://)[^<>\s]+|[^<>\s/@]+@[^<>\s]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_EMPHASIS = re.compile(r"(\*{1,3}|`{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w))")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|~-])")
_FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True, slots=True)
class Unit:
    """A quotable piece of passage `passage` (an index), in reading order.

    `context` is the line that leads into a list's item, or nothing. A sentence (`flows`) is read
    with the ones around it; a list or a table row stands alone.
    """

    passage: int
    text: str
    context: str = ""
    flows: bool = True


def plain(markdown: str) -> str:
    """One line of Markdown without its markup; a link keeps its label only."""
    text = _LINK.sub(r"\1", markdown)
    text = _AUTOLINK.sub(r"\1", text)
    text = _TAG.sub("", text)
    text = _EMPHASIS.sub("", text)
    text = _ESCAPE.sub(r"\1", text)
    return " ".join(text.split())


def units(passage: int, markdown: str, language: str) -> list[Unit]:
    """The units of one passage."""
    return [
        replace(unit, passage=passage)
        for block in _blocks(markdown.splitlines())
        for unit in _cut(block, language)
        if any(character.isalnum() for character in unit.text)
    ]


@dataclass(slots=True)
class _Block:
    kind: str  # "text", "list", "table", "code"
    lines: list[str]
    lead: str = ""


def _kind(line: str) -> str:
    if _ROW.match(line):
        return "table"
    return "list" if _ITEM.match(line) else "text"


def _blocks(lines: Iterable[str]) -> list[_Block]:
    """Group lines; a list takes the sentence that ends in a colon right before it."""
    blocks: list[_Block] = []
    fresh = True  # whether the next line begins a block
    fenced = False
    for line in lines:
        if _FENCE.match(line):
            fenced, fresh = not fenced, True
        elif (not line.strip() or _HEADING.match(line)) and not fenced:
            # An empty line does not end a list, but a heading ends everything.
            fresh = bool(line.strip()) or not (blocks and blocks[-1].kind == "list")
        else:
            _add(blocks, "text" if fenced else _kind(line), line, fresh=fresh)
            fresh = False
    for before, block in pairwise(blocks):
        if block.kind == "list" and before.kind == "text":
            block.lead = _take_lead(before)
    return blocks


def _add(blocks: list[_Block], kind: str, line: str, *, fresh: bool) -> None:
    current = blocks[-1] if blocks and not fresh else None
    if current and current.kind == "list" and kind == "text" and line.startswith((" ", "\t")):
        current.lines[-1] += " " + line.strip()  # an item's second line
    elif current and current.kind == kind:
        current.lines.append(line)
    else:
        blocks.append(_Block(kind, [line]))


def _take_lead(block: _Block) -> str:
    """Take the last sentence off a paragraph, if it leads into what follows."""
    text = " ".join(block.lines).strip()
    if not text.endswith((":", "：")):
        return ""
    *rest, lead = segment("en", text)
    block.lines = rest
    return plain(lead)


def _cut(block: _Block, language: str) -> Iterator[Unit]:
    if block.kind == "table":
        yield from _rows(block.lines)
    elif block.kind == "list":
        yield from _items(block, language)
    else:
        yield from _sentences(plain(" ".join(block.lines)), language)


def _sentences(text: str, language: str, context: str = "") -> Iterator[Unit]:
    for sentence in segment(language if language != "und" else "en", text):
        if sentence.strip():
            yield Unit(0, sentence.strip(), context)


def _items(block: _Block, language: str) -> Iterator[Unit]:
    items = [plain(_ITEM.sub("", line)) for line in block.lines]
    words = len(" ".join([block.lead, *items]).split())
    steps = all(_NUMBERED.match(line) for line in block.lines)
    if (block.lead or steps) and words <= LIST_WIDTH_WORDS and len(items) > 1:
        listed = " ".join(
            f"{number}. {item}" if steps else f"{item.rstrip('.;')};"
            for number, item in enumerate(items, 1)
        )
        text = f"{block.lead} {listed}".strip().rstrip(";") + ("" if steps else ".")
        yield Unit(0, text, flows=False)
        return
    for item in items:
        yield from _sentences(item, language, block.lead)


def _rows(lines: list[str]) -> Iterator[Unit]:
    rows = [[plain(cell) for cell in line.strip().strip("|").split("|")] for line in lines]
    rules = [index for index, line in enumerate(lines) if _RULE.match(line)]
    header = rows[0] if rules and rules[0] == 1 else None
    for index, row in enumerate(rows):
        if index in rules or row is header:
            continue
        if header is None:
            yield Unit(0, ", ".join(cell for cell in row if cell), flows=False)
        else:
            named = [
                f"{name}: {cell}" if name else cell
                for name, cell in zip(header, row, strict=False)
                if cell
            ]
            yield Unit(0, "; ".join(named), flows=False)
