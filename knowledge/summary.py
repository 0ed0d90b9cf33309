"""What a document is about, in a few of its own words.

A passage says "it" and "this product"; the beginning of its document says what that is. The
summary stands beside every passage of the document: BM25 finds the passage by its words, and a
model with room for it reads it above the passage.
"""

from collections.abc import Iterator, Sequence

import sentencex

from knowledge.parsing.document import Page
from knowledge.structure import Paragraph, read_blocks

SUMMARY_WORDS = 60
"""The longest summary; of scripts without spaces two letters count as a word. docs/LOG.md."""
_WIDE = "\u2e7f"  # beyond it: Han, kana, Hangul
_READ_PAGES = 3  # a document says what it is about at its beginning


def summarise(pages: Sequence[Page], language: str) -> str:
    """The document's first sentences, `SUMMARY_WORDS` at the most; empty where there are none.

    `language` (ISO 639-1) says where sentences end. The beginning of a text is a baseline that
    more elaborate extraction hardly beats, and it reads well.
    """
    taken: list[str] = []
    room = SUMMARY_WORDS
    for sentence in _sentences(pages, language):
        words = _words(sentence)
        if words > room and taken:
            break
        taken.append(shortened(sentence, room))
        room -= words
        if room <= 0:
            break
    return " ".join(taken)


def _sentences(pages: Sequence[Page], language: str) -> Iterator[str]:
    for block in read_blocks(pages[:_READ_PAGES]):
        if isinstance(block, Paragraph):
            text = " ".join(block.text.split())
            yield from (found for s in sentencex.segment(language, text) if (found := s.strip()))


def _words(text: str) -> int:
    return len(text.split()) + sum(1 for letter in text if letter > _WIDE) // 2


def _is_wide(text: str) -> bool:
    return sum(1 for letter in text if letter > _WIDE) > len(text) // 2


def shortened(text: str, words: int) -> str:
    """The text, or its beginning where it has more than `words`."""
    if _words(text) <= words:
        return text
    return " ".join(text.split()[:words])[: 2 * words if _is_wide(text) else 12 * words]
