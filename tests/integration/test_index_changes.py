"""The index follows any sequence of changes, failures and kills: against a model, in Postgres."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.database import Database
from knowledge.embedded import EmbeddedServer
from knowledge.errors import SourceError
from knowledge.index import Report, sync
from knowledge.sources import Source
from knowledge.sources.registered import register_source, registered_sources
from tests.changing_place import SORTS, AskedSource, ListingSource, LogSource, Paper, Place
from tests.hashing_embedder import HashingEmbedder

KEYS = ("a", "b", "b/c", "d", "e")
READERS = (frozenset({"everyone"}), frozenset({"group:x"}), frozenset({"group:x", "user:u"}))
Index = dict[str, tuple[str, frozenset[str]]]


@dataclass(slots=True)
class Bench:
    """A place and an index that is to follow it."""

    database: Database
    superuser: str
    name: str = "place"
    place: Place = field(default_factory=Place)
    options: dict[str, Any] = field(default_factory=dict)
    principals: tuple[str, ...] = ("everyone",)
    width_tokens: int = 60

    async def sync(self, source: Source, *, delay_seconds: float = 0.0) -> Report:
        registered = await register_source(
            self.database,
            name=self.name,
            kind="changing",
            location="a place",
            principals=self.principals,
            options=self.options,
        )
        policy = [(HashingEmbedder(delay_seconds=delay_seconds), lambda _: True)]
        return await sync(registered, source, self.database, policy, width_tokens=self.width_tokens)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a superuser finds about this bench's source."""
        async with await psycopg.AsyncConnection.connect(self.superuser) as connection:
            await connection.execute("SET search_path TO lorewise, public")
            found = await connection.execute(statement.encode(), {"name": self.name})
            return await found.fetchall()

    async def index(self) -> Index:
        """Text and readers of what is indexed."""
        found = await self.rows(
            "SELECT d.key, string_agg(c.text, ' ' ORDER BY c.position), a.principals "
            "FROM source s JOIN document d ON d.source_id = s.id JOIN chunk c "
            "ON c.document_id = d.id JOIN acl a ON a.id = d.acl_id AND a.id = c.acl_id "
            "WHERE s.name = %(name)s GROUP BY d.key, a.principals"
        )
        assert len({key for key, _, _ in found}) == len(found)
        return {key: (text, frozenset(readers)) for key, text, readers in found}

    async def cursor(self) -> Any:
        """Where the next run starts."""
        found = await self.rows("SELECT cursor FROM source WHERE name = %(name)s")
        return found[0][0] if found else None

    def write(self, key: str, text: str = "", **values: Any) -> None:
        text = text or f"The rule of {key} holds."
        self.place.put(key, Paper(text, frozenset({"everyone"}), 0, **values))


@pytest.fixture
def bench(database: Database, postgres: EmbeddedServer) -> Bench:
    """An empty place."""
    return Bench(database, postgres.url("postgres", str(database.url.database)))


# any sequence of changes

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.sampled_from(READERS)),
        st.tuples(st.just("break"), st.sampled_from(KEYS), st.sampled_from(READERS)),
        st.tuples(st.just("skip"), st.sampled_from(KEYS)),
        st.tuples(st.just("mend"), st.sampled_from(KEYS)),
        st.tuples(st.just("remove"), st.sampled_from(KEYS)),
        st.tuples(st.just("readers"), st.sampled_from(KEYS), st.sampled_from(READERS)),
        st.tuples(st.just("move"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
        st.tuples(st.just("kill"), st.integers(0, 6)),
        st.tuples(st.just("cut"), st.integers(0, 6)),
        st.tuples(st.just("sync")),
    ),
    min_size=4,
    max_size=14,
)


def alter(place: Place, step: tuple[Any, ...]) -> None:
    """Do to the place what a step says, where it can be done."""
    what, key, *rest = step
    paper = place.papers.get(key)
    text = f"Version {len(place.log)} of {key} holds."
    if what in {"put", "break"}:
        place.put(key, Paper(text, rest[0], 0, broken=what == "break"))
    elif paper is None:
        return
    elif what == "skip":
        place.put(key, Paper(text, paper.readers, 0, skipped=True))
    elif what == "readers":
        place.put(key, Paper(paper.text, rest[0], 0, paper.broken, paper.skipped))
    elif what == "mend":
        place.mend(key)
    elif what == "remove":
        place.remove(key)
    elif what == "move" and rest[0] not in place.papers:
        place.put(rest[0], place.remove(key))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps, sort=st.sampled_from(SORTS), fingerprints=st.booleans())
def test_after_any_changes_failures_and_kills_the_index_is_what_the_place_is(
    bench: Bench,
    steps: list[tuple[Any, ...]],
    sort: type[ListingSource],
    fingerprints: bool,
) -> None:
    async def play() -> None:
        one = Bench(bench.database, bench.superuser, name=str(uuid4()))
        for step in [*steps, ("sync",)]:
            source = sort(one.place, fingerprints)
            if step[0] == "kill":
                await killed(one, source, step[1])
            elif step[0] == "cut":
                source.breaks_after = step[1]
                with suppress(SourceError):
                    await one.sync(source)
            elif step[0] == "sync":
                await synced(one, source)
            else:
                alter(one.place, step)
        await bench.database.indexer.dispose()

    asyncio.run(play())


async def killed(one: Bench, source: ListingSource, told: int) -> None:
    """A run that ends in the middle of what it does."""
    left = [told]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            run.cancel()

    source.on_told = count
    run = asyncio.create_task(one.sync(source))
    with suppress(asyncio.CancelledError, SourceError):
        await run


async def synced(one: Bench, source: ListingSource) -> None:
    """A whole run: its report and the index are what the place and the last index say."""
    before, place = await one.index(), one.place
    tells_all = type(source) is ListingSource or await one.cursor() is None
    if before and tells_all and not place.papers:
        with pytest.raises(SourceError, match="is empty"):
            await one.sync(source)
        return
    report = await one.sync(source)
    after = await one.index()
    good = {k: p for k, p in place.papers.items() if not (p.broken or p.skipped)}
    broken = {k: p for k, p in place.papers.items() if p.broken}
    assert {k: after[k] for k in after if k not in broken} == {
        key: (paper.text, paper.readers) for key, paper in good.items()
    }
    for key in after.keys() & broken.keys():
        text, readers = after[key]
        assert text in place.everything[key]
        assert readers <= broken[key].readers, "nobody keeps what they may no longer read"
        assert readers <= before.get(key, after[key])[1]
    check_report(report, before, after, broken.keys() | set())


def check_report(report: Report, before: Index, after: Index, broken: set[str]) -> None:
    settled = report.added + report.changed + report.unchanged
    assert report.seen == settled + len(report.failed) + len(report.skipped)
    assert {key for key, _ in report.failed} == broken, "what failed is told again, always"
    assert report.added == len(after.keys() - before.keys())
    assert report.removed == len(before.keys() - after.keys())
    different = {k for k in after.keys() & before.keys() if after[k] != before[k]}
    assert report.changed >= len(different - broken)


# single promises


async def test_a_run_that_breaks_off_has_written_what_it_was_told(bench: Bench) -> None:
    for key in "abcdef":
        bench.write(key)
    source = LogSource(bench.place, breaks_after=6)  # a, b, a checkpoint, c, d, a checkpoint
    with pytest.raises(SourceError, match="broke off"):
        await bench.sync(source)
    assert sorted(await bench.index()) == ["a", "b", "c", "d"]
    assert await bench.cursor() == {"log": 6, "after": "d"}
    source = LogSource(bench.place)
    report = await bench.sync(source)
    assert source.started_from == [{"log": 6, "after": "d"}]
    assert (report.seen, report.added) == (2, 2)


async def test_a_telling_of_everything_over_a_filled_index_does_not_go_on_from_its_middle(
    bench: Bench,
) -> None:
    for key in "abcd":
        bench.write(key)
    await bench.sync(LogSource(bench.place))
    bench.options = {"other": "options"}
    with pytest.raises(SourceError, match="broke off"):
        await bench.sync(LogSource(bench.place, breaks_after=3))
    bench.place.remove("a")
    source = LogSource(bench.place)
    await bench.sync(source)
    assert source.started_from == [None]
    assert sorted(await bench.index()) == ["b", "c", "d"]


@pytest.mark.parametrize("change", ["readers", "options", "width"])
async def test_what_concerns_every_document_has_everything_told_anew(
    bench: Bench, change: str
) -> None:
    bench.write("a")
    await bench.sync(LogSource(bench.place))
    match change:
        case "readers":
            bench.principals = ("group:x",)
        case "options":
            bench.options = {"base_url": "https://example.com/"}
        case "width":
            bench.width_tokens = 40
    source = LogSource(bench.place)
    await bench.sync(source)
    assert source.started_from == [None]
    source = LogSource(bench.place)
    await bench.sync(source)
    assert source.started_from == [{"log": 1}]


async def test_a_failed_document_holds_the_cursor_or_is_asked_for_by_name(bench: Bench) -> None:
    bench.write("a")
    bench.write("b")
    for sort in (LogSource, AskedSource):
        bench.name = sort.__name__
        await bench.sync(sort(bench.place))
    bench.write("b", "Another rule holds.", broken=True)
    bench.write("c")
    for sort, cursor in ((LogSource, {"log": 2}), (AskedSource, {"log": 4})):
        bench.name = sort.__name__
        for _ in range(2):
            report = await bench.sync(sort(bench.place))
            assert [key for key, _ in report.failed] == ["b"]
            assert await bench.cursor() == cursor
    bench.place.mend("b")
    for sort in (LogSource, AskedSource):
        bench.name = sort.__name__
        report = await bench.sync(sort(bench.place))
        assert (report.failed, report.changed) == ([], 1)
        assert await bench.cursor() == {"log": 4}
    assert await bench.rows("SELECT FROM failed_document") == []


async def test_a_document_that_fails_is_kept_from_those_who_may_no_longer_read_it(
    bench: Bench,
) -> None:
    both = frozenset({"group:x", "user:u"})
    for key in "abc":
        bench.place.put(key, Paper(f"Secret of {key}.", both, 0))
    await bench.sync(ListingSource(bench.place))
    for key, readers in (("a", {"user:u", "everyone"}), ("b", {"everyone"}), ("c", both)):
        bench.place.put(key, Paper("Not so secret.", frozenset(readers), 0, broken=True))
    report = await bench.sync(ListingSource(bench.place))
    assert (len(report.failed), report.removed) == (3, 1)
    assert await bench.index() == {
        "a": ("Secret of a.", frozenset({"user:u"})),
        "c": ("Secret of c.", both),
    }


async def test_what_is_skipped_now_leaves_the_index(bench: Bench) -> None:
    bench.write("a")
    bench.write("b")
    await bench.sync(LogSource(bench.place))
    bench.write("a", skipped=True)
    report = await bench.sync(LogSource(bench.place))
    assert (report.seen, report.removed, len(report.skipped)) == (1, 1, 1)
    assert list(await bench.index()) == ["b"]


async def test_the_last_run_is_remembered_with_its_counts(bench: Bench) -> None:
    bench.write("a")
    bench.write("b", broken=True)
    await bench.sync(ListingSource(bench.place))
    (registered,) = await registered_sources(bench.database)
    report = dict(registered.report or {})
    assert report.pop("seconds") > 0
    expected = dict.fromkeys(("changed", "unchanged", "removed", "skipped"), 0)
    assert report == {"seen": 2, "added": 1, "failed": 1, "chunks": 1, **expected}


async def test_a_killed_run_goes_on_from_its_last_checkpoint(bench: Bench) -> None:
    count = 40
    for number in range(count):
        bench.write(f"{number:03}", f"The rule {number} holds.")
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.indexing_place",
        bench.database.url.render_as_string(hide_password=False),
        str(count),
    )
    await _until(bench, "SELECT count(*) FROM source WHERE cursor IS NOT NULL")
    await asyncio.sleep(0.2)
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    cursor, written = await bench.cursor(), await bench.index()
    assert 0 < len(written) < count
    assert cursor["after"] in written, "no checkpoint before what stands before it"
    await _until(bench, "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    before = await bench.rows("SELECT id, xmin::text FROM chunk")
    source = LogSource(bench.place)
    report = await bench.sync(source)
    assert source.started_from == [cursor]
    assert report.seen == count - 1 - int(cursor["after"])
    assert report.added == count - len(written)
    assert len(await bench.index()) == count
    assert set(before) <= set(await bench.rows("SELECT id, xmin::text FROM chunk"))


async def _until(bench: Bench, statement: str, found: Callable[[Any], bool] = bool) -> None:
    async with asyncio.timeout(60):
        while not found((await bench.rows(statement))[0][0]):
            await asyncio.sleep(0.01)


async def test_a_source_is_not_asked_for_more_than_can_wait(bench: Bench) -> None:
    told = 0

    def count() -> None:
        nonlocal told
        told += 1

    for number in range(5_000):
        bench.write(f"{number:05}")
    indexing = asyncio.create_task(
        bench.sync(ListingSource(bench.place, on_told=count), delay_seconds=0.2)
    )
    await _until(bench, "SELECT count(*) FROM document")
    indexing.cancel()
    with suppress(asyncio.CancelledError):
        await indexing
    assert 0 < told < 2_000
