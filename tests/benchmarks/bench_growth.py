"""How search behaves while a collection grows: speed, recall, size, for readers of little and much.

Run: python -m tests.benchmarks.bench_growth [--sizes 10000,100000,1000000] [--questions 40]

Synthetic chunks (tests/benchmarks/grown.py). For each size and share that a reader may see: p50 and
p95 of the whole search at one and at eight clients, beside the bare pgvector statement (the same
rows, plan and filter; only the ten nearest); recall@10 of the dense ranking against brute force in
numpy; and whether fewer than ten came where ten are visible. Aims: recall 0.98, never fewer,
1.3 times the bare statement, and at the last size three times the p50 of the first.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
from sqlalchemy import text

from knowledge.database import Database
from knowledge.plan import Plan
from knowledge.search import Search
from knowledge.upkeep import keep_up
from tests.benchmarks.bench_search import Given, prepare, quantiles
from tests.benchmarks.grown import (
    SHARES,
    Filling,
    Floats,
    Integers,
    block,
    blocks,
    near,
    sees,
    zipf,
)

MODEL, K, CLIENTS = "grown", 10, 8
WARMING = 10
SIZES = (
    "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relnamespace = "
    "'lorewise'::regnamespace AND pg_relation_size(oid) > 8e6 ORDER BY 2 DESC"
)


@dataclass(slots=True)
class Asked:
    """The questions of a reader with the truth: the ids of the nearest, best first."""

    questions: dict[str, Floats]
    nearest: Integers
    visible: int


@dataclass(slots=True)
class Figures:
    """Of one size and share, in milliseconds."""

    visible: int = 0
    plan: str = ""
    bare: tuple[float, float] = (0, 0)
    one: tuple[float, float] = (0, 0)
    eight: tuple[float, float] = (0, 0)
    recall: float = 1.0
    short: int = 0


def ask(share: str, count: int, chunks: int) -> dict[str, Floats]:
    """Questions near chunks of the first block: every other one near what the reader may see."""
    random = np.random.default_rng(11)
    first = block(0)
    known = first.acls[: min(chunks, len(first.acls))]
    mine = np.flatnonzero(sees(share, known))
    asked = {}
    for number in range(count):
        near_mine = len(mine) and number % 2
        chunk = int(random.choice(mine)) if near_mine else int(random.integers(len(known)))
        own = random.choice(first.words[chunk], 4, replace=False).tolist()
        words = [*own, *zipf(random, (4,)).tolist()]
        vector = near(random, first.vectors[chunk : chunk + 1])[0]
        asked["what is " + " ".join(f"w{word}x" for word in words)] = vector
    return asked


def with_truth(chunks: int, count: int) -> dict[str, Asked]:
    """The questions of each share, and by brute force what a dense ranking should find."""
    asked = {share: ask(share, count, chunks) for share in SHARES}
    best = {share: np.full((count, K), -2.0, np.float32) for share in SHARES}
    ids = {share: np.zeros((count, K), np.int64) for share in SHARES}
    visible = dict.fromkeys(SHARES, 0)
    for part in blocks(chunks):
        stored = part.vectors.astype(np.float16).astype(np.float32)
        for share, questions in asked.items():
            mine = np.flatnonzero(sees(share, part.acls))
            visible[share] += len(mine)
            rounded = np.stack(list(questions.values())).astype(np.float16).astype(np.float32)
            scores = np.hstack([best[share], rounded @ stored[mine].T])
            known = np.hstack([ids[share], np.tile(part.ids[mine], (count, 1))])
            order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
            best[share] = np.take_along_axis(scores, order, 1)
            ids[share] = np.take_along_axis(known, order, 1)
    return {share: Asked(asked[share], ids[share], visible[share]) for share in SHARES}


async def measure(database: Database, share: str, asked: Asked) -> Figures:
    """Everything of one reader at one size."""
    figures = Figures(asked.visible)
    principals = frozenset(SHARES[share])
    # A question whose words nothing has: its hits are the dense ranking.
    wordless = {f"zebra{n}": vector for n, vector in enumerate(asked.questions.values())}
    search = Search(database, [Given(asked.questions | wordless, MODEL)])
    plan = await planned(database, search, asked, principals)
    figures.plan = "index" if plan.indexes else "exact"
    recalls: list[float] = []
    whole: list[float] = []
    bare: list[float] = []
    for turn, (question, vector) in enumerate(asked.questions.items()):
        begin = time.perf_counter()
        hits = await search.search(question, principals, k=K)
        whole.append(time.perf_counter() - begin)
        bare.append(await bare_seconds(database, plan, vector, principals))
        near_only = await search.search(f"zebra{turn}", principals, k=K)
        figures.short += min(len(hits), len(near_only)) < min(K, asked.visible)
        truth = set(asked.nearest[turn, : asked.visible].tolist())
        recalls.append(len(truth & {hit.chunk_id for hit in near_only}) / max(1, len(truth)))
    figures.recall = float(np.mean(recalls)) if asked.visible else 1.0
    figures.one, figures.bare = quantiles(whole[WARMING:]), quantiles(bare[WARMING:])
    figures.eight = quantiles(await together(search, list(asked.questions), principals))
    return figures


async def planned(
    database: Database, search: Search, asked: Asked, principals: frozenset[str]
) -> Plan:
    """The plan that the search chooses for this reader."""
    async with database.acting_as(principals) as connection:
        one = await search.prepare(next(iter(asked.questions)), {"en": asked.visible})
        return await search.plan(connection, one, K)


async def bare_seconds(
    database: Database, plan: Plan, vector: Floats, principals: frozenset[str]
) -> float:
    """How long pgvector alone takes: the same filter and index, ten rows, no words, no fusion."""
    values = {"vector": "[" + ",".join(map(str, vector.tolist())) + "]"}
    begin = time.perf_counter()
    async with database.acting_as(principals) as connection:
        for name in ("hnsw.iterative_scan", "hnsw.max_scan_tuples"):
            if name in plan.settings:
                await connection.execute(text(f"SET LOCAL {name} TO {plan.settings[name]}"))
        (await connection.execute(BARE[bool(plan.indexes)], values)).all()
    return time.perf_counter() - begin


async def together(
    search: Search, questions: Sequence[str], principals: frozenset[str]
) -> list[float]:
    """Seconds of each search while eight clients ask."""
    seconds: list[float] = []

    async def client(first: int) -> None:
        for question in [*questions[first::CLIENTS], *questions[first::CLIENTS]]:
            begin = time.perf_counter()
            await search.search(question, principals, k=K)
            seconds.append(time.perf_counter() - begin)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return seconds


BARE = {
    True: text(
        "SELECT chunk_id FROM embedding WHERE model_id = 1 ORDER BY "
        "vector::halfvec(384) <#> CAST(:vector AS halfvec(384)) LIMIT 10"
    ),
    False: text(
        "SELECT chunk_id FROM embedding WHERE model_id = 1 "
        "AND acl_id = ANY (ARRAY(SELECT readable_acls())) "
        "ORDER BY vector <#> CAST(:vector AS halfvec), chunk_id LIMIT 10"
    ),
}


def report(size: int, all_figures: dict[int, dict[str, Figures]]) -> None:
    """The table of one size."""
    first = all_figures[min(all_figures)]
    print(f"\n{size:,} chunks")
    print(f"{'sees':>7}{'chunks':>10}{'plan':>7}{'p50':>8}{'p95':>8}{'x bare':>8}{'8: p50':>8}"
          f"{'p95':>8}{'recall':>8}{'short':>7}{'x first':>9}")  # fmt: skip
    for share, of in all_figures[size].items():
        print(f"{share:>7}{of.visible:10}{of.plan:>7}{of.one[0]:8.1f}{of.one[1]:8.1f}"
              f"{of.one[0] / of.bare[0]:8.2f}{of.eight[0]:8.1f}{of.eight[1]:8.1f}"
              f"{of.recall:8.3f}{of.short:7}{of.one[0] / first[share].one[0]:9.2f}")  # fmt: skip


async def grow(url: str, database: Database, sizes: Sequence[int], questions: int) -> None:
    """Grow from size to size, measuring at each."""
    figures: dict[int, dict[str, Figures]] = {}
    before = 0
    for size in sizes:
        begin = time.perf_counter()
        with psycopg.connect(url) as superuser:
            filling = Filling(superuser, MODEL)
            filling.begin()
            filling.grow(before, size)
        filled = time.perf_counter()
        done = await keep_up(database)
        kept = time.perf_counter()
        print(f"\n{size - before:,} chunks filled in {filled - begin:.0f} s; {', '.join(done)} "
              f"in {kept - filled:.0f} s")  # fmt: skip
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute("VACUUM (ANALYZE)")
            for name, size_bytes in superuser.execute(SIZES).fetchall():
                print(f"  {name:32}{size_bytes / 2**20:10,.0f} MB")
        before = size
        truth = with_truth(size, questions + WARMING)
        figures[size] = {share: await measure(database, share, truth[share]) for share in SHARES}
        report(size, figures)


async def main() -> None:
    """Fill a server of its own, measure, throw it away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,40000")
    parser.add_argument("--questions", type=int, default=40)
    arguments = parser.parse_args()
    sizes = sorted(int(size) for size in arguments.sizes.split(","))
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as folder:
        Path(folder).chmod(0o755)
        server, database = prepare(Path(folder))
        try:
            await grow(server.url("postgres", "bench"), database, sizes, arguments.questions)
        finally:
            await database.close()
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
