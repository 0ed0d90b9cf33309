"""BM25 in SQL against bm25s on the same chunks and words, side by side in one run.

Run: python -m tests.benchmarks.bench_bm25 [BEIR_FOLDER]

With a folder in BEIR's form (corpus.jsonl, queries.jsonl, qrels/test.tsv): nDCG@10 of documents by
both, as postings are read for a reader of few chunks and for one of many. Without: 20,000 synthetic
chunks and times only. bm25s gets the very stems that Postgres makes, so only the ranking differs.
Aims: nDCG@10 ratio 0.98, p50 15 ms.
"""

import argparse
import asyncio
import csv
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import bm25s
import numpy as np
import psycopg

from knowledge.database import Database
from knowledge.plan import Limits
from knowledge.postings import TermSource, postings
from knowledge.search import Search
from tests.benchmarks.bench_search import prepare, quantiles, words
from tests.search_corpus import Page, add

WIDTH_WORDS = 150
DEPTH = 100
EVERYONE = frozenset({"everyone"})
Qrels = Mapping[str, Mapping[str, int]]


def beir(folder: Path) -> tuple[list[str], list[str], dict[str, str], Qrels]:
    """Chunks, the document of each, questions by their ids, and judgements."""
    chunks, owners = [], []
    for line in (folder / "corpus.jsonl").read_text().splitlines():
        document = json.loads(line)
        every = f"{document.get('title') or ''} {document['text']}".split()
        for start in range(0, max(1, len(every)), WIDTH_WORDS):
            chunks.append(" ".join(every[start : start + WIDTH_WORDS]))
            owners.append(str(document["_id"]))
    qrels: dict[str, dict[str, int]] = {}
    with (folder / "qrels" / "test.tsv").open() as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    read = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    return chunks, owners, {q["_id"]: q["text"] for q in read if q["_id"] in qrels}, qrels


def synthetic(count: int = 20_000, asked: int = 200) -> tuple[list[str], dict[str, str]]:
    """Chunks and questions of Zipf's words."""
    random = np.random.default_rng(5)
    chunks = [" ".join(words(random, 80)) for _ in range(count)]
    return chunks, {str(n): " ".join(words(random, 8)) for n in range(asked)}


def ndcg(ranked: Sequence[str], judged: Mapping[str, int]) -> float:
    """nDCG@10 of documents, each counted where its first chunk stands."""
    seen = list(dict.fromkeys(ranked))[:10]
    gains = [judged.get(document, 0) / np.log2(place + 2) for place, document in enumerate(seen)]
    best = sorted(judged.values(), reverse=True)[:10]
    ideal = sum(gain / np.log2(place + 2) for place, gain in enumerate(best))
    return float(sum(gains) / ideal) if ideal else 0.0


async def stems(database: Database, texts: Sequence[str]) -> list[list[str]]:
    """The terms of each text as words for bm25s."""
    found: list[list[str]] = []
    async with database.indexer.begin() as connection:
        for start in range(0, len(texts), 500):
            some = [TermSource(text, "en") for text in texts[start : start + 500]]
            found += [
                [str(term) for term, times in one.frequencies.items() for _ in range(times)]
                for one in await postings(connection, some)
            ]
    return found


async def compare(
    database: Database,
    chunks: Sequence[str],
    asked: Mapping[str, str],
    owners: Sequence[str],
    qrels: Qrels,
) -> None:
    """Rank by all three and print what came out."""
    ids: list[int] = []
    for start in range(0, len(chunks), 4000):
        ids += await add(database, [Page(text) for text in chunks[start : start + 4000]])
    with psycopg.connect(database.conninfo(role="lorewise_owner"), autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    place = {chunk: number for number, chunk in enumerate(ids)}
    reference = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    reference.index(await stems(database, chunks), show_progress=False)
    split = await stems(database, list(asked.values()))
    ranked: dict[str, list[list[int]]] = {"bm25s": []}
    seconds: dict[str, list[float]] = {"bm25s": []}
    for terms in split:
        begin = time.perf_counter()
        scores = reference.get_scores(list(dict.fromkeys(terms))) if terms else np.zeros(len(ids))
        order = np.argsort(-scores, kind="stable")[:DEPTH].tolist()
        seconds["bm25s"].append(time.perf_counter() - begin)
        ranked["bm25s"].append(order)
    small = Limits(all_postings_chunks=0, postings=len(chunks) // 10, fewest_postings=200)
    for name, limits in (("all postings", Limits()), ("rarest postings", small)):
        search = Search(database, limits=limits)
        ranked[name], seconds[name] = [], []
        for question in asked.values():
            begin = time.perf_counter()
            await search.search(question, EVERYONE, k=10)
            seconds[name].append(time.perf_counter() - begin)
            hits = await search.search(question, EVERYONE, k=DEPTH)  # ten documents need more
            ranked[name].append([place[hit.chunk_id] for hit in hits])
    report(ranked, seconds, list(asked), owners, qrels)


def report(
    ranked: Mapping[str, Sequence[Sequence[int]]],
    seconds: Mapping[str, Sequence[float]],
    asked: Sequence[str],
    owners: Sequence[str],
    qrels: Qrels,
) -> None:
    """nDCG where there are judgements; else how much of bm25s's first ten is found."""
    print(f"{'':18}{'nDCG@10':>9}{'ratio':>8}{'same ten':>10}{'p50 ms':>9}{'p95 ms':>9}")
    base = 0.0
    for name, lists in ranked.items():
        pairs = zip(lists, ranked["bm25s"], strict=True)
        same = float(np.mean([len({*one[:10]} & {*two[:10]}) / 10 for one, two in pairs]))
        gains = [
            ndcg([owners[n] for n in found], qrels[query])
            for query, found in zip(asked, lists, strict=True)
            if qrels
        ]
        score = float(np.mean(gains)) if gains else float("nan")
        base = base or score
        p50, p95 = quantiles(seconds[name])
        print(f"{name:18}{score:9.4f}{score / base:8.3f}{same:10.3f}{p50:9.1f}{p95:9.1f}")


async def main() -> None:
    """Fill a server of its own, compare, throw it away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    owners: list[str] = []
    qrels: Qrels = {}
    if folder:
        chunks, owners, asked, qrels = beir(folder)
    else:
        chunks, asked = synthetic()
    print(f"{len(chunks)} chunks, {len(asked)} questions")
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as temporary:
        Path(temporary).chmod(0o755)
        server, database = prepare(Path(temporary))
        try:
            await compare(database, chunks, asked, owners, qrels)
        finally:
            await database.close()
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
