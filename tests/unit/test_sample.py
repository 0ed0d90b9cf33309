"""The sample knowledge is whole, agrees with itself, and holds what its questions ask for."""

import re
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path

import pypdfium2
import pytest
import yaml
from markitdown import MarkItDown

from bot.sample import KNOWLEDGE, SampleQuestion, build, questions, suggested_prompts

ANSWERABLE = [question for question in questions() if question.answerable]
UNANSWERABLE = [question for question in questions() if not question.answerable]
OFFICE = {".docx", ".pptx", ".xlsx"}
# What nobody may write into a document, or the question would have an answer.
UNANSWERED = {
    "share-price": r"share price|shareholder|stock (?:exchange|market|option)",
    "table-tennis": r"table tennis|tournament|ping.?pong",
    "sabbatical": r"sabbatical|unpaid leave|career break",
    "childcare": r"child.?care|nursery|kindergarten|cr[eè]che",
    "dog": r"\bdogs?\b|\bpets?\b|\banimals?\b",
}


def documents() -> list[str]:
    return sorted(
        path.relative_to(KNOWLEDGE).as_posix() for path in KNOWLEDGE.rglob("*") if path.is_file()
    )


def pages(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        # A line break of the page is a space of the text.
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


@cache
def converter() -> MarkItDown:
    return MarkItDown(enable_plugins=False)


@cache
def text(path: Path) -> str:
    if path.suffix == ".pdf":
        return "\n".join(pages(path))
    if path.suffix in OFFICE:
        return str(converter().convert(path).text_content)
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rebuilt")
    build.build(folder)
    return folder


def test_there_are_as_many_questions_and_prompts_as_promised() -> None:
    assert len(ANSWERABLE) == 20
    assert len(UNANSWERABLE) == 5
    assert len({question.id for question in questions()}) == 25
    assert Counter(question.language for question in questions()) == {"en": 23, "ar": 2}
    assert len(suggested_prompts()) == 4
    assert all(set(prompt) == {"title", "message"} for prompt in suggested_prompts())


def test_all_formats_are_present() -> None:
    kinds = Counter(Path(name).suffix for name in documents())
    assert kinds[".md"] >= 20
    assert kinds[".txt"] >= 2
    assert kinds[".html"] == kinds[".docx"] == 2
    assert kinds[".pptx"] == kinds[".xlsx"] == kinds[".csv"] == kinds[".pdf"] == 1
    assert set(kinds) == {".md", ".txt", ".html", ".csv", ".pdf"} | OFFICE


def test_the_binaries_stay_small() -> None:
    binaries = [KNOWLEDGE / name for name in build.TARGETS]
    assert sum(path.stat().st_size for path in binaries) < 600_000


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question.id)
def test_what_a_right_answer_must_contain_stands_in_its_documents(question: SampleQuestion) -> None:
    assert question.answer
    assert question.documents
    assert question.must_contain
    texts = {name: text(KNOWLEDGE / name).casefold() for name in question.documents}
    for alternatives in question.must_contain:
        for alternative in alternatives:
            assert any(alternative.casefold() in found for found in texts.values()), alternative
    for name, found in texts.items():
        for alternatives in question.must_contain:
            assert any(each.casefold() in found for each in alternatives), (name, alternatives)


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question.id)
def test_the_reference_answer_is_itself_a_right_answer(question: SampleQuestion) -> None:
    answer = (question.answer or "").casefold()
    for alternatives in question.must_contain:
        assert any(each.casefold() in answer for each in alternatives), alternatives


@pytest.mark.parametrize("question", UNANSWERABLE, ids=lambda question: question.id)
def test_what_is_not_answerable_stands_in_no_document(question: SampleQuestion) -> None:
    assert question.answer is None
    assert question.documents == ()
    assert question.must_contain == ()
    topic = re.compile(UNANSWERED[question.id], re.IGNORECASE)
    assert [name for name in documents() if topic.search(text(KNOWLEDGE / name))] == []


def test_the_answer_from_the_pdf_stands_on_its_page() -> None:
    (question,) = [question for question in ANSWERABLE if question.page]
    manual = pages(KNOWLEDGE / question.documents[0])
    assert len(manual) >= 12
    assert question.page
    assert "recalibrated every 6 months" in manual[question.page - 1]
    assert f"Page {question.page}" in manual[question.page - 1]


def test_the_arabic_questions_come_first_from_arabic_pages() -> None:
    for question in ANSWERABLE:
        arabic = len(re.findall(r"[\u0600-\u06ff]", text(KNOWLEDGE / question.documents[0])))
        assert (arabic > 1000) == (question.language == "ar"), question.id


@pytest.mark.parametrize("name", [name for name in documents() if name.endswith(".md")])
def test_a_markdown_page_has_readable_front_matter_and_one_title(name: str) -> None:
    source = text(KNOWLEDGE / name)
    if source.startswith("---\n"):
        _, matter, source = source.split("---\n", 2)
        assert {"title", "owner", "updated"} <= set(yaml.safe_load(matter))
    assert len(re.findall(r"^# ", source, re.MULTILINE)) == 1
    assert re.search(r"^## ", source, re.MULTILINE)


def test_a_rebuild_gives_the_same_text(rebuilt: Path) -> None:
    for name in build.TARGETS:
        assert text(rebuilt / name) == text(KNOWLEDGE / name), name


def test_a_rebuild_is_the_same_byte_for_byte(rebuilt: Path, tmp_path: Path) -> None:
    build.build(tmp_path)
    for name in build.TARGETS:
        assert (tmp_path / name).read_bytes() == (rebuilt / name).read_bytes(), name


@pytest.mark.parametrize(
    ("pattern", "value", "at_least"),
    [
        (r"have at least (\d+) characters|with at least (\d+) characters|عن (\d+) حرف", "14", 3),
        (r"probation period (?:is|lasts) (\d+) months", "3", 3),
        (r"VPN session lasts (\d+) hours|جلسة الشبكة الافتراضية (\d+) ساعة", "12", 2),
        (r"(\d+) days of annual leave per calendar year, |(\d+) يوم إجازة سنوية، ابتد", "28", 2),
        (r"Up to (\d+) days of unused annual leave|ما لا يزيد على (\d+) أيام من الإجازة", "5", 2),
        (r"Learning budget \| EUR ([\d,]+)|learning budget of EUR ([\d,]+)", "1,500", 3),
        (r"(?i)home internet, remote employees only \| EUR (\d+)|<td>EUR (\d+) per month", "30", 2),
        (r"claims in Tally within (\d+) days|claimed within (\d+) days", "30", 2),
        (r"(\d+) confidential|counselling, (\d+) sessions|\| (\d+) sessions per year", "6", 4),
        (r"(\d+) failed attempts|(\d+) محاولات فاشلة", "6", 3),
        (r"(?i)security (?:line|incidents?)[^.|]*\|? ?[^.|]*extension (\d+)", "5555", 4),
        (r"(\d+) recovery codes", "10", 3),
        (r"security review[^.]* takes (\d+) working days", "15", 2),
        (r"employs (\d+) people", "420", 1),
    ],
)
def test_a_fact_is_the_same_wherever_it_stands(pattern: str, value: str, at_least: int) -> None:
    found = [
        "".join(match.groups(default=""))
        for name in documents()
        for match in re.finditer(pattern, text(KNOWLEDGE / name))
    ]
    assert len(found) >= at_least, found
    assert set(found) == {value}, found


def test_the_offices_add_up_to_all_employees() -> None:
    about = text(KNOWLEDGE / "company/about-halden.md")
    people = re.findall(r"^\| (?:Rotterdam|London|Amman|Remote) \| (\d+) \|", about, re.MULTILINE)
    assert len(people) == 4
    assert sum(map(int, people)) == 420


def test_the_public_holidays_fall_on_the_weekdays_that_they_name() -> None:
    holidays = text(KNOWLEDGE / "leave/public-holidays-2026.md")
    dates = re.findall(r"^\| (\w+) (\d+ \w+ 2026) \|", holidays, re.MULTILINE)
    spans = re.findall(r"^\| (\w+) (\d+) to (\w+) (\d+) (\w+ 2026) \|", holidays, re.MULTILINE)
    for first_day, first, last_day, last, month in spans:
        dates += [(first_day, f"{first} {month}"), (last_day, f"{last} {month}")]
    assert len(spans) == 2
    assert len(dates) == 7 + 8 + 8 + 2
    for weekday, date in dates:
        # A date without a clock has no zone.
        assert f"{datetime.strptime(date, '%d %B %Y'):%A}" == weekday, date  # noqa: DTZ007


def test_the_documents_point_only_to_people_that_the_directory_names() -> None:
    directory = text(KNOWLEDGE / "company/who-to-ask.md")
    for name in ("Joost van Dijk", "Marit Solberg", "Tomasz Wolny", "Hanneke de Wit"):
        assert name in directory
    addresses = {
        address
        for name in documents()
        for address in re.findall(r"[\w-]+@[\w.]+\w", text(KNOWLEDGE / name))
    }
    assert all(address.endswith("@halden.example") for address in addresses), addresses
