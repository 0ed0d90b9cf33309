"""SQuAD's exact match and token F1, in Latin and in other scripts."""

import pytest

from knowledge.evaluation.overlap import exact_match, token_f1, tokens


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("The 25 days, per year!", "en", ["25", "days", "per", "year"]),
        ("Don't  panic", "en", ["dont", "panic"]),
        ("l'accès à la Salle", "fr", ["accès", "à", "salle"]),
        ("Der Urlaub im Straßenverkehr", "de", ["urlaub", "im", "strassenverkehr"]),
        ("¿Cuántos días?", "es", ["cuántos", "días"]),
        ("الإجازة السنوية 25 يومًا", "ar", ["إجازة", "سنوية", "25", "يومًا"]),
        ("25天的年假。", "zh", ["25", "天", "的", "年", "假"]),
        ("Ｆｕｌｌ width", "en", ["full", "width"]),
        ("", "en", []),
        ("...", "en", []),
    ],
)
def test_normalised_tokens(text: str, language: str, expected: list[str]) -> None:
    assert tokens(text, language) == expected


def test_exact_match_ignores_case_articles_and_punctuation() -> None:
    assert exact_match("The CFO.", ["a manager", "CFO"]) == 1
    assert exact_match("the CFO decides", ["CFO"]) == 0
    assert exact_match("", []) == 0


def test_token_f1_is_the_best_over_the_references() -> None:
    assert token_f1("25 days of leave", ["25 days"]) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert token_f1("25 days", ["20 days", "25 days"]) == 1
    assert token_f1("days days", ["days"]) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert token_f1("", ["25 days"]) == 0
    assert token_f1("x", []) == 0
