"""The files of a repository at a branch's head."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.files import MEDIA_TYPES, why_not_taken
from knowledge.sources.github.api import GitHub, Json, NotThereError
from knowledge.sources.source import Removed, Skipped, SourceDocument

_LFS = b"version https://git-lfs.github.com/spec/"
_LINK = "120000"  # the mode of a symbolic link

Blob = Callable[[str], Awaitable[bytes]]
Files = Mapping[str, Json]
"""What a tree says of each file, by path."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are, for keys and addresses."""

    name: str
    """The repository: owner/name."""
    url: str
    branch: str
    patterns: tuple[str, ...] = ()
    principals: frozenset[str] | None = None


async def head(api: GitHub, name: str, branch: str) -> str | None:
    """The id of the tree at a branch's head; None: the repository is empty."""
    try:
        found = await api.one(f"/repos/{name}/branches/{quote(branch, safe='')}")
    except NotThereError:
        return None
    return str(found["commit"]["commit"]["tree"]["sha"])


async def tree(api: GitHub, name: str, sha: str) -> Files:
    """All files of a tree. Raises NotThereError: there is no such tree (any more)."""
    whole = await api.one(f"/repos/{name}/git/trees/{sha}?recursive=1")
    if not whole["truncated"]:
        return {item["path"]: item for item in whole["tree"] if item["type"] != "tree"}
    return {item["path"]: item async for item in _walked(api, name, sha, "")}


async def _walked(api: GitHub, name: str, sha: str, folder: str) -> AsyncIterator[Json]:
    """Folder by folder, where the whole tree is too large for one answer."""
    for item in (await api.one(f"/repos/{name}/git/trees/{sha}"))["tree"]:
        path = f"{folder}{item['path']}"
        if item["type"] != "tree":
            yield {**item, "path": path}
            continue
        async for below in _walked(api, name, item["sha"], f"{path}/"):
            yield below


def told(place: Place, files: Files, before: Files, load: Blob) -> list[Any]:
    """The documents among the files that are not as before, and what is gone since."""
    changes: list[SourceDocument | Skipped | Removed] = [
        _file(place, path, item, load)
        for path, item in sorted(files.items())
        if before.get(path, {}).get("sha") != item["sha"]
    ]
    gone = sorted(before.keys() - files.keys())
    return changes + [Removed(key(place, path)) for path in gone]


def now(place: Place, files: Files, path: str, load: Blob) -> SourceDocument | Skipped | Removed:
    """One file as it is."""
    if path not in files:
        return Removed(key(place, path))
    return _file(place, path, files[path], load)


def key(place: Place, path: str) -> str:
    """A file's key."""
    return f"{place.name}/{path}"


def _file(place: Place, path: str, item: Json, load: Blob) -> SourceDocument | Skipped:
    reason = _why_not(place, path, item)
    if reason:
        return Skipped(key(place, path), reason)
    return SourceDocument(
        key=key(place, path),
        media_type=MEDIA_TYPES[PurePosixPath(path).suffix.lower()],
        load=partial(load, item["sha"]),
        url=f"{place.url}/blob/{quote(place.branch)}/{quote(path)}",
        principals=place.principals,
        fingerprint=item["sha"],
    )


def _why_not(place: Place, path: str, item: Json) -> str | None:
    if item["type"] == "commit":
        return "is another repository (a submodule)"
    if item["mode"] == _LINK:
        return "is a link"
    return _why_not_read(place, path, int(item.get("size") or 0))


def _why_not_read(place: Place, path: str, size: int) -> str | None:
    if any(part.startswith(".") for part in PurePosixPath(path).parts):
        return "is hidden"
    if place.patterns and not any(fnmatchcase(path, pattern) for pattern in place.patterns):
        return "is left out by the option paths"
    return why_not_taken(PurePosixPath(path), size)


async def blob(api: GitHub, name: str, sha: str) -> bytes:
    """The bytes of a file. Raises SourceError."""
    try:
        found = await api.one(f"/repos/{name}/git/blobs/{sha}")
    except NotThereError as error:
        raise SourceError("is no longer in the repository: index again.") from error
    raw = base64.b64decode(found["content"])
    if raw.startswith(_LFS):
        raise SourceError("is kept in Git LFS, which is not read: use the kind git, or upload it.")
    return raw
