"""Which language a text is in, and which of Postgres's text search configurations serves it."""

import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "und"
ENGLISH = "en"
READ_CHARACTERS = 4000  # of a document: more does not change the verdict
SURE = 0.5  # of the identifier's probability: below it a short English question becomes Dutch

# PostgreSQL 16's snowball configurations, by ISO 639-1.
CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
PLAIN = "simple"

# What a company writes in; the identifier's dialects and rarities would only take votes away.
_LATIN = (
    "en de fr es it pt nl sv da no fi is pl cs sk sl hr hu ro lt lv et sq tr az id ms vi sw ca eu "
    "gl ga cy mt tl af"
)
# A script that few languages share: the candidates, the likeliest first.
_SCRIPTS = {
    "Arabic": (r"[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefe]", "ar fa ur ps ug"),
    "Cyrillic": (r"[\u0400-\u052f]", "ru uk bg sr mk be kk ky mn tg"),
    "Devanagari": (r"[\u0900-\u097f]", "hi mr ne sa"),
    "Hebrew": (r"[\u0590-\u05ff]", "he"),
    "Greek": (r"[\u0370-\u03ff]", "el"),
    "Armenian": (r"[\u0530-\u058f]", "hy"),
    "Georgian": (r"[\u10a0-\u10ff]", "ka"),
    "Bengali": (r"[\u0980-\u09ff]", "bn"),
    "Gurmukhi": (r"[\u0a00-\u0a7f]", "pa"),
    "Gujarati": (r"[\u0a80-\u0aff]", "gu"),
    "Tamil": (r"[\u0b80-\u0bff]", "ta"),
    "Telugu": (r"[\u0c00-\u0c7f]", "te"),
    "Kannada": (r"[\u0c80-\u0cff]", "kn"),
    "Malayalam": (r"[\u0d00-\u0d7f]", "ml"),
    "Sinhala": (r"[\u0d80-\u0dff]", "si"),
    "Thai": (r"[\u0e00-\u0e7f]", "th"),
    "Lao": (r"[\u0e80-\u0eff]", "lo"),
    "Burmese": (r"[\u1000-\u109f]", "my"),
    "Khmer": (r"[\u1780-\u17ff]", "km"),
    "Hangul": (r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]", "ko"),
    "Kana": (r"[\u3040-\u30ff]", "ja"),
    "Han": (r"[\u3400-\u4dbf\u4e00-\u9fff]", "zh"),
    "Latin": (r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]", _LATIN),
}
_PATTERNS = {script: re.compile(pattern) for script, (pattern, _) in _SCRIPTS.items()}
_CANDIDATES = {script: tuple(codes.split()) for script, (_, codes) in _SCRIPTS.items()}
_LETTERS_OF_A_WORD = {"Han": 3, "Kana": 2, "Hangul": 2}  # one sign says as much as several letters


def configuration(language: str) -> str:
    """The name of the Postgres text search configuration of an ISO 639-1 language, or "simple"."""
    return CONFIGURATIONS.get(language, PLAIN)


def detect(text: str, among: Collection[str] | None = None) -> str:
    """The ISO 639-1 language of a text, "und" where unsure.

    `among` are the languages in use, if known: a short text that could be anything and is written
    in plain ASCII is then English, if English is among them. A sure verdict outside them stands:
    somebody may ask in a language that no document is in.
    """
    text = text[:READ_CHARACTERS]
    script = _script(text)
    if script is None:
        return UNKNOWN
    candidates = _CANDIDATES[script]
    if len(candidates) == 1:
        return candidates[0]
    language, probability = _identify(text, script)
    if probability >= SURE:
        return language
    if script != "Latin":
        return candidates[0]
    if among is not None and ENGLISH in among and text.isascii():
        return ENGLISH
    return UNKNOWN


def _script(text: str) -> str | None:
    """The script of most of the text's letters."""
    letters = Counter(
        {
            script: len(pattern.findall(text)) * _LETTERS_OF_A_WORD.get(script, 1)
            for script, pattern in _PATTERNS.items()
        }
    )
    if letters["Kana"]:  # Han beside kana is Japanese
        letters["Kana"] += letters.pop("Han")
    (script, count), *_ = letters.most_common(1)
    return script if count else None


def _identify(text: str, script: str) -> tuple[str, float]:
    """The likeliest language of a script with its probability."""
    candidates = set(_CANDIDATES[script])
    ranked = [(code, score) for code, score in _identifier().rank(text) if code in candidates]
    whole = sum(score for _, score in ranked)
    language, score = ranked[0]
    return language, score / whole


@lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    """The model is loaded at the first use: it takes most of a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
