"""Collections in BEIR's form: what is read, and what is refused with its file and line."""

from pathlib import Path

import pytest

from knowledge.errors import EvaluationDataError
from knowledge.evaluation.collection import CorpusSource, read_collection
from knowledge.evaluation.retrieval import metrics
from knowledge.sources import Skipped, SourceDocument
from tests.collections import CORPUS, gzipped, write_collection


def test_only_questions_of_the_split_are_read(tmp_path: Path) -> None:
    found = read_collection(write_collection(tmp_path))
    assert list(found.questions) == ["q1", "q2", "q3", "q4"]
    assert found.qrels["q3"] == {"食堂": 1, "leave": 0}
    assert [document.id for document in found.documents] == [row["_id"] for row in CORPUS]


def test_gzipped_files_and_another_split_are_read_alike(tmp_path: Path) -> None:
    plain = read_collection(write_collection(tmp_path / "plain"))
    folder = write_collection(tmp_path / "packed", split="dev")
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/dev.tsv"):
        gzipped(folder / name)
    assert read_collection(folder, "dev") == plain


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("corpus.jsonl", '{"_id": "x", "text": ', r"corpus.jsonl, line 5: is not JSON"),
        ("corpus.jsonl", '["x"]', "corpus.jsonl, line 5: is not a JSON object"),
        ("corpus.jsonl", '{"_id": "leave", "text": "x"}', "line 5: the id 'leave' is there twice"),
        ("corpus.jsonl", '{"_id": "x"}', 'line 5: needs a text in "text"'),
        ("corpus.jsonl", '{"_id": "", "text": "x"}', "line 5: the id is empty"),
        ("queries.jsonl", '{"_id": "q1", "text": "x"}', "queries.jsonl, line 6: the id 'q1'"),
        ("qrels/test.tsv", "q9\tleave\t1", "test.tsv, line 7: there is no question 'q9'"),
        ("qrels/test.tsv", "q1\tgone\t1", "test.tsv, line 7: there is no document 'gone'"),
        ("qrels/test.tsv", "q1 leave 1", "test.tsv, line 7: is not question, document"),
        ("qrels/test.tsv", "q1\tleave\tmuch", "test.tsv, line 7: is not question, document"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(
    tmp_path: Path, file: str, line: str, message: str
) -> None:
    folder = write_collection(tmp_path)
    with (folder / file).open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(EvaluationDataError, match=message):
        read_collection(folder)


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path, file: str) -> None:
    folder = write_collection(tmp_path)
    (folder / file).write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(EvaluationDataError, match=Path(file).name):
        read_collection(folder)
    (folder / file).unlink()
    with pytest.raises(EvaluationDataError, match=f"There is no file .*{Path(file).name}"):
        read_collection(folder)


def test_qrels_without_anything_relevant_are_refused(tmp_path: Path) -> None:
    folder = write_collection(tmp_path, qrels=[("q1", "leave", 0)])
    with pytest.raises(EvaluationDataError, match="no relevant document"):
        read_collection(folder)


async def test_a_document_without_text_is_told_by_its_title_and_an_empty_one_is_skipped(
    tmp_path: Path,
) -> None:
    corpus = [*CORPUS, {"_id": "void", "title": None, "text": " "}]
    documents = read_collection(write_collection(tmp_path, corpus=corpus)).documents
    changes = [each async for each in CorpusSource("x", documents).changes(None)]
    *_, titled, void, _ = changes
    assert isinstance(titled, SourceDocument)
    assert await titled.load() == b"Dress code for visitors"
    assert void == Skipped("void", "has neither title nor text")


def test_the_metrics_are_those_of_their_definitions() -> None:
    """By hand: one at the first place, one of two at the second, one not among ten, one nowhere."""
    qrels = {"a": {"x": 1}, "b": {"x": 1, "y": 1}, "c": {"x": 1}, "d": {"x": 1}}
    far = [*map(str, range(10)), "x"]
    found = metrics(qrels, {"a": ["x", "z"], "b": ["z", "y"], "c": far, "d": []})
    ideal_of_two = 1 + 1 / 1.584962500721156
    assert found == pytest.approx(
        {
            "ndcg@10": (1 + (1 / 1.584962500721156) / ideal_of_two) / 4,
            "recall@10": (1 + 0.5) / 4,
            "hit@1": 1 / 4,
            "hit@3": 2 / 4,
            "mrr@10": (1 + 0.5) / 4,
        }
    )


def test_documents_keep_their_order_whatever_their_names_are() -> None:
    """trec_eval breaks ties by name; places are no ties."""
    assert metrics({"q": {"b": 1}}, {"q": ["b", "z", "a"]})["hit@1"] == 1
    assert metrics({"q": {"z": 1}}, {"q": ["b", "z", "a"]})["hit@1"] == 0
