"""Token ids become text that may be shown: whole characters, nothing of a stop string."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel

from knowledge.generation.text import Detokenizer, StopStrings


def byte_tokenizer() -> Tokenizer:
    """One token a byte: every character beyond ASCII spans several tokens."""
    vocabulary = {symbol: n for n, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def metaspace_tokenizer() -> Tokenizer:
    """Spaces belong to the tokens behind them, and vanish at the beginning of a text."""
    vocabulary = {"<unk>": 0, "▁how": 1, "▁are": 2, "▁you": 3, "s": 4, "▁": 5, "?": 6}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


@given(text=st.text(max_size=60))
def test_the_pieces_of_any_text_are_the_text_and_never_half_a_character(text: str) -> None:
    tokenizer = byte_tokenizer()
    detokenizer = Detokenizer(tokenizer.decode)
    pieces = [detokenizer.add(token) for token in tokenizer.encode(text).ids]
    assert "".join(pieces).rstrip("�") == text.rstrip("�")
    if "�" not in text:
        assert not any("�" in piece for piece in pieces)


@given(ids=st.lists(st.integers(1, 6), max_size=30))
def test_spaces_between_pieces_are_kept(ids: list[int]) -> None:
    tokenizer = metaspace_tokenizer()
    detokenizer = Detokenizer(tokenizer.decode)
    assert "".join(map(detokenizer.add, ids)) == tokenizer.decode(ids)


@given(
    text=st.text("abc", max_size=40),
    stop=st.lists(st.text("abc", min_size=1, max_size=4), max_size=5),
    cuts=st.lists(st.integers(0, 40), max_size=8),
)
def test_text_is_shown_up_to_the_first_stop_string_however_it_arrives(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    stopper = StopStrings(stop)
    shown = ""
    for start, end in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
        if not stopper.stopped:
            shown += stopper.add(text[start:end])
    shown += stopper.rest()
    assert all(one not in shown for one in stop)
    assert text.startswith(shown)
    assert stopper.stopped == any(one in text for one in stop)
    if not stopper.stopped:
        assert shown == text


@pytest.mark.parametrize(("text", "shown"), [("ab", "ab"), ("abEN", "ab"), ("abEN ", "abEN ")])
def test_only_what_may_begin_a_stop_string_is_held_back(text: str, shown: str) -> None:
    assert StopStrings(["END"]).add(text) == shown
