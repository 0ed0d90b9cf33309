"""What a text says, as far as words can tell: stems, numbers, negation."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import snowballstemmer

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[.,:/]\d+)*", re.UNICODE)
_UNBROKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "en": "english", "es": "spanish",
    "fi": "finnish", "fr": "french", "it": "italian", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
_NEGATION_WORDS = """
no not never none nobody nothing cannot without neither nor
nicht kein keine keinen nie niemals ohne ne pas jamais aucun aucune sans
nunca ningún ninguna sin não nunca sem non mai senza
لا لم لن ليس ليست غير بدون دون
"""
_FUNCTION_WORDS = """
a an the this that these those it its they them their there he she his her
we us our you your i me my is are was were be been being am do does did has have had
will would shall should may might can could must
of in on at by for from to with as about into over per and or if then than so but also only just
who whom which what when where why how all any each every some such other more most very
"""
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve"
_NEGATIONS = frozenset(_NEGATION_WORDS.split())
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that carry grammar rather than facts."""
_NUMBERS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())}
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a text says, as the guard sees it."""

    stems: frozenset[str]
    numbers: frozenset[str]
    negated: bool


@lru_cache(maxsize=16)
def _stemmer(language: str) -> Any:
    return snowballstemmer.stemmer(_STEMMERS.get(language, "english"))


def terms(text: str, language: str) -> Terms:
    """Stems, numbers (words up to twelve count as numbers) and negation of a text."""
    words = [word.lower() for word in _WORD.findall(text.translate(_DIGITS))]
    negated = any(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in words)
    numbers = {_NUMBERS.get(word, word) for word in words}
    numbers = {number for number in numbers if number[0].isdigit()}
    stems = {
        stem
        for word in words
        if not word[0].isdigit()
        for stem in (_bigrams(word) if _UNBROKEN.search(word) else [_stem(word, language)])
    }
    return Terms(frozenset(stems | numbers), frozenset(numbers), negated)


def _bigrams(word: str) -> list[str]:
    return [word] if len(word) < 2 else [first + second for first, second in pairwise(word)]


def _stem(word: str, language: str) -> str:
    return str(_stemmer(language).stemWord(word.removesuffix("'s").removesuffix("’s")))
