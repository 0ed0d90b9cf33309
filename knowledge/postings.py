"""BM25's terms of a text: lexemes of Postgres's stemmers, and character pairs of scripts
without word breaks.

A term is `term_key(configuration, lexeme)`, a 64-bit hash that the database computes
(migrations/versions/0001_house.sql), for a chunk here and for a question in search.sql.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.languages import configuration
from knowledge.statements import read_statements

_TERMS = sql(read_statements(Path(__file__).with_name("search.sql"))["terms_of_texts"])
_LARGEST_FREQUENCY = 2**15 - 1  # the column is a smallint

# Han, kana, Hangul, Thai, Lao, Burmese and Khmer are written without spaces, or with spaces
# that do not part words from their endings.
_UNBROKEN = re.compile(
    r"[\u3005-\u3007\u3040-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff\uac00-\ud7af\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u109f\u1780-\u17d3]+"
)


@dataclass(frozen=True, slots=True)
class TermSource:
    """What a chunk is found by: its text, with its headings if they are to count."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How often each term occurs in a chunk, and how many occurrences there are in all."""

    frequencies: Mapping[int, int]
    length: int


async def postings(connection: AsyncConnection, chunks: Sequence[TermSource]) -> list[Terms]:
    """The terms of each chunk, in one statement for all of them.

    Reads no table. Give it some hundreds of chunks at once; the caller writes `frequencies` to
    `posting` and `length` to `posting.length` and `chunk.terms`.
    """
    if not chunks:
        return []
    split = [split_text(chunk.text) for chunk in chunks]
    pairs = [(n, pair) for n, (_, found) in enumerate(split) for pair in found]
    rows = await connection.execute(
        _TERMS,
        {
            "words": [words for words, _ in split],
            "configurations": [configuration(chunk.language) for chunk in chunks],
            "pair_numbers": [n for n, _ in pairs],
            "pairs": [pair for _, pair in pairs],
        },
    )
    counted: list[Counter[int]] = [Counter() for _ in chunks]
    for number, term, frequency in rows:
        counted[number][term] += frequency
    return [_terms(counter) for counter in counted]


def split_text(text: str) -> tuple[str, list[str]]:
    """What Postgres is to split into words, and the character pairs of the rest.

    A run of one character is its own "pair". Compatibility forms (full-width letters, Arabic
    presentation forms) are folded first.
    """
    folded = unicodedata.normalize("NFKC", storable(text))
    pairs = [pair for run in _UNBROKEN.findall(folded) for pair in _pairs(run)]
    return _UNBROKEN.sub(" ", folded), pairs


def storable(text: str) -> str:
    """The text without what Postgres and tokenizers refuse: NUL and halves of surrogate pairs."""
    return text.replace("\x00", " ").encode(errors="replace").decode()


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else [first + second for first, second in pairwise(run)]


def _terms(counter: Counter[int]) -> Terms:
    capped = {term: min(count, _LARGEST_FREQUENCY) for term, count in counter.items()}
    return Terms(capped, sum(capped.values()))
