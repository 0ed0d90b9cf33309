"""Where documents come from: one file a kind, one protocol."""

from collections.abc import Mapping
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.confluence import CONFLUENCE
from knowledge.sources.folder import FOLDER, FolderSource
from knowledge.sources.fsspec import FSSPEC
from knowledge.sources.git import GIT
from knowledge.sources.github import GITHUB
from knowledge.sources.google_drive import GOOGLE_DRIVE
from knowledge.sources.jira import JIRA
from knowledge.sources.kind import Kind
from knowledge.sources.notion import NOTION
from knowledge.sources.sharepoint import SHAREPOINT
from knowledge.sources.source import (
    Change,
    Checkpoint,
    Removed,
    Retelling,
    Skipped,
    Source,
    SourceDocument,
)
from knowledge.sources.sql import SQL
from knowledge.sources.web import WEB

__all__ = [
    "KINDS",
    "Change",
    "Checkpoint",
    "FolderSource",
    "Kind",
    "Removed",
    "Retelling",
    "Skipped",
    "Source",
    "SourceDocument",
    "known_kind",
    "load_source",
]


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        CONFLUENCE,
        FOLDER,
        FSSPEC,
        GIT,
        GITHUB,
        GOOGLE_DRIVE,
        JIRA,
        NOTION,
        SHAREPOINT,
        SQL,
        WEB,
    )
}


def load_source(
    kind: str,
    location: str,
    options: Mapping[str, Any] | None = None,
    *,
    kinds: Mapping[str, Kind] = KINDS,
) -> Source:
    """Make a source of a known kind; `options` are the kind's own.

    Raises:
        SourceError: the kind or an option is unknown, or there is nothing at the location.
    """
    return known_kind(kind, kinds).load(location, options or {})


def known_kind(name: str, kinds: Mapping[str, Kind] = KINDS) -> Kind:
    """The kind of a name. Raises SourceError: there is none."""
    if name not in kinds:
        raise SourceError(f"There is no source kind {name!r}. Known kinds: {', '.join(kinds)}.")
    return kinds[name]
