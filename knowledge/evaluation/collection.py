"""A collection of documents in BEIR's form, with or without its questions.

`corpus.jsonl` {_id, title, text}, `queries.jsonl` {_id, text}, `qrels/SPLIT.tsv` (query-id,
corpus-id, score); each may be gzipped. See https://github.com/beir-cellar/beir.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.errors import EvaluationDataError
from knowledge.evaluation.lines import existing, numbered_lines, records, text_field
from knowledge.sources import Change, Checkpoint, Skipped, SourceDocument

Qrels = Mapping[str, Mapping[str, int]]
"""How relevant (0: not) which document is for which question, by their ids."""


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document of a corpus."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A corpus, its questions by id, and what is relevant for those that are asked."""

    documents: tuple[CorpusDocument, ...]
    questions: Mapping[str, str]
    qrels: Qrels


def read_collection(folder: Path, split: str = "test") -> Collection:
    """Read a folder in BEIR's form; only questions that `qrels/<split>` names are kept.

    Raises:
        EvaluationDataError: says which file and line is wrong.
    """
    documents = read_corpus(folder)
    path = existing(folder / "queries.jsonl")
    questions: dict[str, str] = {}
    for number, record in records(path):
        id_ = text_field(path, number, record, "_id")
        if id_ in questions:
            raise EvaluationDataError(f"{path}, line {number}: the id {id_!r} is there twice.")
        questions[id_] = text_field(path, number, record, "text")
    qrels = _qrels(folder, split, questions.keys(), {document.id for document in documents})
    return Collection(documents, {id_: questions[id_] for id_ in qrels}, qrels)


def read_corpus(folder: Path) -> tuple[CorpusDocument, ...]:
    """Read `corpus.jsonl` of a folder.

    Raises:
        EvaluationDataError: says which file and line is wrong.
    """
    if not folder.is_dir():
        raise EvaluationDataError(f"There is no folder {folder}. Check the path.")
    path = existing(folder / "corpus.jsonl")
    documents: dict[str, CorpusDocument] = {}
    for number, record in records(path):
        id_ = text_field(path, number, record, "_id")
        if not id_ or "\x00" in id_:
            raise EvaluationDataError(f"{path}, line {number}: the id is empty or has a NUL in it.")
        if id_ in documents:
            raise EvaluationDataError(f"{path}, line {number}: the id {id_!r} is there twice.")
        title = text_field(path, number, {"title": "", **_known(record)}, "title")
        documents[id_] = CorpusDocument(id_, title, text_field(path, number, record, "text"))
    if not documents:
        raise EvaluationDataError(f"{path} holds no document.")
    return tuple(documents.values())


def _known(record: dict[str, Any]) -> dict[str, Any]:
    """Without nulls: some corpora write a missing title so."""
    return {name: value for name, value in record.items() if value is not None}


def _qrels(folder: Path, split: str, questions: Any, documents: set[str]) -> Qrels:
    if not (folder / "qrels").is_dir():
        raise EvaluationDataError(f"There is no folder {folder / 'qrels'}. Check the path.")
    path = existing(folder / "qrels" / f"{split}.tsv")
    qrels: dict[str, dict[str, int]] = {}
    for number, line in numbered_lines(path):
        parts = line.split("\t")
        if number == 1 and parts[-1].strip() == "score":
            continue
        question, document, score = _judgement(path, number, parts)
        if question not in questions:
            raise EvaluationDataError(f"{path}, line {number}: there is no question {question!r}.")
        if document not in documents:
            raise EvaluationDataError(f"{path}, line {number}: there is no document {document!r}.")
        qrels.setdefault(question, {})[document] = score
    asked = {id_: judged for id_, judged in qrels.items() if any(s > 0 for s in judged.values())}
    if not asked:
        raise EvaluationDataError(f"{path} names no relevant document of any question.")
    return asked


def _judgement(path: Path, number: int, parts: list[str]) -> tuple[str, str, int]:
    try:
        question, document, score = parts
        return question, document, int(score)
    except ValueError as error:
        raise EvaluationDataError(
            f"{path}, line {number}: is not question, document and a whole number, parted by tabs."
        ) from error


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """A corpus as a source of documents; a document's key is its id."""

    location: str
    documents: tuple[CorpusDocument, ...]
    media_type: str = "text/plain"
    readers: Callable[[str], frozenset[str]] | None = None
    """Of a document by its id; None: the source's own."""
    kind: str = "corpus"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Every document; where the text is empty, its title stands in for it."""
        del cursor
        for document in self.documents:
            text = document.text if document.text.strip() else document.title
            if text.strip():
                yield self._document(document, text)
            else:
                yield Skipped(document.id, "has neither title nor text")
        yield Checkpoint()

    def _document(self, document: CorpusDocument, text: str) -> SourceDocument:
        async def load() -> bytes:
            return text.encode("utf-8", errors="replace")  # JSON may hold half a surrogate pair

        return SourceDocument(
            key=document.id,
            media_type=self.media_type,
            load=load,
            title=document.title.strip() or None,
            principals=self.readers(document.id) if self.readers else None,
        )
