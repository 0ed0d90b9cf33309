"""The index keeps in step with its source, in a real Postgres."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from knowledge.database import Database
from knowledge.embedded import EmbeddedServer
from knowledge.embedding import load_embedder
from knowledge.errors import IndexingStoppedError, SourceBusyError, SourceError
from knowledge.index import Embedders, Progress, Report, sync
from knowledge.search import Search
from knowledge.sources import FolderSource
from knowledge.sources.registered import register_source, registered_sources, remove_source
from tests import documents
from tests.hashing_embedder import HashingEmbedder

ARABIC = "يحصل كل موظف على خمسة وعشرين يوما من الإجازة السنوية المدفوعة الأجر في كل سنة. " * 3
TABLES = ("document", "chunk", "embedding", "posting", "collection_size", "acl")


@dataclass(slots=True)
class Desk:
    """A folder, a database, and what is needed to bring one in step with the other."""

    folder: Path
    database: Database
    superuser: str
    embedder: HashingEmbedder
    principals: tuple[str, ...] = ("everyone",)
    embedders: Embedders = ()
    width_tokens: int = 60

    async def sync(self, progress: Callable[[Progress], None] | None = None) -> Report:
        registered = await register_source(
            self.database,
            name="handbook",
            kind="folder",
            location=str(self.folder),
            principals=self.principals,
        )
        return await sync(
            registered,
            FolderSource(str(self.folder)),
            self.database,
            self.embedders or [(self.embedder, lambda _: True)],
            width_tokens=self.width_tokens,
            progress=progress,
        )

    def write(self, key: str, content: str | bytes) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    async def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a superuser finds: no role of ours sees everything."""
        async with await psycopg.AsyncConnection.connect(self.superuser) as connection:
            await connection.execute("SET search_path TO lorewise, public")
            found = await connection.execute(statement.encode(), values or None)
            return await found.fetchall()

    async def versions(self) -> dict[str, set[tuple[Any, ...]]]:
        """Every row of the index with the transaction that wrote it."""
        return {
            table: set(await self.rows(f"SELECT xmin::text, ctid::text, x::text FROM {table} x"))
            for table in TABLES
        }

    async def content(self) -> list[tuple[Any, ...]]:
        """All that is in the index, without ids and times."""
        return await self.rows(
            "SELECT d.key, d.title, d.url, d.language, d.content_hash, c.position, c.page, c.text, "
            "c.heading_path::text, c.tokens, c.terms, c.language, a.principals::text, "
            "(SELECT string_agg(m.name || e.vector::text || e.acl_id, ';' ORDER BY m.name) "
            " FROM embedding e JOIN embedding_model m ON m.id = e.model_id "
            " WHERE e.chunk_id = c.id), "
            "(SELECT string_agg(concat_ws(' ', term, frequency, length, acl_id), ';' ORDER BY term)"
            " FROM posting p WHERE p.chunk_id = c.id) "
            "FROM document d JOIN acl a ON a.id = d.acl_id JOIN chunk c ON c.document_id = d.id "
            "ORDER BY d.key, c.position"
        )

    async def check_sizes(self) -> None:
        """BM25's figures agree with the chunks."""
        assert await self.rows(
            "SELECT acl_id, language, chunks, terms FROM collection_size WHERE chunks > 0 "
            "ORDER BY 1, 2"
        ) == await self.rows(
            "SELECT acl_id, language, count(*), sum(terms) FROM chunk GROUP BY 1, 2 ORDER BY 1, 2"
        )


@pytest.fixture
def desk(tmp_path: Path, database: Database, postgres: EmbeddedServer) -> Desk:
    """A folder with three documents."""
    superuser = postgres.url("postgres", str(database.url.database))
    desk = Desk(tmp_path / "handbook", database, superuser, HashingEmbedder())
    desk.write("leave.md", "# Leave\n\n25 days a year.\n\n## Carry-over\n\nUntil 31 March.")
    desk.write("it/vpn.md", "# VPN\n\nChoose the nearest gateway.")
    desk.write("pay.txt", "Salaries are paid on the 25th.")
    return desk


def counts(report: Report) -> tuple[int, int, int, int, int, int, int]:
    """seen, added, changed, unchanged, removed, failed, skipped."""
    parts = (report.added, report.changed, report.unchanged)
    failed, skipped = len(report.failed), len(report.skipped)
    assert report.seen == sum(parts) + failed + skipped
    return (report.seen, *parts, report.removed, failed, skipped)


async def test_a_first_run_writes_documents_chunks_vectors_and_terms(desk: Desk) -> None:
    report = await desk.sync()
    assert counts(report) == (3, 3, 0, 0, 0, 0, 0)
    assert report.chunks == 4
    found = await desk.rows(
        "SELECT d.key, d.title, d.url, c.position, c.heading_path, c.text FROM document d "
        "JOIN chunk c ON c.document_id = d.id ORDER BY 1, 4"
    )
    assert found == [
        ("it/vpn.md", "VPN", "it/vpn.md", 0, [], "Choose the nearest gateway."),
        ("leave.md", "Leave", "leave.md", 0, [], "25 days a year."),
        ("leave.md", "Leave", "leave.md", 1, ["Carry-over"], "Until 31 March."),
        ("pay.txt", "Pay", "pay.txt", 0, [], "Salaries are paid on the 25th."),
    ]
    assert "Leave > Carry-over\n\nUntil 31 March." in desk.embedder.embedded
    assert await desk.rows("SELECT count(*) FROM embedding") == [(4,)]
    terms = await desk.rows(
        "SELECT c.terms, sum(p.frequency), min(p.length), count(DISTINCT p.acl_id) FROM chunk c "
        "JOIN posting p ON p.chunk_id = c.id GROUP BY c.id, c.terms"
    )
    assert all(a == b == c and d == 1 for a, b, c, d in terms)
    await desk.check_sizes()


async def test_a_second_run_touches_nothing(desk: Desk) -> None:
    await desk.sync()
    before = await desk.versions()
    desk.embedder.embedded.clear()
    report = await desk.sync()
    assert counts(report) == (3, 0, 0, 3, 0, 0, 0)
    assert await desk.versions() == before
    assert desk.embedder.embedded == []


async def test_a_changed_file_changes_only_its_own_rows(desk: Desk) -> None:
    await desk.sync()
    kept = (
        "SELECT d.xmin::text, c.id, c.xmin::text FROM document d "
        "JOIN chunk c ON c.document_id = d.id WHERE d.key <> 'pay.txt' ORDER BY 2"
    )
    ids = "SELECT id FROM document ORDER BY key"
    before = await desk.rows(kept), await desk.rows(ids)
    desk.write("pay.txt", "Salaries are paid on the 28th.")
    report = await desk.sync()
    assert counts(report) == (3, 0, 1, 2, 0, 0, 0)
    assert (await desk.rows(kept), await desk.rows(ids)) == before
    assert await desk.rows("SELECT text FROM chunk WHERE text LIKE 'Salaries%'") == [
        ("Salaries are paid on the 28th.",)
    ]
    assert await desk.rows("SELECT count(*) FROM embedding") == [(4,)]
    await desk.check_sizes()


async def test_a_removed_file_leaves_nothing_behind(desk: Desk) -> None:
    await desk.sync()
    (desk.folder / "leave.md").unlink()
    report = await desk.sync()
    assert counts(report) == (2, 0, 0, 2, 1, 0, 0)
    for table, column in (("chunk", "id"), ("embedding", "chunk_id"), ("posting", "chunk_id")):
        left = await desk.rows(f"SELECT count(DISTINCT {column}) FROM {table}")
        assert left == [(2,)], table
    await desk.check_sizes()


async def test_an_emptied_folder_does_not_empty_the_index(desk: Desk) -> None:
    await desk.sync()
    before = await desk.versions()
    shutil.rmtree(desk.folder)
    with pytest.raises(SourceError, match="cannot be read"):
        await desk.sync()
    desk.folder.mkdir()
    with pytest.raises(SourceError, match="mounted"):
        await desk.sync()
    assert await desk.versions() == before


async def test_files_that_cannot_be_read_are_named_and_stop_nothing(desk: Desk) -> None:
    desk.write("broken.pdf", b"%PDF-1.7 nothing")
    desk.write("broken.docx", b"PK nothing")
    desk.write("empty.md", b"")
    desk.write("junk.txt", bytes(range(256)) * 8)
    desk.write("old.doc", b"\xd0\xcf\x11\xe0")
    desk.write("photo.heic", b"\xff\xd8")
    desk.write("redirect.md", "---\ntitle: Gone\n---\n")
    desk.write(".hidden/secret.md", "Not for the index.")
    report = await desk.sync()
    assert counts(report) == (11, 3, 0, 0, 0, 4, 4)
    assert [key for key, _ in report.failed] == [
        "broken.docx",
        "broken.pdf",
        "empty.md",
        "junk.txt",
    ]
    assert all(key in reason for key, reason in report.failed)
    skipped = dict(report.skipped)
    assert skipped.keys() == {".hidden", "old.doc", "photo.heic", "redirect.md"}
    assert ".docx" in skipped["old.doc"]


async def test_a_document_that_breaks_keeps_its_last_good_version(desk: Desk) -> None:
    await desk.sync()
    before = await desk.content()
    desk.write("pay.txt", bytes(range(256)) * 8)
    assert counts(await desk.sync()) == (3, 0, 0, 2, 0, 1, 0)
    assert await desk.content() == before
    desk.write("pay.txt", "Salaries are paid on the 28th.")
    assert counts(await desk.sync()) == (3, 0, 1, 2, 0, 0, 0)


async def test_a_document_that_loses_its_text_is_removed(desk: Desk) -> None:
    await desk.sync()
    desk.write("leave.md", "---\nredirect_to: /x/\n---\n")
    assert counts(await desk.sync()) == (3, 0, 0, 2, 1, 0, 1)


async def test_another_width_indexes_everything_again(desk: Desk) -> None:
    await desk.sync()
    desk.width_tokens = 40
    assert counts(await desk.sync()) == (3, 0, 3, 0, 0, 0, 0)
    assert await desk.rows("SELECT count(*) FROM embedding") == [(4,)]


async def test_another_embedder_cuts_nothing_again_unless_it_reads_less(desk: Desk) -> None:
    await desk.sync()
    desk.embedder = HashingEmbedder("hashing-2")
    assert counts(await desk.sync()) == (3, 0, 0, 3, 0, 0, 0)
    desk.embedder = HashingEmbedder("hashing-3", width_tokens=50)
    assert counts(await desk.sync()) == (3, 0, 3, 0, 0, 0, 0)
    assert await desk.rows("SELECT count(*) FROM embedding") == [(4,)]


async def test_other_readers_are_written_everywhere_without_embedding_again(desk: Desk) -> None:
    await desk.sync()
    chunks = await desk.rows("SELECT id, text FROM chunk ORDER BY id")
    desk.embedder.embedded.clear()
    desk.principals = ("group:b", "group:a", "group:a")
    assert counts(await desk.sync()) == (3, 0, 3, 0, 0, 0, 0)
    assert desk.embedder.embedded == []
    assert await desk.rows("SELECT id, text FROM chunk ORDER BY id") == chunks
    for table in ("document", "chunk", "embedding", "posting"):
        readers = await desk.rows(
            f"SELECT DISTINCT principals FROM {table} t JOIN acl ON acl.id = t.acl_id"
        )
        assert readers == [(["group:a", "group:b"],)], table
    await desk.check_sizes()


async def test_only_the_readers_of_a_source_see_its_documents(desk: Desk) -> None:
    desk.principals = ("group:finance", "user:U1")
    await desk.sync()
    seen = {}
    for principal in ("group:finance", "user:U1", "everyone", "group:fin"):
        async with desk.database.acting_as([principal]) as connection:
            counted = await connection.execute(
                text("SELECT (SELECT count(*) FROM chunk), (SELECT count(*) FROM embedding)")
            )
            seen[principal] = tuple(counted.one())
    assert seen == {
        "group:finance": (4, 4),
        "user:U1": (4, 4),
        "everyone": (0, 0),
        "group:fin": (0, 0),
    }


async def test_each_language_gets_its_embedders(desk: Desk) -> None:
    english = HashingEmbedder("english", dimensions=16)
    every = HashingEmbedder("every", dimensions=24, width_tokens=512)
    desk.embedders = [(english, lambda language: language == "en"), (every, lambda _: True)]
    desk.write("leave.md", "The employees of this company get 25 days of leave in every year.")
    desk.write(
        "leave-ar.md",
        f"# الإجازة\n\n{ARABIC}\n\n## In English\n\n" + "You get 25 days of leave. " * 6,
    )
    await desk.sync()
    found = await desk.rows(
        "SELECT d.key, d.language, c.language, array_agg(m.name ORDER BY m.name) FROM document d "
        "JOIN chunk c ON c.document_id = d.id JOIN embedding e ON e.chunk_id = c.id "
        "JOIN embedding_model m ON m.id = e.model_id WHERE d.key LIKE 'leave%' GROUP BY 1, 2, 3"
    )
    assert sorted(found) == [
        ("leave-ar.md", "ar", "ar", ["every"]),
        ("leave-ar.md", "ar", "en", ["english", "every"]),
        ("leave.md", "en", "en", ["english", "every"]),
    ]
    await desk.check_sizes()


async def test_every_format_arrives_with_its_pages(desk: Desk) -> None:
    body = documents.word_paragraph("Card", "Title") + documents.word_paragraph(
        "A card has a limit."
    )
    desk.write("card.docx", documents.docx(body))
    desk.write("week.pptx", documents.slides([("Welcome", ["Hello"]), ("Week", ["Monday"])]))
    desk.write("rates.xlsx", documents.workbook({"Rates": [["City", "Rate"], ["Berlin", 48]]}))
    desk.write("rooms.csv", "Room,Seats\nMaas,24\n")
    desk.write("dates.html", "<h1>Dates</h1><p>Paid on the 25th.</p>")
    desk.write(
        "manual.pdf",
        documents.pdf(
            [[(11, 72, 700, "First page.")], [(18, 72, 760, "Fire"), (11, 72, 700, "Leave.")]]
        ),
    )
    assert counts(await desk.sync()) == (9, 9, 0, 0, 0, 0, 0)
    found = await desk.rows(
        "SELECT d.key, c.page, c.heading_path, c.text FROM document d JOIN chunk c "
        "ON c.document_id = d.id WHERE d.key SIMILAR TO '%.(docx|pptx|xlsx|csv|html|pdf)' "
        "ORDER BY d.key, c.position"
    )
    assert found == [
        ("card.docx", None, [], "A card has a limit."),
        ("dates.html", None, [], "Paid on the 25th."),
        ("manual.pdf", 1, [], "First page."),
        ("manual.pdf", 2, ["Fire"], "Leave."),
        ("rates.xlsx", None, [], "| City | Rate |\n| --- | --- |\n| Berlin | 48 |"),
        ("rooms.csv", None, [], "| Room | Seats |\n| --- | --- |\n| Maas | 24 |"),
        ("week.pptx", 1, [], "Hello"),
        ("week.pptx", 2, ["Week"], "Monday\n\n| Day | Who |\n| --- | --- |\n| 1 | Buddy |"),
    ]


async def test_progress_ends_with_everything_done(desk: Desk) -> None:
    steps: list[Progress] = []
    report = await desk.sync(steps.append)
    assert [step.documents_done for step in steps] == sorted(s.documents_done for s in steps)
    last = steps[-1]
    assert (last.documents_done, last.documents_total, last.chunks) == (3, 3, report.chunks)
    assert last.eta_seconds == 0.0
    assert last.chunks_per_second > 0


async def test_a_second_indexer_of_a_source_is_told_to_wait(desk: Desk) -> None:
    desk.embedder = HashingEmbedder(delay_seconds=0.1)
    first = asyncio.create_task(desk.sync())
    while not (await desk.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))[0][0]:
        await asyncio.sleep(0.01)
    with pytest.raises(SourceBusyError, match="handbook"):
        await desk.sync()
    assert (await first).added == 3
    assert counts(await desk.sync()) == (3, 0, 0, 3, 0, 0, 0)  # the lock is free again


async def test_two_sources_with_the_same_readers_are_indexed_at_once(
    desk: Desk, tmp_path: Path
) -> None:
    desk.principals = ("group:new",)
    other = Desk(tmp_path / "other", desk.database, desk.superuser, HashingEmbedder())
    for number in range(30):
        for one in (desk, other):
            one.write(f"{number}.md", ("The rule says so. " if number % 2 else ARABIC) * 5)

    async def index_other() -> Report:
        registered = await register_source(
            other.database,
            name="other",
            kind="folder",
            location=str(other.folder),
            principals=desk.principals,
        )
        return await sync(
            registered,
            FolderSource(str(other.folder)),
            other.database,
            [(other.embedder, lambda _: True)],
            width_tokens=60,
        )

    first, second = await asyncio.gather(desk.sync(), index_other())
    assert (first.added, second.added, first.failed, second.failed) == (33, 30, [], [])
    assert await desk.rows("SELECT count(*) FROM acl") == [(1,)]
    await desk.check_sizes()


async def test_a_database_that_goes_away_is_a_clear_error(desk: Desk) -> None:
    desk.embedder = HashingEmbedder(delay_seconds=0.2)
    indexing = asyncio.create_task(desk.sync())
    await _until(desk, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    await desk.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    with pytest.raises(IndexingStoppedError, match="Postgres"):
        await indexing
    desk.embedder = HashingEmbedder()
    report = await desk.sync()
    assert report.added + report.unchanged == 3
    await desk.check_sizes()


@pytest.mark.parametrize("documents_before", [1, 8, 16])
async def test_a_killed_run_leaves_whole_documents_and_the_next_one_does_the_rest(
    desk: Desk, documents_before: int
) -> None:
    for number in range(20):
        desk.write(f"{number:02}.md", f"# Rule {number}\n\n" + "The rule says so. " * 30 * number)
    await desk.sync()
    whole = await desk.content()
    await remove_source(desk.database, "handbook")

    url = desk.database.url.render_as_string(hide_password=False)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.indexing_process", url, str(desk.folder), "0.005"
    )
    await _until(desk, f"SELECT count(*) >= {documents_before} FROM document")
    child.kill()
    assert await child.wait() == -signal.SIGKILL

    partial = await desk.content()
    written = {row[0] for row in partial}
    assert documents_before <= len(written) < 23
    assert partial == [row for row in whole if row[0] in written]
    await desk.check_sizes()
    await _until(desk, "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    before = await desk.rows("SELECT id, xmin::text FROM chunk")
    report = await desk.sync()
    assert counts(report) == (23, 23 - len(written), 0, len(written), 0, 0, 0)
    assert set(before) <= set(await desk.rows("SELECT id, xmin::text FROM chunk"))
    assert await desk.content() == whole
    await desk.check_sizes()


async def test_a_cancelled_run_leaves_whole_documents_and_no_lock(desk: Desk) -> None:
    for number in range(20):
        desk.write(f"{number}.md", "The rule says so. " * 40)
    desk.embedder = HashingEmbedder(delay_seconds=0.005)
    indexing = asyncio.create_task(desk.sync())
    await _until(desk, "SELECT count(*) FROM document")
    indexing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await indexing
    report = await desk.sync()
    assert report.added + report.unchanged == 23
    await desk.check_sizes()


async def test_a_source_keeps_its_name_and_can_be_removed(desk: Desk, tmp_path: Path) -> None:
    await desk.sync()
    (registered,) = await registered_sources(desk.database)
    assert (registered.name, registered.principals) == ("handbook", ("everyone",))
    assert registered.synced_at is not None
    with pytest.raises(SourceError, match="another source"):
        await register_source(
            desk.database, name="handbook", kind="folder", location="/x", principals=["everyone"]
        )
    with pytest.raises(SourceError, match="at least one principal"):
        await register_source(
            desk.database, name="new", kind="folder", location="/x", principals=[]
        )
    await remove_source(desk.database, "handbook")
    assert await desk.rows("SELECT count(*) FROM chunk") == [(0,)]
    with pytest.raises(SourceError, match="no source"):
        await remove_source(desk.database, "handbook")


@pytest.mark.models
async def test_the_bundled_embedder_indexes_what_it_was_shown(desk: Desk, models_dir: Path) -> None:
    minilm = await asyncio.to_thread(load_embedder, "all-MiniLM-L6-v2", models_dir)
    desk.embedders = [(minilm, lambda _: True)]
    desk.width_tokens = 220
    desk.write("long.md", "# Long\n\n" + "An employee may carry over five days of leave. " * 200)
    report = await desk.sync()
    found = await desk.rows("SELECT text, tokens FROM chunk ORDER BY tokens DESC")
    assert len(found) == report.chunks
    assert found[0][1] == minilm.count_tokens([found[0][0]])[0] <= 220
    question = (await minilm.embed_questions(["Which VPN gateway should I take?"]))[0]
    nearest = await desk.rows(
        "SELECT c.text FROM embedding e JOIN chunk c ON c.id = e.chunk_id "
        "ORDER BY e.vector <=> %(question)s::halfvec LIMIT 1",
        question=str(question.tolist()),
    )
    assert nearest == [("Choose the nearest gateway.",)]
    await minilm.close()


async def _until(desk: Desk, statement: str) -> None:
    async with asyncio.timeout(30):
        while not (await desk.rows(statement))[0][0]:
            await asyncio.sleep(0.01)


async def test_a_passage_is_found_by_its_documents_summary_and_title_first(desk: Desk) -> None:
    desk.write(
        "desk.md",
        "# Hot desks\n\nHow to reserve a workplace in Lisbon.\n\n## Times\n\nFrom seven to nine.",
    )
    desk.write("other.md", "# Parking\n\nNobody may reserve hot meals or desks. From eight to ten.")
    await desk.sync()
    hits = await Search(desk.database).search("reserve Lisbon", frozenset({"everyone"}))
    assert [(hit.document_key, hit.text) for hit in hits[:2]] == [
        ("desk.md", "How to reserve a workplace in Lisbon."),
        ("desk.md", "From seven to nine."),
    ]
    assert hits[0].summary == "How to reserve a workplace in Lisbon. From seven to nine."
    hits = await Search(desk.database).search("hot desks", frozenset({"everyone"}))
    assert [hit.document_key for hit in hits] == ["desk.md", "desk.md", "other.md"]


async def test_the_summary_of_a_long_document_stands_not_in_each_of_its_passages(
    desk: Desk,
) -> None:
    sections = "\n\n".join(f"## Part {n}\n\nText {n}." for n in range(60))
    desk.write("manual.md", f"# Manual\n\nEverything about zeppelins.\n\n{sections}")
    await desk.sync()
    hits = await Search(desk.database).search("zeppelins", frozenset({"everyone"}), k=20)
    assert [hit.text for hit in hits] == ["Everything about zeppelins."]
