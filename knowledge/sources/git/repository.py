"""A bare copy of one branch, without its history, in a folder that may be deleted at any time."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from filelock import AsyncFileLock

from knowledge.errors import SourceError
from knowledge.sources.git.binary import Git

TIP = "refs/lorewise/tip"
_FILES = {"100644", "100755", "100664"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit, or, without an object, one that is gone since another commit."""

    path: PurePosixPath
    mode: str
    object: str
    size_bytes: int | None

    @property
    def is_file(self) -> bool:
        """Neither a link nor a repository within the repository."""
        return self.mode in _FILES


def copy_of(location: str, branch: str | None) -> Path:
    """Where the copy of a branch stands: the user's cache, or a folder for temporary files."""
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache else Path.home() / ".cache"
    if not os.access(base if base.exists() else base.parent, os.W_OK):
        base = Path(tempfile.gettempdir())
    name = hashlib.sha256(f"{location}\n{branch or ''}".encode()).hexdigest()[:24]
    return base / "lorewise" / "git" / name


class Repository:
    """Reads one branch through the git binary."""

    def __init__(self, git: Git, branch: str | None) -> None:
        self._git, self._branch = git, branch

    async def fetch(self) -> str:
        """Bring the copy up to date; gives the commit. Raises SourceError."""
        async with self._alone():
            if not (self._git.folder / "HEAD").exists():
                await self._git.run("init", "--quiet", "--bare", str(self._git.folder))
            wanted = f"refs/heads/{self._branch}" if self._branch else "HEAD"
            await self._fetch(f"+{wanted}:{TIP}")
            found = await self._git.run("rev-parse", "--verify", f"{TIP}^{{commit}}")
        return found.decode().strip()

    async def has(self, commit: str) -> bool:
        """Whether a commit can be compared with; asks the place for it where it is not here."""
        try:
            await self._git.run("cat-file", "-e", f"{commit}^{{tree}}")
        except SourceError:
            try:
                async with self._alone():
                    await self._fetch(commit)
                await self._git.run("cat-file", "-e", f"{commit}^{{tree}}")
            except SourceError:
                return False
        return True

    async def _fetch(self, wanted: str) -> None:
        options = ("--quiet", "--no-tags", "--depth=1", "--force", "--no-write-fetch-head")
        await self._git.run("fetch", *options, "--end-of-options", self._git.location, wanted)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Two sources may have a copy in common."""
        folder = self._git.folder
        await asyncio.to_thread(folder.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        async with AsyncFileLock(f"{folder}.lock", run_in_executor=False):
            yield

    async def when(self, commit: str) -> datetime:
        """When a commit was made."""
        said = await self._git.run("show", "--no-patch", "--format=%ct", commit)
        return datetime.fromtimestamp(int(said), UTC)

    async def files(self, commit: str, folder: str) -> list[Entry]:
        """Everything under a folder, in the order of the paths."""
        options = ("-r", "-z", "-l", "--full-tree")
        listed = await self._git.run("ls-tree", *options, commit, "--", *_only(folder))
        return [_listed(line) for line in listed.split(b"\0") if line]

    async def some_files(self, commit: str, paths: Sequence[str]) -> list[Entry]:
        """Those of these files that there are."""
        options = ("-r", "-z", "-l", "--full-tree")
        only = [part for path in paths for part in _only(path)]
        listed = await self._git.run("ls-tree", *options, commit, "--", *only)
        return [_listed(line) for line in listed.split(b"\0") if line]

    async def changed(self, old: str, new: str, folder: str) -> list[Entry]:
        """What differs between two commits; a renamed file is one gone and one new."""
        options = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev")
        raw = await self._git.run("diff-tree", *options, old, new, "--", *_only(folder))
        parts = raw.split(b"\0")[:-1]
        entries = [
            _differing(head.decode(), path)
            for head, path in zip(parts[::2], parts[1::2], strict=True)
        ]
        return await self._sized(entries)

    async def _sized(self, entries: Sequence[Entry]) -> list[Entry]:
        objects = [entry.object for entry in entries if entry.is_file]
        asked = "".join(f"{one}\n" for one in objects).encode()
        found = await self._git.run("cat-file", "--batch-check=%(objectsize)", stdin=asked)
        sizes = dict(zip(objects, found.split(), strict=True))
        return [
            Entry(e.path, e.mode, e.object, int(sizes[e.object])) if e.is_file else e
            for e in entries
        ]

    async def content(self, blob: str) -> bytes:
        """The bytes of a file. Raises SourceError."""
        return await self._git.run("cat-file", "blob", blob)


def checked_branch(branch: str) -> str:
    """A branch that git may be given. Raises SourceError."""
    if not re.fullmatch(r"(?![-/])[^\s\\~^:?*\[\x00-\x1f]+", branch) or ".." in branch:
        raise SourceError(f"{branch!r} is not the name of a branch.")
    return branch


def _only(folder: str) -> Sequence[str]:
    return [f":(literal){folder}"] if folder else []


def _path(raw: bytes) -> PurePosixPath:
    return PurePosixPath(raw.decode("utf-8", "surrogateescape"))


def _listed(line: bytes) -> Entry:
    head, _, path = line.partition(b"\t")
    mode, _, name, size = head.decode().split()
    return Entry(_path(path), mode, name, int(size) if size.isdigit() else None)


def _differing(head: str, path: bytes) -> Entry:
    _, mode, _, name, _ = head.removeprefix(":").split()
    return Entry(_path(path), mode, name, None)
