"""The message that shows a sync's progress: what it says, and that it fits into Slack."""

import pytest

from bot.board import Board, clock_time
from bot.markup import INERT
from bot.reasons import by_reason, reason_lines, reasons_file
from bot.texts import FSI, PDI, Texts, languages
from knowledge.index import Progress, Report


def progress(done: int, total: int, *, told_all: bool = True) -> Progress:
    return Progress(
        documents_done=done, documents_total=total, told_all=told_all, chunks=240, key="x",
        seconds=20.0,
    )  # fmt: skip


def report(**fields: object) -> Report:
    return Report(**{"seen": 5, "added": 5, "seconds": 2.04, **fields})  # type: ignore[arg-type]


def board(*sources: str, language: str = "en") -> Board:
    return Board(None, "U1", language, 1, sources)


def test_each_source_has_a_line_for_its_state() -> None:
    shown = board("a", "b", "c", "d", "e")
    shown.begin("b")
    shown.take("c", progress(20, 80))
    shown.done("d", report())
    shown.failed("e", "It is <gone>.")
    assert shown.text().splitlines() == [
        "*Reading the documents again*",
        "a: waiting",
        "b: looking for what has changed …",
        "c",
        "`█████░░░░░░░░░░░░░░░` 20/80 documents, 12.0 passages/s, about 1:00 left",
        (
            "d: 5 documents seen, 5 added, 0 changed, 0 unchanged, 0 removed, 0 skipped, 0 failed; "
            "2.0 s"
        ),
        "e could not be read: It is &lt;gone&gt;.",
    ]


def test_while_a_source_still_tells_there_is_no_promise_of_an_end() -> None:
    shown = board("a")
    shown.take("a", progress(20, 20, told_all=False))
    assert "20/20+ documents" in shown.text()
    assert "left" not in shown.text()
    assert "░" in shown.text()


@pytest.mark.parametrize("language", sorted(languages()))
def test_many_sources_with_many_reasons_fit_into_one_message(language: str) -> None:
    names = [f"source {number} " + "x" * 60 for number in range(60)]
    shown = board(*names, language=language)
    for name in names:
        rows = [(f"document {n} " + "y" * 90, f"reason {n % 7} " + "z" * 300) for n in range(90)]
        shown.done(name, report(failed=rows, skipped=rows))
    assert len(shown.text()) <= 3_500


def test_reasons_are_grouped_the_most_frequent_first_and_the_first_names_told() -> None:
    skipped = [("a.md", "is hidden"), *((f"{n}.jpg", "is a picture") for n in range(5))]
    assert list(by_reason(skipped)) == ["is a picture", "is hidden"]
    lines, whole = reason_lines(report(failed=[("b.md", "is broken")], skipped=skipped), EN)
    assert [line.replace(INERT, "") for line in lines] == [
        "• 1 failed: is broken (b.md)",
        "• 5 skipped: is a picture (0.jpg, 1.jpg, 2.jpg, …)",
        "• 1 skipped: is hidden (a.md)",
    ]
    assert not whole
    assert reason_lines(report(skipped=skipped[:1]), EN)[1]


def test_the_file_names_everything() -> None:
    rows = [(f"{number}.jpg", "is a picture") for number in range(5)]
    content = reasons_file({"handbook": report(skipped=rows, failed=[("b", "is broken")])})
    assert content.startswith("handbook: failed, 1: is broken\n    b\n")
    assert "handbook: skipped, 5: is a picture\n    0.jpg\n    1.jpg" in content


def test_a_name_in_an_arabic_line_does_not_turn_it_around() -> None:
    shown = board("handbook", "دليل", language="ar")
    first, second = shown.text().splitlines()[1:]
    assert first.startswith(f"{FSI}handbook{PDI}:")
    assert second.startswith("دليل:")
    shown.take("handbook", progress(1, 2))
    assert "`██████████░░░░░░░░░░`" in shown.text()
    assert f"\u200f{FSI}handbook{PDI}\n" in shown.text()


def test_names_of_both_directions_keep_to_themselves() -> None:
    rows = [("photo.jpg", "is a picture"), ("نص.jpg", "is a picture")]
    [line], _ = reason_lines(report(skipped=rows), Texts.of("ar"))
    assert f"({FSI}photo.{INERT}jpg{PDI}, نص.{INERT}jpg)" in line


def test_time_is_told_in_minutes_and_seconds() -> None:
    assert [clock_time(seconds) for seconds in (0, 59.6, 61, 3725)] == [
        "0:00", "1:00", "1:01", "1:02:05",
    ]  # fmt: skip


EN = Texts.of("en")
