"""The signals of the decision to answer: what stands out is told from what is alike."""

import math
from collections.abc import Sequence

import pytest

from knowledge.findings import Findings
from knowledge.grounding import Evidence
from knowledge.relevance import Ranked
from knowledge.search import Hit, Results, Signals
from knowledge.signals import NAMES, signals_of
from knowledge.units import Unit


def hit(rank: int, document: int, score: float, **ranks: int) -> Hit:
    return Hit(
        rank=rank,
        chunk_id=rank,
        document_id=document,
        document_key=str(document),
        title="Leave",
        url=None,
        heading_path=(),
        page=None,
        position=0,
        text="Twenty days of leave.",
        summary="",
        language="en",
        score=score,
        cosine=0.5,
        bm25=2.0,
        covered=0.5,
        acl_id=1,
        modified_at=None,
        ranks=ranks,
    )


def signals(hits: Sequence[Hit]) -> dict[str, float]:
    asked = Signals("en", 100, {"m": 0.5}, 2.0, 0.0, 0.5, 0.0, 4.0)
    unit = Unit(0, "Twenty days of leave.")
    evidence = Evidence([unit], ["Leave"], ["en"])
    return signals_of(
        Findings(
            "How much leave?",
            "en",
            Results(tuple(hits), asked),
            hits[:6],
            evidence,
            [Ranked(unit, 0.7)] if hits else [],
            (),
            0.0,
        )
    )


def test_ten_documents_that_score_alike_are_spread_as_evenly_as_can_be() -> None:
    found = signals([hit(n, n, 0.4) for n in range(1, 16)])
    assert found["fused_spread"] == pytest.approx(math.log(10))


def test_a_document_that_stands_out_is_hardly_spread_however_many_passages_it_has() -> None:
    near = [hit(n, 1, 1.0) for n in range(1, 4)]
    found = signals([*near, *(hit(n, n, 0.1) for n in range(4, 20))])
    assert found["fused_spread"] < 0.1
    close = signals([*near, hit(4, 4, 0.95), hit(5, 5, 0.95)])
    assert close["fused_spread"] > 0.9


def test_rankings_agree_on_a_document_although_their_best_passages_differ() -> None:
    """Each ranking's first document is the same one, by another of its passages."""
    found = signals(
        [
            hit(1, 1, 1.0, lexical=1, m=2),
            hit(2, 1, 0.9, lexical=2, m=1),
            hit(3, 2, 0.2, lexical=3, m=3),
        ]
    )
    assert found["agreement"] == 1.0
    other = signals([hit(1, 1, 1.0, lexical=1), hit(2, 2, 0.9, m=1)])
    assert other["agreement"] == 0.5


def test_where_nothing_was_found_every_signal_is_nothing() -> None:
    assert signals([]) == dict.fromkeys(NAMES, 0.0)
