"""Another embedding model is built beside the old one, and swapped without a gap."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.sync import Indexed, add_folder, index_sources, rebuild_vectors
from knowledge.acls import acl_of
from knowledge.database import Database
from knowledge.embedded import EmbeddedServer
from knowledge.errors import EmbeddingModelBusyError
from knowledge.live import LiveEmbedders
from knowledge.rebuild import rebuild
from knowledge.report import Progress
from knowledge.roster import drop_retired, indexing
from knowledge.search import Search
from knowledge.settings import KnowledgeSettings
from knowledge.verified import VerifiedAnswers
from tests.hashing_embedder import HashingEmbedder
from tests.rebuilding_process import open_hashing

OLD, NEW, ENGLISH = "32-old", "64-new", "24-english"
EVERYONE = frozenset({"everyone"})
ARABIC = "يحصل كل موظف على خمسة وعشرين يوما من الإجازة السنوية المدفوعة الأجر في كل سنة. " * 3
K = 10


@dataclass(slots=True)
class House:
    """A folder, a database, and questions that are asked all the time."""

    folder: Path
    database: Database
    superuser: str
    settings: KnowledgeSettings
    found: list[tuple[int, bool]] = field(default_factory=list)
    """Of each question: how many chunks, and whether they had a cosine."""

    async def index(self, live: LiveEmbedders) -> list[Indexed]:
        return await index_sources(self.settings, self.database, embedders=live)

    def write(self, number: int, text: str) -> None:
        (self.folder / f"{number:03}.md").write_text(f"# Rule {number}\n\n{text}")

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.superuser) as connection:
            await connection.execute("SET search_path TO lorewise, public")
            return await (await connection.execute(statement.encode())).fetchall()

    async def vectors(self) -> dict[str, int]:
        """How many vectors each model has."""
        return dict(
            await self.rows(
                "SELECT m.name, count(e.chunk_id) FROM embedding_model m "
                "LEFT JOIN embedding e ON e.model_id = m.id GROUP BY m.name"
            )
        )

    async def check(self, *models: str) -> None:
        """Every chunk has the vector of its own text by each of these models, and its readers."""
        for model in models:
            embedder = HashingEmbedder(model, dimensions=int(model.partition("-")[0]))
            rows = await self.rows(
                "SELECT d.title, c.heading_path, c.text, e.vector::text, c.acl_id, e.acl_id "
                "FROM chunk c JOIN document d ON d.id = c.document_id "
                f"JOIN embedding_model m ON m.name = '{model}' "
                "LEFT JOIN embedding e ON e.chunk_id = c.id AND e.model_id = m.id"
            )
            assert rows
            for title, path, text, vector, acl, vector_acl in rows:
                [expected] = await embedder.embed_passages(
                    [f"{' > '.join([title, *path])}\n\n{text}"]
                )
                got = [float(part) for part in vector[1:-1].split(",")]
                assert got == pytest.approx(expected.tolist(), abs=1e-3)
                assert acl == vector_acl

    @asynccontextmanager
    async def asking(self, live: LiveEmbedders) -> AsyncIterator[None]:
        """A process that serves questions all the while, and follows the swap."""
        stopping = asyncio.Event()

        async def ask() -> None:
            while not stopping.is_set():
                await live.refresh()
                hits = await Search(self.database, live).search(
                    "Which rule says so?", EVERYONE, k=K
                )
                self.found.append((len(hits), all(hit.cosine is not None for hit in hits)))

        task = asyncio.create_task(ask())
        try:
            yield
        finally:
            stopping.set()
            await task


@pytest.fixture
async def house(tmp_path: Path, database: Database, postgres: EmbeddedServer) -> House:
    """Sixty documents, indexed with the old model."""
    folder = tmp_path / "handbook"
    folder.mkdir()
    superuser = postgres.url("postgres", str(database.url.database))
    house = House(folder, database, superuser, KnowledgeSettings(chunk_width_tokens=60))
    for number in range(60):
        house.write(number, f"The rule {number} says so. " * 7 * (number % 20 + 2))
    await add_folder(database, str(folder))
    await house.index(await open_hashing(database, OLD))
    return house


async def test_the_first_models_are_asked_with_at_once(house: House) -> None:
    assert await house.rows("SELECT name, role, next_role FROM embedding_model") == [
        (OLD, "every", None)
    ]
    live = await open_hashing(house.database, OLD)
    assert await rebuild_vectors(house.database, live) is None


async def test_a_new_model_is_built_from_the_chunks_and_swapped_in(house: House) -> None:
    chunks = await house.rows("SELECT id, xmin::text FROM chunk ORDER BY id")
    serving = await open_hashing(house.database, NEW)
    assert [one.name for one in serving] == [OLD]  # the settings name the next one already
    indexer = await open_hashing(house.database, NEW)
    steps: list[Progress] = []
    async with house.asking(serving):
        [indexed] = await house.index(indexer)
        rebuilt = await rebuild_vectors(
            house.database, indexer, progress=lambda _, step: steps.append(step)
        )
        await asyncio.sleep(0.3)
    assert indexed.report.unchanged == 60
    assert rebuilt is not None
    assert (rebuilt.models, rebuilt.chunks) == ((NEW,), len(chunks))
    assert steps[-1].documents_done == steps[-1].documents_total == len(chunks)
    assert [one.name for one in serving] == [one.name for one in indexer] == [NEW]
    assert await house.rows("SELECT id, xmin::text FROM chunk ORDER BY id") == chunks
    assert len(house.found) > 5
    assert set(house.found) == {(K, True)}
    await house.check(NEW)
    assert await rebuild_vectors(house.database, indexer) is None


@pytest.mark.parametrize("done_before", [1, 129])
async def test_a_killed_rebuild_goes_on_where_it_was_and_questions_notice_nothing(
    house: House, done_before: int
) -> None:
    total = (await house.vectors())[OLD]
    assert total > 150
    serving = await open_hashing(house.database, NEW)
    async with house.asking(serving):
        url = house.database.url.render_as_string(hide_password=False)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.rebuilding_process", url, NEW, "0.005"
        )
        async with asyncio.timeout(60):
            while (await house.vectors()).get(NEW, 0) < done_before:
                await asyncio.sleep(0.02)
        child.kill()
        assert await child.wait() == -signal.SIGKILL
        left = (await house.vectors())[NEW]
        assert done_before <= left < total
        assert [one.name for one in serving] == [OLD]
        # Meanwhile documents change, come and go; both models know them at once.
        house.write(3, "The rule is another one now. " * 9)
        house.write(77, "The rule is new. " * 9)
        (house.folder / "005.md").unlink()
        await house.index(serving)
        assert (await house.vectors())[NEW] < (await house.vectors())[OLD]
        await house.check(OLD)
        async with asyncio.timeout(60):
            while True:  # the killed process's lock goes when the server notices
                indexer = await open_hashing(house.database, NEW)
                try:
                    rebuilt = await rebuild_vectors(house.database, indexer)
                    break
                except EmbeddingModelBusyError:
                    await asyncio.sleep(0.1)
        await asyncio.sleep(0.3)
    assert rebuilt is not None
    assert rebuilt.chunks < total - left + 1
    assert set(house.found) == {(K, True)}
    assert [one.name for one in serving] == [NEW]
    await house.check(NEW)


async def test_documents_that_are_written_while_the_vectors_are_built_are_not_missed(
    house: House,
) -> None:
    slow = await open_hashing(house.database, NEW, delay_seconds=0.002)
    building = asyncio.create_task(rebuild_vectors(house.database, slow))
    other = await open_hashing(house.database, NEW)
    for turn in range(8):
        house.write(turn, f"Turn {turn} of the rule. " * (turn + 3))
        house.write(100 + turn, f"A new rule {turn}. " * 12)
        await house.index(other)
    assert await building is not None
    await house.check(NEW)
    house.write(200, "A rule after the swap.")
    await house.index(other)
    await house.check(NEW)


async def test_readers_that_change_meanwhile_are_the_vectors_readers(house: House) -> None:
    slow = await open_hashing(house.database, NEW, delay_seconds=0.001)
    building = asyncio.create_task(rebuild_vectors(house.database, slow))
    async with asyncio.timeout(30):
        while (await house.vectors()).get(NEW, 0) == 0:
            await asyncio.sleep(0.01)
    await house.rows("UPDATE source SET principals = '{group:few}' RETURNING 1")
    await house.index(await open_hashing(house.database, NEW))
    await building
    await house.check(NEW)
    assert not await Search(house.database, slow).search("rule", EVERYONE)
    assert await Search(house.database, slow).search("rule", frozenset({"group:few"}))


async def test_the_swap_waits_for_a_sync_that_knows_the_old_models_only(house: House) -> None:
    live = await open_hashing(house.database, NEW)
    async with indexing(house.database):
        building = asyncio.create_task(rebuild_vectors(house.database, live))
        await asyncio.sleep(1.0)
        assert not building.done()
        assert (await house.vectors())[NEW] == (await house.vectors())[OLD]
        assert [one.name for one in live] == [OLD]
    await building
    assert [one.name for one in live] == [NEW]


async def test_a_change_of_mind_before_the_swap_leaves_everything_as_it_was(house: House) -> None:
    live = await open_hashing(house.database, NEW)
    async with indexing(house.database):
        await live.prepare()
    stays = await open_hashing(house.database, OLD)
    assert await rebuild_vectors(house.database, stays) is None
    with pytest.raises(EmbeddingModelBusyError, match="Other models"):
        await rebuild(house.database, live.coming)
    assert await drop_retired(house.database, older_than_seconds=0) == 1
    assert list(await house.vectors()) == [OLD]
    await house.check(OLD)


async def test_old_vectors_stay_for_a_while_and_then_go_with_their_partition(house: House) -> None:
    live = await open_hashing(house.database, NEW)
    await rebuild_vectors(house.database, live)
    assert await drop_retired(house.database) == 0
    assert (await house.vectors())[OLD] > 0
    back = await open_hashing(house.database, OLD)
    rebuilt = await rebuild_vectors(house.database, back)  # and back again, at no cost
    assert rebuilt is not None
    assert rebuilt.chunks == 0
    assert await drop_retired(house.database, older_than_seconds=0) == 1
    assert list(await house.vectors()) == [OLD]
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'embedding'::regclass"
    assert await house.rows(partitions) == [(1,)]
    await house.check(OLD)


async def test_two_models_take_the_place_of_one_and_one_that_of_two(house: House) -> None:
    house.write(300, ARABIC)
    await house.index(await open_hashing(house.database, OLD))
    two = await open_hashing(house.database, ENGLISH, OLD)
    assert await rebuild_vectors(house.database, two) is not None
    vectors = await house.vectors()
    assert 0 < vectors[ENGLISH] < vectors[OLD]
    assert [one.name for one in two] == [ENGLISH, OLD]
    one = await open_hashing(house.database, ENGLISH)  # now for every language
    assert await rebuild_vectors(house.database, one) is not None
    assert [embedder.name for embedder in one] == [ENGLISH]
    await house.check(ENGLISH)


async def test_a_second_rebuild_at_one_time_is_told_to_wait(house: House) -> None:
    first = await open_hashing(house.database, NEW, delay_seconds=0.002)
    second = await open_hashing(house.database, NEW)
    building = asyncio.create_task(rebuild_vectors(house.database, first))
    async with asyncio.timeout(30):
        while (await house.vectors()).get(NEW, 0) == 0:
            await asyncio.sleep(0.01)
    with pytest.raises(EmbeddingModelBusyError, match="already"):
        await rebuild_vectors(house.database, second)
    assert await building is not None


async def test_approved_answers_are_found_with_the_new_model_too(house: House) -> None:
    old = await open_hashing(house.database, OLD)
    async with house.database.indexer.begin() as connection:
        acl = await acl_of(connection, EVERYONE)
    question = "How long is the parental leave?"
    await VerifiedAnswers(house.database, old[-1]).approve(
        question, "Twelve weeks.", approver="U1", acl_id=acl
    )
    live = await open_hashing(house.database, NEW)
    await rebuild_vectors(house.database, live)
    found = await VerifiedAnswers(house.database, live[-1]).find(question, "en", EVERYONE)
    assert found is not None
    assert found.answer == "Twelve weeks."


async def test_a_shorter_width_cuts_the_documents_anew_with_vectors_of_both(house: House) -> None:
    live = await open_hashing(house.database, NEW)
    narrow = await open_hashing(house.database, NEW)
    [coming] = [NEW]
    original = HashingEmbedder(coming, dimensions=64, width_tokens=40)

    async def load(_recipe: object) -> HashingEmbedder:
        return original

    narrow._load = load
    [indexed] = await house.index(narrow)
    assert indexed.report.changed == 60
    await house.check(OLD, NEW)
    await rebuild_vectors(house.database, narrow)
    await live.refresh()
    assert [one.name for one in live] == [NEW]
