"""Splitting a text into words and pairs, and reading named statements."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.postings import split_text
from knowledge.statements import read_statements


@pytest.mark.parametrize(
    ("text", "words", "pairs"),
    [
        ("Annual leave", "Annual leave", []),
        ("有給休暇", " ", ["有給", "給休", "休暇"]),
        ("VPNの設定", "VPN ", ["の設", "設定"]),
        ("ＶＰＮ ﾊﾟｽ", "VPN  ", ["パス"]),
        ("第 3 章", "  3  ", ["第", "章"]),
        ("カテゴリー・時々", " ・ ", ["カテ", "テゴ", "ゴリ", "リー", "時々"]),
        ("휴가는 열흘", "   ", ["휴가", "가는", "열흘"]),
        ("الإجازة السنوية", "الإجازة السنوية", []),
        ("", "", []),
    ],
)
def test_scripts_without_word_breaks_become_pairs_and_the_rest_stays(
    text: str, words: str, pairs: list[str]
) -> None:
    assert split_text(text) == (words, pairs)


@given(st.text(st.characters()))
def test_whatever_a_text_contains_can_be_stored(text: str) -> None:
    words, pairs = split_text(text)
    for part in (words, *pairs):
        part.encode()
        assert "\x00" not in part


def test_lone_halves_of_surrogate_pairs_are_replaced() -> None:
    assert split_text("a\ud83cb") == ("a?b", [])


def test_statements_are_read_by_name_without_their_comments(tmp_path: Path) -> None:
    file = tmp_path / "x.sql"
    file.write_text(
        "-- A file.\n\n-- one --\n-- Says one.\nSELECT 1; \n\n-- two --\n-- Two.\nSELECT\n  2\n"
    )
    assert dict(read_statements(file)) == {"one": "SELECT 1", "two": "SELECT\n  2"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("-- a --\nSELECT 1", "a needs a line"),
        ("-- a --\n-- Says a.\n", "a has no SQL"),
        ("-- a --\n-- Says a.\nSELECT 1\n-- a --\n-- Again.\nSELECT 2", "two statements"),
    ],
)
def test_a_statement_without_its_sentence_its_sql_or_its_own_name_is_refused(
    tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "x.sql"
    file.write_text(content)
    with pytest.raises(ValueError, match=complaint):
        read_statements(file)
