"""Long markdown is cut where it hurts least, and nothing of it is lost."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.split import split_markdown

WORDS = st.lists(
    st.sampled_from(["leave", "days", "a", "https", "نص", "\\*x\\*", "&lt;"]), min_size=1
)
PARAGRAPHS = st.lists(WORDS.map(" ".join), min_size=1, max_size=40).map("\n\n".join)


@given(PARAGRAPHS, st.integers(200, 900))
def test_no_piece_is_too_long_and_no_word_is_lost(text: str, most: int) -> None:
    pieces = split_markdown(text, most)
    assert all(0 < len(piece) <= most for piece in pieces)
    assert " ".join(pieces).split() == text.split()


@given(st.text(alphabet="ab. \n`|-~\\&lt;", min_size=1, max_size=3_000), st.integers(200, 400))
def test_any_text_is_cut_in_the_end(text: str, most: int) -> None:
    pieces = split_markdown(text, most)
    assert all(len(piece) <= most + most // 4 for piece in pieces)
    kept = re.sub(r"[\s`~|-]", "", "".join(pieces))
    assert re.sub(r"[\s`~|-]", "", text) in kept or len(kept) >= len(re.sub(r"[\s`~|-]", "", text))


@given(PARAGRAPHS, st.integers(200, 600), st.integers(0, 2_000))
def test_the_pieces_of_a_growing_text_are_settled_in_turn(text: str, most: int, cut: int) -> None:
    early, late = split_markdown(text[:cut], most), split_markdown(text, most)
    assert late[: max(0, len(early) - 1)] == early[:-1]


def test_paragraphs_are_kept_whole() -> None:
    paragraphs = [f"Paragraph {n} " + "word " * 20 for n in range(10)]
    pieces = split_markdown("\n\n".join(p.strip() for p in paragraphs), 300)
    assert all(piece.startswith("Paragraph") for piece in pieces)
    assert all(piece.endswith("word") for piece in pieces)


def test_a_list_is_cut_between_its_items() -> None:
    items = "\n".join(f"- item {n} of a long list" for n in range(40))
    pieces = split_markdown(items, 300)
    assert all(piece.startswith("- item") for piece in pieces)
    assert sum(piece.count("- item") for piece in pieces) == 40


def test_a_cut_code_block_is_closed_and_opened_again() -> None:
    code = "```python\n" + "\n".join(f"print({n})" for n in range(80)) + "\n```"
    pieces = split_markdown(code, 300)
    assert all(piece.startswith("```python\n") and piece.endswith("\n```") for piece in pieces)
    assert [n for n in range(80) if "\n".join(pieces).count(f"print({n})") != 1] == []


def test_a_cut_table_gets_its_head_again() -> None:
    head = "| Country | Days |\n|---|---|"
    table = head + "\n" + "\n".join(f"| Country {n} | {n} |" for n in range(60))
    pieces = split_markdown(table, 400)
    assert len(pieces) > 2
    assert all(piece.startswith(head + "\n| Country") for piece in pieces)
    assert [n for n in range(60) if "".join(pieces).count(f"| Country {n} |") != 1] == []


def test_a_paragraph_without_end_is_cut_between_sentences() -> None:
    pieces = split_markdown(" ".join(f"This is sentence {n}." for n in range(60)), 300)
    assert all(piece.startswith("This") and piece.endswith(".") for piece in pieces)


def test_many_short_paragraphs_are_cut_by_their_number() -> None:
    pieces = split_markdown("\n\n".join("ab" for _ in range(100)), 11_000, 30)
    assert [piece.count("ab") for piece in pieces] == [30, 30, 30, 10]


def test_no_text_is_no_piece() -> None:
    assert split_markdown("\n\n", 300) == []
