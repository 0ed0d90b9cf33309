"""What every source promises (knowledge/sources/source.py), on a small world of each kind."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from knowledge.database import Database
from knowledge.errors import SourceError
from knowledge.index import Report, sync
from knowledge.sources import (
    KINDS,
    Change,
    Checkpoint,
    Removed,
    Retelling,
    Skipped,
    Source,
    SourceDocument,
    load_source,
)
from knowledge.sources.registered import register_source
from tests.hashing_embedder import HashingEmbedder
from tests.worlds import WORLDS, World

NAMES = ("alpha", "beta", "gamma")


def said(name: str, version: int = 1) -> str:
    """A document's text: no text is a part of another one."""
    return f"The {name} rule in its version {version} holds for everyone here."


@pytest.fixture(params=WORLDS)
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """A world of each kind, with three documents."""
    world = WORLDS[request.param](tmp_path)
    for variable, secret in world.secrets.items():
        monkeypatch.setenv(variable, secret)
    await world.start()
    try:
        for name in NAMES:
            await world.put(name, said(name))
        yield world
    finally:
        await world.close()


async def told(source: Source, cursor: dict[str, Any] | None = None) -> list[Change]:
    """One telling."""
    return [change async for change in source.changes(cursor)]


def documents(changes: Sequence[Change]) -> list[SourceDocument]:
    """The documents among the changes."""
    return [change for change in changes if isinstance(change, SourceDocument)]


async def texts(found: Sequence[SourceDocument]) -> dict[str, str]:
    """The text of each document by its key."""
    return {document.key: (await document.load()).decode() for document in found}


def last(changes: Sequence[Change]) -> Checkpoint:
    """The last checkpoint."""
    checkpoint = changes[-1]
    assert isinstance(checkpoint, Checkpoint)
    return checkpoint


def carried(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """A cursor as the database gives it back."""
    cursor: dict[str, Any] | None = json.loads(json.dumps(checkpoint.cursor))
    return cursor


@dataclass(slots=True)
class ModelIndex:
    """The simplest index that follows a stream of changes."""

    texts: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, str | None] = field(default_factory=dict)
    cursor: dict[str, Any] | None = None

    async def follow(self, source: Source, *, checkpoints: int | None = None) -> int:
        """Apply a telling, cut after some intermediate checkpoints; says how many there were."""
        named: set[str] = set()
        unread: list[str] = []
        met = 0
        async for change in source.changes(self.cursor):
            if isinstance(change, Checkpoint):
                met += 1
                self.cursor, complete = carried(change), change.complete
                if met == checkpoints and not complete:
                    return met
                continue
            await self._apply(change, named, unread)
        if complete:
            kept = {k for k in self.texts if k in named or k.startswith(tuple(unread))}
            self.texts = {key: text for key, text in self.texts.items() if key in kept}
        return met

    async def _apply(self, change: Change, named: set[str], unread: list[str]) -> None:
        if isinstance(change, SourceDocument):
            named.add(change.key)
            if change.fingerprint is None or change.fingerprint != self.fingerprints.get(
                change.key
            ):
                self.texts[change.key] = (await change.load()).decode()
            self.fingerprints[change.key] = change.fingerprint
        elif isinstance(change, Removed) or (isinstance(change, Skipped) and not change.unreadable):
            self.texts.pop(change.key, None)
            self.fingerprints.pop(change.key, None)
        elif isinstance(change, Skipped):
            unread.append(change.key)

    def agrees(self, expected: Sequence[str]) -> bool:
        """Whether it holds one document for each of these texts and no other one."""
        found = list(self.texts.values())
        return len(found) == len(expected) and all(
            sum(text in one for one in found) == 1 for text in expected
        )


# what one telling is


async def test_every_document_is_told_once_with_its_bytes_type_and_time(world: World) -> None:
    found = documents(await told(world.source()))
    assert len({document.key for document in found}) == len(found) == len(NAMES)
    for name in NAMES:
        (document,) = [d for d in found if said(name).encode() in await d.load()]
        assert "/" in document.media_type
        assert document.modified_at is None or document.modified_at.tzinfo is not None
        assert document.principals is None or document.principals


async def test_a_telling_ends_with_one_last_checkpoint(world: World) -> None:
    *before, checkpoint = await told(world.source())
    assert isinstance(checkpoint, Checkpoint)
    assert carried(checkpoint) == checkpoint.cursor
    for change in before:
        if isinstance(change, Checkpoint):  # a cut run must have somewhere to go on from
            assert not change.complete
            assert change.cursor is not None


async def test_documents_are_loaded_at_the_same_time(world: World) -> None:
    found = documents(await told(world.source()))
    loaded = await asyncio.gather(*(document.load() for document in found))
    for name in NAMES:
        assert sum(said(name).encode() in raw for raw in loaded) == 1


async def test_two_tellings_are_in_the_same_order(world: World) -> None:
    keys = [[d.key for d in documents(await told(world.source()))] for _ in range(2)]
    assert keys[0] == keys[1]


# what has changed since


async def test_an_index_that_follows_the_changes_holds_what_is_there(world: World) -> None:
    index = ModelIndex()
    now = dict.fromkeys(NAMES, 1)

    async def agree() -> None:
        await index.follow(world.source())
        expected = [said(name, version) for name, version in now.items()]
        assert index.agrees(expected), (index.texts, expected)

    await agree()
    await agree()
    now["beta"] = 2
    await world.put("beta", said("beta", 2))
    await agree()
    now["delta"] = 1
    await world.put("delta", said("delta"))
    await world.remove("alpha")
    del now["alpha"]
    await agree()
    now["alpha"] = 3
    await world.put("alpha", said("alpha", 3))
    await world.put("gamma", said("gamma", 4))
    await world.remove("gamma")
    del now["gamma"]
    await agree()
    await agree()


async def test_a_run_that_was_cut_goes_on_from_its_checkpoint(world: World) -> None:
    for cut in range(1, 4):
        index = ModelIndex()
        met = await index.follow(world.source(), checkpoints=cut)
        await index.follow(world.source())
        assert index.agrees([said(name) for name in NAMES]), (cut, met)
        if met < cut:
            break


async def test_a_cursor_that_is_not_accepted_tells_everything(world: World) -> None:
    cursor = last(await told(world.source())).cursor
    if cursor is None:
        pytest.skip("it has no cursors")
    index = ModelIndex(cursor={"cursor of": "another version"})
    await index.follow(world.source())
    assert index.agrees([said(name) for name in NAMES])


def unusable(cursor: dict[str, Any]) -> list[dict[str, Any]]:
    """Cursors that a source has to refuse: of another version, other options, a lost place."""
    names = cursor.keys() & {"version", "options", "for", "commit"}
    return [{"cursor of": "another version"}, *({**cursor, name: "0" * 40} for name in names)]


async def test_nothing_that_has_gone_is_missed_where_a_telling_that_begins_anew_is_cut(
    world: World,
) -> None:
    cursor = last(await told(world.source())).cursor
    if cursor is None:
        pytest.skip("it has no cursors")
    full = ModelIndex()
    await full.follow(world.source())
    await world.remove("alpha")
    for refused in unusable(cursor):
        for cut in range(1, 4):
            index = ModelIndex(dict(full.texts), dict(full.fingerprints), refused)
            met = await index.follow(world.source(), checkpoints=cut)
            await index.follow(world.source())
            assert index.agrees([said("beta"), said("gamma")]), (refused, cut, met)
            if met < cut:
                break


async def test_a_fingerprint_changes_exactly_when_the_content_does(world: World) -> None:
    def fingerprints(found: list[SourceDocument]) -> dict[str, str | None]:
        return {document.key: document.fingerprint for document in found}

    before = documents(await told(world.source()))
    (key,) = [key for key, text in (await texts(before)).items() if said("beta") in text]
    assert fingerprints(documents(await told(world.source()))) == fingerprints(before)
    await world.put("beta", said("beta", 2))
    now = fingerprints(documents(await told(world.source())))
    changed = {key for key, mark in fingerprints(before).items() if now.get(key) != mark}
    assert changed <= {key}
    if any(fingerprints(before).values()):
        assert changed == {key}


async def test_single_documents_are_told_anew(world: World) -> None:
    source = world.source()
    if not isinstance(source, Retelling):
        pytest.skip("it does not tell single documents")
    found = await texts(documents(await told(source)))
    await world.put("beta", said("beta", 2))
    await world.remove("gamma")
    changes = [change async for change in world.source().again(sorted(found))]  # type: ignore[attr-defined]
    assert sorted(change.key for change in changes) == sorted(found)
    anew = {d.key: (await d.load()).decode() for d in documents(changes)}
    assert len(anew) == 2
    assert any(said("beta", 2) in text for text in anew.values())
    (gone,) = found.keys() - anew.keys()
    assert said("gamma") in found[gone]


# what goes wrong


async def test_a_document_that_vanishes_before_it_is_read_is_a_source_error(world: World) -> None:
    found = documents(await told(world.source()))
    (document,) = [d for d in found if said("alpha").encode() in await d.load()]
    found = documents(await told(world.source()))
    (document,) = [d for d in found if d.key == document.key]
    await world.remove("alpha")
    if world.tells_whole:
        assert said("alpha").encode() in await document.load()
        return
    with pytest.raises(SourceError):
        await document.load()


async def test_a_place_that_is_gone_is_an_error_and_not_an_empty_one(world: World) -> None:
    source = world.source()
    cursor = last(await told(source)).cursor
    await world.gone()
    for start in (None, cursor):
        with pytest.raises(SourceError):
            await told(source, start)


async def test_an_option_that_is_not_known_is_refused(world: World) -> None:
    with pytest.raises(SourceError, match="no_such_option"):
        load_source(
            world.kind, world.location, {**world.options, "no_such_option": "x"}, kinds=world.kinds
        )


# secrets


async def test_secrets_show_nowhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source = world.source()
    changes = await told(source)
    shown = [repr(source), str(source), source.location, source.kind, repr(changes)]
    await world.gone()
    try:
        await told(source)
    except SourceError as error:
        shown += [*_chain(error)]
    shown += [f"{r.getMessage()} {r.args} {r.exc_text}" for r in caplog.records]
    for secret in world.secrets.values():
        assert not any(secret in text for text in shown)


def _chain(error: BaseException | None) -> list[str]:
    found = []
    while error is not None:
        found += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return found


async def test_a_secret_in_clear_is_refused_without_repeating_it(world: World) -> None:
    for name in world.kinds[world.kind].secrets:
        with pytest.raises(SourceError, match="env:") as refused:
            load_source(
                world.kind, world.location, {**world.options, name: "hunter2"}, kinds=world.kinds
            )
        assert "hunter2" not in str(refused.value)


# the whole way


async def test_the_index_keeps_in_step_with_it(world: World, database: Database) -> None:
    async def counted() -> tuple[int, ...]:
        report = await _sync(world, database)
        parts = (report.added, report.changed, report.removed, len(report.failed))
        settled = report.added + report.changed + report.unchanged
        assert report.seen == settled + len(report.failed) + len(report.skipped)
        return parts

    assert await counted() == (3, 0, 0, 0)
    assert await counted() == (0, 0, 0, 0)
    await world.put("beta", said("beta", 2))
    await world.put("delta", said("delta"))
    await world.remove("alpha")
    assert await counted() == (1, 1, 1, 0)
    assert await counted() == (0, 0, 0, 0)


async def _sync(world: World, database: Database) -> Report:
    registered = await register_source(
        database,
        name="world",
        kind=world.kind,
        location=world.location,
        principals=["everyone"],
        options=world.options,
    )
    policy = [(HashingEmbedder(), lambda _language: True)]
    return await sync(registered, world.source(), database, policy, width_tokens=60)


# the kinds


def test_every_kind_has_a_world() -> None:
    assert KINDS.keys() <= {world.kind for world in WORLDS.values()}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SourceError, match="Known kinds"):
        load_source("wiki", "somewhere")
