"""Writes small collections in BEIR's form."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CORPUS: list[dict[str, Any]] = [
    {"_id": "leave", "title": "Leave", "text": "You get 25 days of paid leave a year."},
    {"_id": "path/to page?#1", "title": "Parking", "text": "Park your car on level two."},
    {"_id": "食堂", "title": "Canteen", "text": "Lunch is served from noon until two."},
    {"_id": "empty", "title": "Dress code for visitors", "text": ""},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "How many days of paid leave do I get?"},
    {"_id": "q2", "text": "Where do I park my car?"},
    {"_id": "q3", "text": "When is lunch served?"},
    {"_id": "q4", "text": "Is there a dress code?"},
    {"_id": "unasked", "text": "Is this in another split?"},
]
QRELS = [
    ("q1", "leave", 1),
    ("q2", "path/to page?#1", 1),
    ("q3", "食堂", 1),
    ("q3", "leave", 0),
    ("q4", "empty", 2),
]


def write_collection(
    folder: Path,
    *,
    corpus: Iterable[Mapping[str, Any]] = CORPUS,
    queries: Iterable[Mapping[str, Any]] = QUERIES,
    qrels: Iterable[tuple[str, str, int]] = QRELS,
    split: str = "test",
) -> Path:
    """Write the files; every text is one line of JSON."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", queries)
    rows = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in qrels)]
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def gzipped(path: Path) -> None:
    """Put a gzipped file into the place of a plain one."""
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
