"""How much an answer has in common with a reference: SQuAD's exact match and token F1.

SQuAD's normalisation (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250: lower case, no
punctuation, no articles, single spaces), made fit for other scripts as MLQA's was (Lewis et al.
2019, https://arxiv.org/abs/1910.07475): punctuation is Unicode's, articles are those of the
language, and characters of scripts without spaces are tokens of their own. Beyond both,
compatibility forms and case are folded by Unicode's rules (NFKC, casefold).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

_ARTICLES = {
    "de": "ein eine einen einem eines einer der die das den dem des",
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "fr": "un une des le la les l d",
    "it": "un uno una il lo la i gli le l",
    "pt": "um uma uns umas o a os as",
}
_ARTICLE_SETS = {language: frozenset(words.split()) for language, words in _ARTICLES.items()}
_ELIDING = {"fr", "it"}
_UNBROKEN = re.compile(
    r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    r"\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u109f\u1780-\u17d3])"
)


def tokens(text: str, language: str = "en") -> list[str]:
    """The normalised tokens of a text."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if language in _ELIDING:
        folded = re.sub("['’]", " ", folded)  # "l'eau" is an article and a noun
    # Punctuation falls away without a trace, as in SQuAD: "don't" is one token.
    kept = "".join(c for c in folded if not unicodedata.category(c).startswith(("P", "S")))
    words = _UNBROKEN.sub(r" \1 ", kept).split()
    if language == "ar":
        return [word.removeprefix("ال") or word for word in words]
    articles = _ARTICLE_SETS.get(language, frozenset())
    return [word for word in words if word not in articles]


def exact_match(answer: str, references: Iterable[str], language: str = "en") -> float:
    """1 if the answer is one of the references after normalisation, else 0."""
    said = tokens(answer, language)
    return float(any(said == tokens(reference, language) for reference in references))


def token_f1(answer: str, references: Iterable[str], language: str = "en") -> float:
    """The best F1 of the answer's tokens against any reference's, 0 to 1."""
    said = tokens(answer, language)
    return max((_f1(said, tokens(each, language)) for each in references), default=0.0)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))
