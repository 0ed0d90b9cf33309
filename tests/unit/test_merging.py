"""Neighbouring hits become one passage."""

import itertools

from knowledge.merging import merge_neighbours
from knowledge.search import Hit

PATH = ("Leave",)


def hit(rank: int, position: int, document: int = 1, path: tuple[str, ...] = PATH) -> Hit:
    """A hit whose text says where it stands."""
    return Hit(
        rank=rank, chunk_id=document * 100 + position, document_id=document, document_key="k",
        title="T", url=None, heading_path=path, page=None, position=position,
        text=f"{document}.{position}", summary="", language="en", score=1 / rank, cosine=None,
        bm25=None, covered=0.0, acl_id=1, modified_at=None,
    )  # fmt: skip


def test_neighbours_are_one_passage_in_the_order_of_the_text() -> None:
    merged = merge_neighbours([hit(1, 5), hit(2, 9), hit(3, 4), hit(4, 6)])
    assert [(m.rank, m.text) for m in merged] == [(1, "1.4\n\n1.5\n\n1.6"), (2, "1.9")]
    assert merged[0].chunk_id == 105


def test_a_gap_another_document_and_another_section_part() -> None:
    hits = [hit(1, 1), hit(2, 3), hit(3, 2, document=2), hit(4, 4, path=("Pay",))]
    assert merge_neighbours(hits) == hits


def test_the_order_of_the_hits_decides_nothing_but_ranks() -> None:
    hits = [hit(1, 1), hit(2, 2), hit(3, 3), hit(4, 7)]
    for order in itertools.permutations(hits):
        assert [m.text for m in merge_neighbours(order)] == ["1.1\n\n1.2\n\n1.3", "1.7"]


def test_nothing_found_stays_nothing() -> None:
    assert merge_neighbours([]) == []
