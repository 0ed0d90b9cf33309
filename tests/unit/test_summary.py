"""What a document is about, in its own words."""

from knowledge.parsing import Page
from knowledge.summary import SUMMARY_WORDS, summarise


def test_a_summary_is_the_first_whole_sentences_of_prose() -> None:
    page = Page(
        None,
        "# Travel\n\nThis page is about travel. It is for everybody.\n\n| a | b |\n|---|---|"
        "\n| 1 | 2 |\n\n```\nx = 1\n```\n\nBook early.",
    )
    assert summarise([page], "en") == (
        "This page is about travel. It is for everybody. Book early."
    )


def test_a_summary_ends_before_the_sentence_that_would_be_too_much() -> None:
    sentences = [f"Sentence {n} has exactly seven words here." for n in range(30)]
    found = summarise([Page(None, " ".join(sentences))], "en")
    assert found == " ".join(sentences[: SUMMARY_WORDS // 7])


def test_a_first_sentence_without_end_is_cut_and_not_left_out() -> None:
    found = summarise([Page(None, "word " * 500)], "en")
    assert len(found.split()) == SUMMARY_WORDS


def test_letters_count_where_words_are_not_parted() -> None:
    found = summarise([Page(None, "有給休暇は年に二十日間もらえます。" * 50)], "ja")
    assert 0 < len(found) <= 2 * SUMMARY_WORDS + 1


def test_a_document_without_prose_has_no_summary() -> None:
    assert summarise([Page(None, "# Only\n\n## Headings\n\n| a |\n|---|\n| 1 |")], "en") == ""
    assert summarise([], "en") == ""
