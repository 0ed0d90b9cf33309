"""Bytes to text, and text without what a reader cannot see.

Invisible characters carry hidden instructions to a model and break words for a search.
"""

import re
import unicodedata

from charset_normalizer import from_bytes

from knowledge.errors import ParsingError

# Zero-width and filler characters, soft hyphens, all bidi controls (they change only how text
# is displayed), invisible operators, interlinear annotations, variation selectors of the
# supplement, the tags block, noncharacters, controls other than tab and newline.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb"
    "\ufffe\uffff\ue000-\uf0b6\uf0b8-\uf8ff\ud800-\udfff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_JOINER = re.compile("(.?)([\u200c\u200d]+)(?=(.?))", re.DOTALL)
_SELECTORS = re.compile("([\ufe00-\ufe0f])[\ufe00-\ufe0f]+")
# Latin ligatures and the Arabic presentation forms, as PDFs have them.
_PRESENTATION = re.compile("[\ufb00-\ufb06\ufb50-\ufdcf\ufdf0-\ufdfc\ufe70-\ufefc]+")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_BREAKS = re.compile("\r\n?|[\x0c\x85\u2028\u2029]")

# First and last code points of the scripts that write differently with a joiner.
_JOINING_SCRIPTS = (
    (0x0600, 0x08FF),  # Arabic, Syriac, Thaana, N'Ko, Mandaic
    (0x0900, 0x0DFF),  # the Indic scripts, Sinhala
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0xA800, 0xABFF),  # further Indic scripts
    (0xFB50, 0xFDFF),
    (0xFE70, 0xFEFE),
    (0x11000, 0x1147F),
)
_EMOJI = ((0x2190, 0x2BFF), (0xFE0F, 0xFE0F), (0x1F000, 0x1FAFF))


def decode(raw: bytes, name: str) -> str:
    """Text of `raw` in whatever encoding it is, without invisible characters.

    Raises ParsingError when it is not text.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        found = from_bytes(raw).best()
        text = str(found) if found else ""
    junk = sum(1 for c in text[:4096] if unicodedata.category(c) == "Cc" and c not in "\n\r\t\f")
    if not text or junk > len(text[:4096]) // 50:
        raise ParsingError(f"{name} is not text, or in no known encoding: save it as UTF-8.")
    return visible(text)


def visible(text: str) -> str:
    """`text` composed (NFC), with plain spaces and newlines, without invisible characters.

    Joiners stay where a script or an emoji is written with them.
    """
    text = _BREAKS.sub("\n", text)
    if text.isascii():
        return _INVISIBLE.sub("", text)
    text = _PRESENTATION.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _INVISIBLE.sub("", _SPACES.sub(" ", text)).replace("\uf0b7", "•")
    text = _SELECTORS.sub(r"\1", _JOINER.sub(_needed_joiner, text))
    return unicodedata.normalize("NFC", text)


def _needed_joiner(match: re.Match[str]) -> str:
    before, joiners, after = match.groups()
    ranges = _JOINING_SCRIPTS if joiners[0] == "\u200c" else (*_JOINING_SCRIPTS, *_EMOJI)
    needed = before and after and _within(before, ranges) and _within(after, ranges)
    return before + joiners[0] if needed else before


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)
