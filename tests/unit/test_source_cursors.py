"""When a source lists everything, and when only what was edited."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from knowledge.sources import Change, Checkpoint
from knowledge.sources.cursors import OVERLAP, Listing, listing_after, told_by_parts

OPTIONS = {"spaces": ("ENG",)}


def after(cursor: Any, full_hours: float = 24) -> Listing:
    return listing_after(cursor, options=OPTIONS, full_hours=full_hours)


def ended(hours_ago: float) -> dict[str, Any]:
    """The cursor of a full listing that began so long ago."""
    cursor = after(None).finished()
    began = datetime.now(UTC) - timedelta(hours=hours_ago)
    return {**cursor, "full_at": began.isoformat(), "since": (began - OVERLAP).isoformat()}


def test_the_first_listing_is_full_and_the_next_one_of_edits_with_an_overlap() -> None:
    first = after(None)
    assert first.since is None
    second = after(first.finished())
    assert second.since == first.began - OVERLAP
    assert second.full_at == first.began


def test_edits_do_not_put_off_the_full_listing() -> None:
    cursor = after(ended(hours_ago=20)).finished()
    assert after(cursor).since is not None
    assert after(cursor, full_hours=20).since is None


def test_each_nightly_run_is_full_though_it_begins_a_second_early() -> None:
    assert after(ended(hours_ago=23.999)).since is None
    assert after(ended(hours_ago=12)).since is not None


def test_without_hours_every_listing_is_full() -> None:
    assert after(ended(hours_ago=0), full_hours=0).since is None


def test_a_cut_listing_goes_on_and_the_one_after_it_is_full() -> None:
    cut = after(None).part_done("A").part_done("B").unfinished()
    resumed = after(cut)
    assert resumed.done == ("A", "B")
    assert resumed.resumed
    assert after(resumed.finished()).since is None


@pytest.mark.parametrize("cursor", [ended(hours_ago=30), {**ended(hours_ago=1), "version": 0}])
async def test_only_the_first_full_listing_has_places_to_go_on_from(cursor: Any) -> None:
    async def nothing(_part: str) -> AsyncIterator[Change]:
        return
        yield

    async def checkpoints(listing: Listing) -> list[bool]:
        told = told_by_parts(listing, ["A", "B"], nothing)
        return [change.complete async for change in told if isinstance(change, Checkpoint)]

    assert await checkpoints(after(None)) == [False, False, True]
    assert await checkpoints(after(cursor)) == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"options": "others"},
        {"since": "yesterday"},
        {"since": None},
        {"full_at": 3},
    ],
)
def test_a_cursor_that_is_not_understood_is_a_full_listing(change: dict[str, Any]) -> None:
    assert after({**ended(hours_ago=1), **change}).since is None
