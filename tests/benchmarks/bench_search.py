"""Search.search against the same statement on a bare psycopg connection, side by side in one run.

Run: python -m tests.benchmarks.bench_search [--chunks 20000] [--questions 100]

20,000 synthetic chunks: words by Zipf's law, vectors in clusters, ten groups of readers. Aim: at
most 1.5 times the bare statement at p50 and at p95, without embedding the question.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from sqlalchemy import make_url

from knowledge.database import APP_ROLE, Database, connect, migrate
from knowledge.embedded import OWNER, EmbeddedServer, start_embedded
from knowledge.embedding import Embedder, load_embedder
from knowledge.plan import Plan
from knowledge.search import Search
from tests.search_corpus import Page, add

DIMENSIONS = 384
MODEL = "bench"
PRINCIPALS = frozenset({"everyone", "group:T:0", "group:T:1", "group:T:2"})
K = 10


class Given:
    """An embedder that costs nothing: the vectors of the questions are given."""

    dimensions = DIMENSIONS
    width_tokens = 256

    def __init__(self, questions: dict[str, NDArray[np.float32]], name: str = MODEL) -> None:
        self.name = name
        self._questions = questions

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise NotImplementedError

    async def embed_questions(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._questions[text] for text in texts])


class Timed:
    """An embedder that answers with a given vector after doing a real model's work."""

    dimensions = DIMENSIONS

    def __init__(self, given: Given, real: Embedder) -> None:
        self.name, self.width_tokens = given.name, real.width_tokens
        self._given, self._real = given, real

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._real.count_tokens(texts)

    async def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return await self._real.embed_passages(texts)

    async def embed_questions(self, texts: Sequence[str]) -> NDArray[np.float32]:
        await self._real.embed_questions(texts)
        return await self._given.embed_questions(texts)


def words(random: np.random.Generator, count: int) -> list[str]:
    """`count` words of a vocabulary of 30,000, by Zipf's law without its stop words."""
    ranks = 30 * np.exp(random.random(count) * np.log(1000))
    return [f"w{int(rank)}x" for rank in ranks]


def clustered(
    random: np.random.Generator, centres: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    near = centres[random.integers(0, len(centres), size=count)]
    vectors = near + 0.03 * random.normal(size=(count, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def readers(number: int) -> tuple[str, ...]:
    """Half of the documents are for everyone, the rest for one of ten groups."""
    return ("everyone",) if number % 2 else (f"group:T:{number // 2 % 10}",)


async def fill(database: Database, chunks: int) -> NDArray[np.float32]:
    """Index the chunks; the centres of their clusters."""
    random = np.random.default_rng(7)
    centres = (random.normal(size=(100, DIMENSIONS)) / 20).astype(np.float32)
    for start in range(0, chunks, 4000):
        count = min(4000, chunks - start)
        vectors = clustered(random, centres, count)
        pages = [
            Page(" ".join(words(random, 80)), "en", readers(start + n), {MODEL: vectors[n]})
            for n in range(count)
        ]
        await add(database, pages)
    return centres


def questions(centres: NDArray[np.float32], count: int) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(8)
    vectors = clustered(random, centres, count)
    texts = [" ".join(["what", "is", *words(random, 8)]) for _ in range(count)]
    return dict(zip(texts, vectors, strict=True))


class Bare:
    """The statement on a raw connection of the same role, with nothing of ours around it."""

    def __init__(self, database: Database, search: Search) -> None:
        self._search = search
        self._connection = psycopg.connect(database.conninfo(APP_ROLE))
        register_vector(self._connection)
        compiled = Plan(100).statement.compile(dialect=database.app.dialect)
        self._statement = str(compiled).encode()

    async def parameters(self, question: str) -> dict[str, object]:
        asked = await self._search.prepare(question, {"en": 1})
        return self._search._parameters(asked, K) | Plan(100).parameters

    def run(self, parameters: dict[str, object]) -> list[int]:
        with self._connection.transaction():
            self._connection.execute(
                "SELECT set_config('lorewise.principals', %s, true)", ["\x1f".join(PRINCIPALS)]
            )
            cursor = self._connection.execute(self._statement, parameters)
            rows = cursor.fetchall()
        assert cursor.description is not None
        column = [one.name for one in cursor.description].index("chunk_id")
        return [row[column] for row in rows]


def quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    p50, p95 = np.quantile(np.array(seconds) * 1000, [0.5, 0.95])
    return float(p50), float(p95)


async def measure(database: Database, count: int, centres: NDArray[np.float32]) -> None:
    asked = questions(centres, count)
    given = Given(asked)
    with tempfile.TemporaryDirectory() as folder:
        real = load_embedder("all-MiniLM-L6-v2", Path(folder))
    plain, whole = Search(database, [given]), Search(database, [Timed(given, real)])
    bare = Bare(database, plain)
    seconds: dict[str, list[float]] = {"statement": [], "search": [], "search with embedding": []}
    for turn, question in enumerate([*list(asked)[:10], *asked]):
        parameters = await bare.parameters(question)
        begin = time.perf_counter()
        rows = bare.run(parameters)
        ran = time.perf_counter()
        hits = await plain.search(question, PRINCIPALS, k=K)
        searched = time.perf_counter()
        if turn % 3 == 0:
            await whole.search(question, PRINCIPALS, k=K)
        ended = time.perf_counter()
        assert rows == [hit.chunk_id for hit in hits]
        if turn >= 10:  # the first are for warming up
            seconds["statement"].append(ran - begin)
            seconds["search"].append(searched - ran)
            if turn % 3 == 0:  # slow, and hardly different from one to the next
                seconds["search with embedding"].append(ended - searched)
    report(seconds)
    await real.close()


def report(seconds: dict[str, list[float]]) -> None:
    base = quantiles(seconds["statement"])
    print(f"{'':24}{'p50 ms':>9}{'p95 ms':>9}{'ratio p50':>11}{'ratio p95':>11}")
    for name, values in seconds.items():
        p50, p95 = quantiles(values)
        print(f"{name:24}{p50:9.1f}{p95:9.1f}{p50 / base[0]:11.2f}{p95 / base[1]:11.2f}")


def prepare(folder: Path) -> tuple[EmbeddedServer, Database]:
    server = start_embedded(folder / "home")
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER")
        admin.execute(f"CREATE DATABASE bench OWNER {OWNER}")
    with psycopg.connect(server.url("postgres", "bench"), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION vector")
    url = make_url(server.url(database="bench"))
    migrate(url)
    return server, connect(url)


async def main() -> None:
    """Fill a server of its own, measure, throw it away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as folder:
        Path(folder).chmod(0o755)
        server, database = prepare(Path(folder))
        try:
            begin = time.perf_counter()
            centres = await fill(database, arguments.chunks)
            with psycopg.connect(server.url(database="bench"), autocommit=True) as owner:
                owner.execute("VACUUM ANALYZE")
            took = time.perf_counter() - begin
            print(f"{arguments.chunks} chunks indexed in {took:.0f} s")
            await measure(database, arguments.questions, centres)
        finally:
            await database.close()
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
