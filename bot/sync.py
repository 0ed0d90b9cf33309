"""Syncing the named sources, for the command line and for the reindex job alike."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from knowledge.assemble import load_summariser, open_live_embedders
from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.errors import SourceBusyError, SourceError
from knowledge.index import Embedders, Progress, Report, sync
from knowledge.languages import ENGLISH
from knowledge.live import LiveEmbedders
from knowledge.rebuild import Rebuilt, rebuild
from knowledge.roster import drop_retired, indexing
from knowledge.settings import KnowledgeSettings
from knowledge.sources import KINDS, Kind, load_source
from knowledge.sources.recognised import PATHS, name_of, recognised, settled
from knowledge.sources.registered import (
    RegisteredSource,
    note_failed_run,
    register_source,
    registered_sources,
)
from knowledge.summariser import Summarise
from knowledge.upkeep import keep_up

VECTORS = "vectors of the new embedding model"  # as progress names them, beside the sources


@dataclass(frozen=True, slots=True)
class Indexed:
    """A source and what its run has done."""

    source: str
    report: Report


def policy(embedders: Sequence[Embedder]) -> Embedders:
    """English chunks get vectors of every embedder, the others only the multilingual one's.

    So an English question loses nothing to the multilingual model, and a question in another
    language finds English documents too.
    """
    *english, multilingual = embedders
    return [
        *((embedder, lambda language: language == ENGLISH) for embedder in english),
        (multilingual, lambda _: True),
    ]


async def add_source(
    database: Database,
    location: str,
    *,
    kind: str | None = None,
    name: str | None = None,
    principals: Iterable[str] = ("everyone",),
    options: Mapping[str, Any] | None = None,
    schedule: str = "",
    kinds: Mapping[str, Kind] = KINDS,
) -> RegisteredSource:
    """Name a place as a source; its kind is told from the location where that is certain.

    Raises:
        SourceError: it cannot be opened like that, or the name is taken by another place.
    """
    kind = kind or recognised(location, kinds)
    if kind in PATHS:
        location = settled(location)
    await asyncio.to_thread(_try, kind, location, options or {}, kinds)
    return await register_source(
        database,
        name=name or name_of(location),
        kind=kind,
        location=location,
        principals=principals,
        options=options,
        schedule=schedule,
    )


def _try(kind: str, location: str, options: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Open a source to see that it can be; of the bot's own kinds only the options are checked."""
    if kind in kinds and kind not in KINDS:
        kinds[kind].check(options)
    else:
        load_source(kind, location, options, kinds=kinds)


async def add_folder(
    database: Database,
    location: str,
    *,
    name: str | None = None,
    principals: Iterable[str] = ("everyone",),
    base_url: str | None = None,
) -> RegisteredSource:
    """Name a folder as a source. Raises SourceError, as `add_source` does."""
    options = {"base_url": base_url} if base_url else {}
    return await add_source(
        database, location, kind="folder", name=name, principals=principals, options=options
    )


async def named_source(
    database: Database, place: str, *, kinds: Mapping[str, Kind] = KINDS
) -> RegisteredSource:
    """The source of a name or location, as it was added; a new place is added for everyone.

    Raises:
        SourceError: there is no such source, and it cannot be added without saying more.
    """
    sources = await registered_sources(database)
    by_name = [source for source in sources if source.name == place]
    there = [source for source in sources if source.location in {place, settled(place)}]
    if by_name or there:
        return (by_name or there)[0]
    return await add_source(database, place, kinds=kinds)


async def index_sources(
    settings: KnowledgeSettings,
    database: Database,
    names: Sequence[str] | None = None,
    *,
    embedders: Sequence[Embedder] | None = None,
    progress: Callable[[str, Progress], None] | None = None,
    kinds: Mapping[str, Kind] = KINDS,
) -> list[Indexed]:
    """Sync the named sources, or all of them, one after the other.

    `kinds` are the kinds that are known: KINDS and those that only the bot can open.

    Raises:
        SourceError: a name is unknown, or a source cannot be read at all.
    """
    await drop_retired(database)
    sources = await registered_sources(database)
    unknown = set(names or ()) - {source.name for source in sources}
    if unknown:
        known = ", ".join(source.name for source in sources) or "none yet"
        raise SourceError(f"There is no source {', '.join(sorted(unknown))}. Known: {known}.")
    wanted = [source for source in sources if names is None or source.name in names]
    if not wanted:
        return []
    chosen = embedders or await open_live_embedders(settings, database)
    summariser = await load_summariser(settings)
    async with indexing(database), AsyncExitStack() as stack:
        if summariser:
            stack.push_async_callback(summariser.close)
        models = await models_of(chosen)
        indexed = [
            await _index(
                settings,
                database,
                source,
                kinds=kinds,
                models=models,
                summarise=summariser,
                progress=_named(source.name, progress),
            )
            for source in wanted
        ]
    await keep_up(database)
    return indexed


async def models_of(chosen: Sequence[Embedder]) -> Embedders:
    """Which models' vectors a run writes. Call it while holding `roster.indexing`."""
    return await chosen.prepare() if isinstance(chosen, LiveEmbedders) else policy(chosen)


async def _index(
    settings: KnowledgeSettings,
    database: Database,
    source: RegisteredSource,
    *,
    kinds: Mapping[str, Kind],
    models: Embedders,
    summarise: Summarise | None,
    progress: Callable[[Progress], None] | None,
) -> Indexed:
    try:
        opened = await asyncio.to_thread(
            load_source, source.kind, source.location, source.options, kinds=kinds
        )
        report = await sync(
            source,
            opened,
            database,
            models,
            width_tokens=settings.chunk_width_tokens,
            summarise=summarise,
            ocr_languages=settings.ocr_languages,
            progress=progress,
        )
    except SourceBusyError:
        raise
    except SourceError as error:
        await note_failed_run(database, source.id, str(error))
        raise
    return Indexed(source.name, report)


async def rebuild_vectors(
    database: Database,
    live: LiveEmbedders,
    *,
    progress: Callable[[str, Progress], None] | None = None,
) -> Rebuilt | None:
    """Build the vectors of the settings' models where they are others than the live ones, and swap.

    None: there was nothing to do.

    Raises:
        EmbeddingError: texts could not be embedded, or another process is at it.
    """
    async with indexing(database):
        await live.prepare()
    if not live.coming:
        return None
    rebuilt = await rebuild(database, live.coming, _named(VECTORS, progress))
    await live.refresh()
    return rebuilt


def _named(
    source: str, progress: Callable[[str, Progress], None] | None
) -> Callable[[Progress], None] | None:
    return None if progress is None else lambda step: progress(source, step)
