"""Where documents come from: one file a kind, one protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.folder import FolderSource
from knowledge.sources.source import (
    Change,
    Checkpoint,
    Removed,
    Skipped,
    Source,
    SourceDocument,
)

__all__ = [
    "Change",
    "Checkpoint",
    "FolderSource",
    "Removed",
    "Skipped",
    "Source",
    "SourceDocument",
    "load_source",
]


def load_source(kind: str, location: str, options: Mapping[str, Any] | None = None) -> Source:
    """Make a source of a known kind; `options` are the kind's own (folder: base_url).

    Raises:
        SourceError: the kind or an option is unknown, or there is nothing at the location.
    """
    given = dict(options or {})
    if kind != "folder":
        raise SourceError(f"There is no source kind {kind!r}. Known kinds: folder.")
    path = Path(location).expanduser()
    if not path.exists():
        raise SourceError(f"There is no file or folder {location}. Check the path.")
    base_url = given.pop("base_url", None)
    if given:
        raise SourceError(f"A folder has no option {', '.join(sorted(given))}. It has: base_url.")
    return FolderSource(str(path.resolve()), base_url=base_url)
