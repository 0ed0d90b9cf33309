"""Syncing the named sources, for the command line and for the reindex job alike."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.assemble import load_embedders
from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.errors import SourceError
from knowledge.index import Embedders, Progress, Report, sync
from knowledge.languages import ENGLISH
from knowledge.settings import KnowledgeSettings
from knowledge.sources import load_source
from knowledge.sources.registered import RegisteredSource, register_source, registered_sources


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


async def add_folder(
    database: Database,
    location: str,
    *,
    name: str | None = None,
    principals: Iterable[str] = ("everyone",),
    base_url: str | None = None,
) -> RegisteredSource:
    """Name a folder as a source.

    Raises:
        SourceError: it is no folder, or the name is taken by another one.
    """
    folder = _existing_folder(location)
    return await register_source(
        database,
        name=name or folder.name,
        kind="folder",
        location=str(folder),
        principals=principals,
        options={"base_url": base_url} if base_url else {},
    )


def _existing_folder(location: str) -> Path:
    folder = Path(location).expanduser().resolve()
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder. Name one that exists.")
    return folder


async def index_sources(
    settings: KnowledgeSettings,
    database: Database,
    names: Sequence[str] | None = None,
    *,
    embedders: Sequence[Embedder] | None = None,
    progress: Callable[[str, Progress], None] | None = None,
) -> list[Indexed]:
    """Sync the named sources, or all of them, one after the other.

    Raises:
        SourceError: a name is unknown, or a source cannot be read at all.
    """
    sources = await registered_sources(database)
    unknown = set(names or ()) - {source.name for source in sources}
    if unknown:
        known = ", ".join(source.name for source in sources) or "none yet"
        raise SourceError(f"There is no source {', '.join(sorted(unknown))}. Known: {known}.")
    wanted = [source for source in sources if names is None or source.name in names]
    if not wanted:
        return []
    models = policy(embedders or await load_embedders(settings))
    return [
        Indexed(
            source.name,
            await sync(
                source,
                load_source(source.kind, source.location, source.options),
                database,
                models,
                width_tokens=settings.chunk_width_tokens,
                progress=_named(source.name, progress),
            ),
        )
        for source in wanted
    ]


def _named(
    source: str, progress: Callable[[str, Progress], None] | None
) -> Callable[[Progress], None] | None:
    return None if progress is None else lambda step: progress(source, step)
