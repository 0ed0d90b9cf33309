"""Chunking: nothing lost, nothing twice, order kept, width kept, headings right."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import Chunk, chunk_document, embedding_text
from knowledge.parsing import Page, ParsedDocument

WORD = re.compile(r"\bw\d+\b")


def count_words(texts: Sequence[str]) -> list[int]:
    """A tokenizer whose tokens can be counted by hand: one a word, one a sign."""
    return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]


def chunks_of(
    *pages: str, width: int = 40, title: str = "Handbook", model_width: int = 512
) -> list[Chunk]:
    """The chunks of pages numbered from 1, measured in words."""
    document = ParsedDocument(title, tuple(Page(n, page) for n, page in enumerate(pages, start=1)))
    return chunk_document(
        document,
        language="en",
        count_tokens=count_words,
        width_tokens=width,
        model_width_tokens=model_width,
    )


@dataclass(frozen=True)
class Written:
    """A document made of words that each stand in it once, with what is true of it."""

    pages: tuple[str, ...]
    words: tuple[str, ...]
    headings: dict[str, tuple[str, ...]]
    page_of: dict[str, int]
    rows: tuple[str, ...]


class _Writer:
    """Writes random blocks; every word is numbered, so that a loss or a double shows."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._path: list[tuple[int, str]] = []
        self.words: list[str] = []
        self.headings: dict[str, tuple[str, ...]] = {}
        self.page_of: dict[str, int] = {}
        self.rows: list[str] = []
        self.page = 1

    def number(self, largest: int) -> int:
        return self._draw(st.integers(1, largest))

    def some(self, largest: int) -> str:
        new = [f"w{len(self.words) + n}" for n in range(self.number(largest))]
        self.words += new
        for word in new:
            self.headings[word] = tuple(text for _, text in self._path)
            self.page_of[word] = self.page
        return " ".join(new)

    def heading(self) -> str:
        level = self.number(4)
        self._path = [(above, text) for above, text in self._path if above < level]
        self._path.append((level, f"Heading {len(self.words)} of {self.number(9**9)}"))
        return f"{'#' * level} {self._path[-1][1]}"

    def paragraph(self) -> str:
        return "\n".join(f"{self.some(15)}." for _ in range(self.number(8)))

    def items(self) -> str:
        items = "\n".join(f"- {self.some(15)}." for _ in range(self.number(8)))
        return f"{items}\n\n<!-- -->"  # what follows a list directly would belong to it

    def table(self) -> str:
        rows = [f"| {self.some(6)} | {self.some(6)} |" for _ in range(5)]
        self.rows += rows
        return "\n".join(["| alpha | beta |", "| --- | --- |", *rows])

    def code(self) -> str:
        return "```\n" + "\n".join(self.some(6) for _ in range(self.number(12))) + "\n```"

    def long_sentence(self) -> str:
        return f"{self.some(120)}."


@st.composite
def written(draw: st.DrawFn) -> Written:
    """A random document with what is true of it."""
    writer = _Writer(draw)
    kinds = [
        writer.heading,
        writer.paragraph,
        writer.items,
        writer.table,
        writer.code,
        writer.long_sentence,
    ]
    pages = []
    for page in range(1, writer.number(3) + 1):
        writer.page = page
        blocks = [kinds[draw(st.integers(0, 5))]() for _ in range(writer.number(6))]
        pages.append("\n\n".join(blocks))
    return Written(
        tuple(pages), tuple(writer.words), writer.headings, writer.page_of, tuple(writer.rows)
    )


@settings(max_examples=150, deadline=None)
@given(written(), st.integers(28, 120))
def test_chunks_hold_every_word_once_in_order_within_the_width(
    document: Written, width: int
) -> None:
    chunks = chunks_of(*document.pages, width=width)
    assert [word for chunk in chunks for word in WORD.findall(chunk.text)] == list(document.words)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.tokens == count_words([chunk.text])[0] <= width
        for word in WORD.findall(chunk.text):
            assert chunk.heading_path == document.headings[word]
        if first := WORD.search(chunk.text):
            assert chunk.page == document.page_of[first[0]]


@settings(max_examples=100, deadline=None)
@given(written(), st.integers(34, 120))
def test_a_table_row_is_never_cut_and_always_has_its_header(document: Written, width: int) -> None:
    chunks = chunks_of(*document.pages, width=width)
    for row in document.rows:
        (holder,) = [chunk for chunk in chunks if row in chunk.text]
        assert "| alpha | beta |\n| --- | --- |\n" in holder.text[: holder.text.index(row)]


@given(st.text(max_size=400), st.integers(16, 60))
@settings(max_examples=150, deadline=None)
def test_any_text_at_all_is_cut_within_the_width(text: str, width: int) -> None:
    for chunk in chunks_of(text, width=width):
        assert chunk.tokens <= width
        assert chunk.text.strip()


def test_sentences_are_not_cut_where_they_fit() -> None:
    sentences = [f"Sentence number {n} says that rule {n} holds." for n in range(30)]
    for chunk in chunks_of(" ".join(sentences), width=40):
        assert chunk.text.endswith("holds.")
        assert chunk.text.startswith("Sentence")


def test_chunks_of_a_section_are_of_like_size() -> None:
    sizes = [
        chunk.tokens for chunk in chunks_of("\n\n".join(["one two three four."] * 9), width=40)
    ]
    assert len(sizes) == 2
    assert max(sizes) - min(sizes) <= 5


def test_the_line_that_announces_a_list_stays_with_it() -> None:
    text = (
        "word " * 17
        + ".\n\nBring these:\n\n- passport\n- contract\n- bank details\n"
        + "- key\n" * 8
    )
    (holder,) = [chunk for chunk in chunks_of(text, width=38) if "Bring these:" in chunk.text]
    assert "- passport" in holder.text


def test_a_row_that_is_wider_than_a_chunk_says_what_its_cells_are() -> None:
    long = " ".join(f"w{n}" for n in range(60))
    chunks = chunks_of(f"| Name | Rule |\n| --- | --- |\n| Leave | {long} |", width=30)
    assert chunks[0].text.startswith("Name: Leave\nRule: w0")
    assert " ".join(chunk.text for chunk in chunks).split()[3:] == long.split()


def test_a_heading_with_nothing_below_it_can_still_be_found() -> None:
    first, second = chunks_of("# Leave\n\n## Parking is free\n\n## Canteen\n\nOpen at noon.")
    assert (first.heading_path, first.text) == (("Leave", "Parking is free"), "Parking is free")
    assert second.heading_path == ("Leave", "Canteen")


def test_the_title_is_not_repeated_in_the_heading_path() -> None:
    (chunk,) = chunks_of("# Handbook\n\n## Leave\n\n25 days.")
    assert chunk.heading_path == ("Leave",)
    assert embedding_text(chunk) == "Handbook > Leave\n\n25 days."


def test_a_long_title_leaves_less_room_for_the_passage() -> None:
    text = " ".join(["word"] * 200)
    title = " ".join(["title"] * 12)
    for chunk in chunks_of(text, width=60, title=title, model_width=64):
        assert count_words([embedding_text(chunk)])[0] <= 64


def test_a_section_that_runs_over_a_page_keeps_the_page_of_its_start() -> None:
    first, second = chunks_of("# Leave\n\nOne.", "Two.\n\n# Pay\n\nThree.")
    assert (first.text, first.page) == ("One.\n\nTwo.", 1)
    assert (second.text, second.page) == ("Three.", 2)


def test_chinese_sentences_are_cut_without_spaces_between_them() -> None:
    document = ParsedDocument("手册", (Page(None, "员工每年有二十五天年假。" * 20),))
    chunks = chunk_document(
        document,
        language="zh",
        count_tokens=lambda texts: [len(text) for text in texts],
        width_tokens=50,
        model_width_tokens=200,
    )
    assert "".join(chunk.text for chunk in chunks) == "员工每年有二十五天年假。" * 20
    assert all(chunk.text.endswith("。") for chunk in chunks)
