"""How a search is run: which of the statement's parts serve a reader, by how much there is to see.

A reader of few chunks is served exactly: every visible vector is compared, every posting counted.
For one of many both take too long. Then the vectors' index finds the nearest (iterative, so that
hidden neighbours cost time and not hits), and of common words only the best chunks' postings are
read. The figures behind the numbers are in docs/LOG.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import TextClause
from sqlalchemy import text as sql

from knowledge.statements import read_statements

STATEMENTS = read_statements(Path(__file__).with_name("search.sql"))


@dataclass(frozen=True, slots=True)
class Limits:
    """Where exact ends, and how much is looked at beyond; measured (docs/LOG.md)."""

    exact_chunks: int = 100_000  # up to here all vectors are compared, whatever there is besides
    all_postings_chunks: int = 20_000  # up to here all postings are read
    scan_cost: float = 10.0  # a vector by the index costs about as much as so many by a scan
    ef_search: int = 800  # candidates that the index keeps at a time; at most 1000
    max_scan_tuples: int = (
        100_000  # where the index gives up; what then is missing is found exactly
    )
    postings: int = 25_000  # of the rarer words together
    fewest_postings: int = 2_000  # so many are read even where all words are common
    most_postings: int = 100_000  # of one word
    candidates: int = 500  # chunks that are looked up for what the common words add


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """One model's index of vectors that is ready to be used."""

    model_id: int
    dimensions: int
    vectors: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of the statement: the indexes that serve, and whether all postings are read.

    The depth is a part of the text: as a parameter the planner would take it for a tenth of all.
    """

    depth: int
    limits: Limits = Limits()
    indexes: tuple[VectorIndex, ...] = ()
    every_posting: bool = True

    @property
    def statement(self) -> TextClause:
        """The whole search."""
        return _statement(self)

    @property
    def settings(self) -> Mapping[str, str]:
        """What is set for the transaction."""
        if not self.indexes:
            return {}
        return {
            # Relaxed order is put in order by the statement, and finds as much in less time.
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.ef_search": str(self.limits.ef_search),
            "hnsw.max_scan_tuples": str(self.limits.max_scan_tuples),
            "hnsw.scan_mem_multiplier": "4",
            "enable_sort": "off",  # old statistics must not lead past the index
        }

    @property
    def parameters(self) -> dict[str, object]:
        """The values that its parts need beside the question's."""
        indexed: dict[str, object] = {"indexed": [index.model_id for index in self.indexes]}
        if self.every_posting:
            return indexed
        return indexed | {
            "postings": self.limits.postings,
            "fewest_postings": self.limits.fewest_postings,
            "most_postings": self.limits.most_postings,
            "candidates": self.limits.candidates,
        }

    def without_indexes(self) -> "Plan":
        """The same, comparing all visible vectors."""
        return Plan(self.depth, self.limits, every_posting=self.every_posting)


def choose(
    visible_chunks: int, indexes: Mapping[str, VectorIndex], depth: int, limits: Limits
) -> Plan:
    """The plan for a reader; `indexes` are those of the models that are asked."""
    serving = tuple(
        index for index in indexes.values() if _serves(index, visible_chunks, depth, limits)
    )
    every_posting = visible_chunks <= limits.all_postings_chunks
    return Plan(depth, limits, serving, every_posting)


def _serves(index: VectorIndex, visible_chunks: int, depth: int, limits: Limits) -> bool:
    """Whether the index is quicker than a scan: it looks through about depth / visible share."""
    looked_at = depth * max(index.vectors, visible_chunks) / visible_chunks
    return visible_chunks > max(limits.exact_chunks, limits.scan_cost * looked_at)


@lru_cache(maxsize=64)
def _statement(plan: Plan) -> TextClause:
    words = STATEMENTS["every_posting" if plan.every_posting else "rarest_postings"]
    meaning = [STATEMENTS["exact_meaning"]]
    for index in plan.indexes:
        part = STATEMENTS["nearest_meaning"].replace("{model_id}", str(int(index.model_id)))
        part = part.replace("{reach}", str(max(plan.depth, plan.limits.ef_search)))
        meaning.append(part.replace("{dimensions}", str(int(index.dimensions))))
    whole = STATEMENTS["search"].replace("{words}", words)
    whole = whole.replace("{meaning}", "\n    UNION ALL\n".join(meaning))
    return sql(whole.replace("{depth}", str(int(plan.depth))))
