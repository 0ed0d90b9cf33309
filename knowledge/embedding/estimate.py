"""Counts tokens without the model's tokenizer, on the high side.

No tokenizer is known for a model behind a server. The figures per piece of text were chosen so
that a chunk of a hundred tokens and more comes out above what BERT's WordPiece and XLM-R's unigram
tokenizer count (tests/unit/test_embedding_estimate.py holds that on several scripts); prose in
English comes out about half as high again.
"""

import re
from collections.abc import Sequence

_PIECE = re.compile(r"(?P<word>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<other>[^\sA-Za-z0-9]+)")
_LETTERS_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """About as many tokens as any tokenizer makes of the text, or more."""
    count = 0
    for piece in _PIECE.finditer(text):
        length = piece.end() - piece.start()
        if piece.lastgroup == "word":
            count += -(-length // _LETTERS_PER_TOKEN)
        elif piece.lastgroup == "digits":
            count += length  # some tokenizers make one of each
        else:
            count += sum(1 if letter < "\U00010000" else 3 for letter in piece.group())
    return count + count // 10


def cut_to_tokens(text: str, width_tokens: int) -> str:
    """The beginning of the text, of an estimated `width_tokens` at the most."""
    if estimate_tokens(text) <= width_tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate_tokens(text[:middle]) <= width_tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low]


def count_all(texts: Sequence[str]) -> list[int]:
    """The estimate of each text."""
    return [estimate_tokens(text) for text in texts]
