"""The language of questions and documents."""

import pytest

from knowledge.languages import configuration, detect

IN_USE = {"en", "nl", "es", "de"}


@pytest.mark.parametrize(
    "question",
    [
        "How do I reset my password?",
        "VPN setup",
        "sick leave",
        "badge lost",
        "dental plan",
        "expense report",
        "is it ok",
        "Wi-Fi guest",
        "remote work",
        "server room code",
        "Who approves travel",
        "can i bring my dog",
        "RESET PASSWORD",
    ],
)
def test_a_short_english_question_is_english_where_english_is_in_use(question: str) -> None:
    assert detect(question, IN_USE) == "en"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("¿Cuántos días de vacaciones tengo?", "es"),
        ("Wie viele Urlaubstage habe ich?", "de"),
        ("Hoeveel vakantiedagen heb ik?", "nl"),
        ("Combien de jours de congé ?", "fr"),
        ("Hur många semesterdagar har jag?", "sv"),
        ("كم يومًا من الإجازة؟", "ar"),
        ("Сколько дней отпуска у сотрудников компании?", "ru"),
        ("有給休暇は何日ですか", "ja"),
        ("VPNを設定する方法", "ja"),
        ("年假有多少天", "zh"),
        ("휴가는 며칠인가요?", "ko"),
        ("כמה ימי חופשה יש לי?", "he"),
        ("วันหยุดมีกี่วัน", "th"),
        ("Πόσες μέρες άδεια έχω;", "el"),
        ("मुझे कितनी छुट्टियाँ मिलती हैं?", "hi"),
        ("How do I get to the 東京 office?", "en"),
    ],
)
def test_a_sure_verdict_stands_whatever_is_in_use(text: str, language: str) -> None:
    assert detect(text) == language
    assert detect(text, {"en"}) == language


@pytest.mark.parametrize("text", ["", "1234", "🎉 !", "AFM-1234", "badge lost"])
def test_what_could_be_anything_is_unknown(text: str) -> None:
    assert detect(text) == "und"
    assert detect(text, {"fr"}) == "und"


def test_a_language_without_a_stemmer_is_split_plainly() -> None:
    assert [configuration(code) for code in ("en", "ar", "ja", "und", "xx")] == [
        "english",
        "arabic",
        "simple",
        "simple",
        "simple",
    ]
