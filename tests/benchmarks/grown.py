"""A synthetic collection that grows to millions of chunks in minutes, the same every time.

Vectors have the structure of real ones: few strong directions, topics, documents within topics,
chunks within documents. Words follow Zipf's law, a quarter of them are their topic's own. Half of
the documents have the readers of their topic, the rest any. There are a thousand sets of readers;
a reader who holds "all", "tenth:N", "hundredth:N" or "thousandth:N" sees that share.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray

DIMENSIONS = 384
TOPICS = 500
CHUNKS_A_DOCUMENT = 20
BLOCK_CHUNKS = 20_000
ACLS = 1000
TOKENS = 64  # drawn for a chunk; about 55 of them differ, as in real chunks of 150 words
COMMON_WORDS, TOPIC_WORDS = 30_000, 500
SHARES = {
    "0.1 %": ("thousandth:7",),
    "1 %": ("hundredth:7",),
    "10 %": ("tenth:7",),
    "30 %": ("tenth:1", "tenth:4", "tenth:8"),
    "100 %": ("all",),
}

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Chunks in the order of their ids; `words` holds a chunk's tokens, with repetitions."""

    first: int  # the first chunk's id
    vectors: Floats
    words: Integers
    acls: Integers

    @property
    def ids(self) -> Integers:
        """The chunks' ids."""
        return np.arange(self.first, self.first + len(self.acls))


def _directions(random: np.random.Generator, count: int) -> Floats:
    """Random directions whose variance falls off as that of sentence embeddings does."""
    scale = (np.arange(1, DIMENSIONS + 1) ** -0.35).astype(np.float32)
    drawn = random.standard_normal((count, DIMENSIONS), dtype=np.float32) * scale
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def near(random: np.random.Generator, vectors: Floats, cosine: float = 0.65) -> Floats:
    """Unit vectors at about this cosine from the given ones: what a question is to its passage."""
    moved = cosine * vectors + np.sqrt(1 - cosine**2) * _directions(random, len(vectors))
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def zipf(random: np.random.Generator, shape: tuple[int, ...]) -> Integers:
    """Words of the common vocabulary; what would be stop words is left out."""
    ranks = 30 * np.exp(random.random(shape) * np.log(COMMON_WORDS / 30))
    return np.asarray(ranks, np.int64)


def block(number: int) -> Block:
    """The block of this number, the same every time."""
    random = np.random.default_rng((7, number))
    topics = _directions(np.random.default_rng(6), TOPICS)
    documents = BLOCK_CHUNKS // CHUNKS_A_DOCUMENT
    topic = random.integers(0, TOPICS, documents)
    own = 0.5 * topics[topic] + 0.55 * _directions(random, documents)
    vectors = np.repeat(own, CHUNKS_A_DOCUMENT, axis=0)
    vectors += 0.6 * _directions(random, BLOCK_CHUNKS)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    of_topic = topic * 2 + random.integers(0, 2, documents)
    acl = np.where(random.random(documents) < 0.5, of_topic, random.integers(0, ACLS, documents))
    words = zipf(random, (BLOCK_CHUNKS, TOKENS))
    quarter = TOKENS // 4
    private = np.exp(random.random((BLOCK_CHUNKS, quarter)) * np.log(TOPIC_WORDS)).astype(np.int64)
    base = COMMON_WORDS + np.repeat(topic, CHUNKS_A_DOCUMENT) * TOPIC_WORDS
    words[:, :quarter] = base[:, None] + private - 1
    return Block(
        first=number * BLOCK_CHUNKS + 1,
        vectors=np.asarray(vectors, np.float32),
        words=words,
        acls=np.repeat(acl, CHUNKS_A_DOCUMENT) + 1,
    )


def blocks(chunks: int, begin: int = 0) -> Iterator[Block]:
    """The blocks of a collection of that many chunks, from the chunk `begin` on."""
    for number in range(begin // BLOCK_CHUNKS, -(-chunks // BLOCK_CHUNKS)):
        whole = block(number)
        first, last = max(0, begin + 1 - whole.first), chunks + 1 - whole.first
        part = slice(first, last)
        yield Block(whole.first + first, whole.vectors[part], whole.words[part], whole.acls[part])


def sees(share: str, acls: Integers) -> NDArray[np.bool_]:
    """Which of the sets of readers (by their ids) have the reader of this share in them."""
    every = {"all": 1, "tenth": 10, "hundredth": 100, "thousandth": 1000}
    parts = [principal.partition(":") for principal in SHARES[share]]
    seen = [(acls - 1) % every[kind] == int(number or 0) for kind, _, number in parts]
    return np.asarray(np.logical_or.reduce(seen), np.bool_)


@dataclass(frozen=True)
class Filling:
    """Grows the collection in a database, past policies and triggers, as a superuser may."""

    connection: psycopg.Connection
    model: str

    def begin(self) -> None:
        """The source, the sets of readers, the model, the words' keys."""
        run = self.connection.execute
        run("SET search_path TO lorewise, public")
        run("SET session_replication_role TO replica")  # no foreign keys, no counting a row
        if run("SELECT 1 FROM source").fetchone():
            return
        run("INSERT INTO source (name, kind, location, principals, options, created_at) "
            "VALUES ('grown', 'folder', '.', '{all}', '{}', now())")  # fmt: skip
        run(
            "INSERT INTO acl (principals) SELECT ARRAY['all', 'tenth:' || n %% 10, "
            "'hundredth:' || n %% 100, 'thousandth:' || n] FROM generate_series(0, %s) AS n",
            [ACLS - 1],
        )
        run("INSERT INTO acl_principal SELECT unnest(principals), id FROM acl")
        run("SELECT register_embedding_model(%s, %s)", [self.model, DIMENSIONS])
        self.connection.commit()

    def keys(self) -> Integers:
        """The database's key of each word."""
        words = COMMON_WORDS + TOPICS * TOPIC_WORDS
        rows = self.connection.execute(
            "SELECT term_key('english', 'w' || n || 'x') FROM generate_series(0, %s) AS n "
            "ORDER BY n",
            [words - 1],
        )
        return np.fromiter((row[0] for row in rows), np.int64, words)

    def grow(self, begin: int, end: int) -> None:
        """Bring the collection from `begin` chunks to `end`. Indexes on postings are built anew."""
        definitions = self._without_indexes()
        keys = self.keys()
        for part in blocks(end, begin):
            self._chunks(part)
            self._copy("embedding (model_id, chunk_id, acl_id, vector)", _vector_rows(part))
            self._copy("posting (term, acl_id, chunk_id, frequency, length)", _postings(part, keys))
        self.connection.execute("TRUNCATE collection_size")
        self.connection.execute(
            "INSERT INTO collection_size SELECT acl_id, language, count(*), sum(terms) "
            "FROM chunk GROUP BY 1, 2"
        )
        self.connection.execute("SET LOCAL maintenance_work_mem TO '1GB'")
        for definition in definitions:
            self.connection.execute(definition)
        self.connection.commit()

    def _without_indexes(self) -> list[bytes]:
        rows = self.connection.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = 'posting'::regclass"
        ).fetchall()
        for name, _ in rows:
            self.connection.execute(f"DROP INDEX {name}".encode())
        return [definition.encode() for _, definition in rows]

    def _chunks(self, part: Block) -> None:
        ids = part.ids
        given = {"first": int(ids[0]), "last": int(ids[-1]), "acls": part.acls.tolist()}
        given |= {"chunks": CHUNKS_A_DOCUMENT, "tokens": TOKENS}
        self.connection.execute(
            "INSERT INTO document (id, source_id, key, title, language, media_type, content_hash, "
            " acl_id, indexed_at) OVERRIDING SYSTEM VALUE "
            "SELECT (n - 1) / %(chunks)s + 1, 1, ((n - 1) / %(chunks)s)::text, 'Page ' || n, 'en', "
            " 'text/plain', 'x', (%(acls)s::int[])[n - %(first)s + 1], now() "
            "FROM generate_series(%(first)s::bigint, %(last)s) AS n "
            "WHERE n = %(first)s OR n %% %(chunks)s = 1 ON CONFLICT DO NOTHING",
            given,
        )
        self.connection.execute(
            "INSERT INTO chunk (id, document_id, position, heading_path, text, tokens, terms, "
            " language, acl_id) OVERRIDING SYSTEM VALUE "
            "SELECT n, (n - 1) / %(chunks)s + 1, (n - 1) %% %(chunks)s, '{}', "
            " repeat(md5(n::text), 25), 200, %(tokens)s, 'en', "
            " (%(acls)s::int[])[n - %(first)s + 1] "
            "FROM generate_series(%(first)s::bigint, %(last)s) AS n",
            given,
        )

    def _copy(self, into: str, rows: NDArray[np.void]) -> None:
        """Rows that lie in memory as COPY's binary format wants them."""
        statement = f"COPY {into} FROM STDIN (FORMAT BINARY)".encode()
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            written = io.BytesIO(rows.tobytes())
            while piece := written.read(1 << 20):
                copy.write(piece)
            copy.write(b"\xff\xff")


def _rows(count: int, fields: dict[str, str]) -> NDArray[np.void]:
    """Rows of COPY's binary format: the number of fields, then each with its length before it."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in fields.items():
        layout += [(f"{name}_bytes", ">i4"), (name, kind)]
    rows = np.zeros(count, np.dtype(layout))
    rows["fields"] = len(fields)
    for name, kind in fields.items():
        rows[f"{name}_bytes"] = np.dtype(kind).itemsize
    return rows


def _vector_rows(part: Block) -> NDArray[np.void]:
    """A halfvec is its dimensions, two unused bytes, and halves; the first model has the id 1."""
    halves = f"{DIMENSIONS}>f2"
    layout = [("dimensions", ">i2"), ("unused", ">i2"), ("halves", halves)]
    rows = np.zeros(
        len(part.acls),
        np.dtype(
            [("fields", ">i2"), ("model_bytes", ">i4"), ("model", ">i2"), ("id_bytes", ">i4"),
             ("id", ">i8"), ("acl_bytes", ">i4"), ("acl", ">i4"), ("vector_bytes", ">i4"),
             ("vector", layout)]
        ),
    )  # fmt: skip
    rows["fields"], rows["model_bytes"], rows["id_bytes"], rows["acl_bytes"] = 4, 2, 8, 4
    rows["model"], rows["id"], rows["acl"] = 1, part.ids, part.acls
    rows["vector_bytes"] = 4 + 2 * DIMENSIONS
    rows["vector"]["dimensions"] = DIMENSIONS
    rows["vector"]["halves"] = part.vectors
    return rows


def _postings(part: Block, keys: Integers) -> NDArray[np.void]:
    """Each different word of a chunk with how often it stands there."""
    words = np.sort(part.words, axis=1)
    starts = np.ones(words.shape, np.bool_)
    starts[:, 1:] = words[:, 1:] != words[:, :-1]
    row, column = np.nonzero(starts)
    ends = np.append(np.flatnonzero(starts.ravel())[1:], words.size)
    frequency = ends - np.flatnonzero(starts.ravel())
    rows = _rows(
        len(row),
        {"term": ">i8", "acl": ">i4", "chunk": ">i8", "frequency": ">i2", "length": ">i4"},
    )
    rows["term"], rows["acl"] = keys[words[row, column]], part.acls[row]
    rows["chunk"], rows["frequency"], rows["length"] = part.ids[row], frequency, TOKENS
    return rows
