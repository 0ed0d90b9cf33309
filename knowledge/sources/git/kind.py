"""A branch of a Git repository as a source."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.files import media_type_of, not_entered, why_not_taken
from knowledge.sources.git.binary import Git, checked_location
from knowledge.sources.git.repository import Entry, Repository, checked_branch, copy_of
from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Change, Checkpoint, Removed, Skipped, SourceDocument

_GONE = "000000"
_LARGE_FILE_STORAGE = b"version https://git-lfs.github.com/spec/"
_ASKED_AT_ONCE = 200  # paths on one command line


@dataclass(frozen=True, slots=True)
class GitSource:
    """The files of a branch; a key is the path within the repository, a version the file's hash."""

    git: Git
    branch: str | None = None
    folder: str = ""
    url: str | None = None
    """With {path} and {branch}: where a file can be opened."""
    kind: str = "git"

    @property
    def location(self) -> str:
        """The repository's address."""
        return self.git.location

    @property
    def _repository(self) -> Repository:
        return Repository(self.git, self.branch)

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """What differs from the commit of the cursor; everything where that commit is gone."""
        repository = self._repository
        commit = await repository.fetch()
        old = str((cursor or {}).get("commit", ""))
        since = bool(old) and len(old) == len(commit) and await repository.has(old)
        if since:
            entries = await repository.changed(old, commit, self.folder)
            when = await repository.when(commit)
        else:
            entries = await repository.files(commit, self.folder)
            self._refuse_nothing(entries)
            when = None
        for change in self._told(entries, when):
            yield change
        yield Checkpoint({"commit": commit}, complete=not since)

    def _refuse_nothing(self, entries: Sequence[Entry]) -> None:
        if self.folder and not entries:
            raise SourceError(f"{self.location} has no folder {self.folder} in this branch.")

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """These files as they are now."""
        repository = self._repository
        commit = await repository.fetch()
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            some = keys[start : start + _ASKED_AT_ONCE]
            entries = await repository.some_files(commit, some)
            found = {change.key: change for change in self._told(entries, None)}
            for key in some:
                yield found.get(key) or Removed(key)

    def _told(
        self, entries: Sequence[Entry], when: datetime | None
    ) -> list[SourceDocument | Removed | Skipped]:
        told: dict[str, SourceDocument | Removed | Skipped] = {}
        for entry in entries:
            change = self._one(entry, when)
            told.setdefault(change.key, change)  # a folder that is not looked into comes once
        return list(told.values())

    def _one(self, entry: Entry, when: datetime | None) -> SourceDocument | Removed | Skipped:
        key = str(entry.path)
        if hidden := not_entered(entry.path):
            return Skipped(*hidden)
        if entry.mode == _GONE:
            return Removed(key)
        if not entry.is_file:
            return Skipped(key, "is a link or another repository")
        if reason := why_not_taken(entry.path, entry.size_bytes):
            return Skipped(key, reason)
        return SourceDocument(
            key=key,
            media_type=media_type_of(entry.path) or "",
            load=partial(self._load, entry.object),
            url=self._url(key),
            modified_at=when,
            fingerprint=entry.object,
        )

    def _url(self, key: str) -> str:
        if self.url is None:
            return key
        return self.url.format(path=quote(key), branch=quote(self.branch or "HEAD"))

    async def _load(self, blob: str) -> bytes:
        raw = await self._repository.content(blob)
        if raw.startswith(_LARGE_FILE_STORAGE):
            raise SourceError(
                "is in Git's large file storage, which is not read: commit it itself."
            )
        return raw


def _open(location: str, options: Options) -> GitSource:
    branch = options.get("branch")
    location = checked_location(location)
    git = Git(copy_of(location, branch), location)
    if options.get("token"):
        if not location.startswith(("https://", "http://")):
            raise SourceError("A token is for https:// addresses; for ssh give ssh_key.")
        git = replace(git, token=str(options["token"]))
    if options.get("user"):
        git = replace(git, user=str(options["user"]))
    if options.get("ssh_key"):
        git = replace(git, ssh_key=_key_file(str(options["ssh_key"])))
    return GitSource(
        git,
        branch=checked_branch(str(branch)) if branch else None,
        folder=str(options.get("folder", "")).strip("/"),
        url=_template(options.get("url")),
    )


def _key_file(path: str) -> str:
    if not Path(path).is_file() or any(c.isspace() or c in "'\"$`\\;&|" for c in path):
        raise SourceError(f"There is no key file {path}, or its path has characters of a shell.")
    return path


def _template(url: str | None) -> str | None:
    try:
        shown = None if url is None else url.format(path="path", branch="branch")
    except (KeyError, IndexError, ValueError) as error:
        raise SourceError("url may contain {path} and {branch} and no other braces.") from error
    if shown is not None and "{path}" not in str(url):
        raise SourceError("url must contain {path}, or every document has the same address.")
    return url


GIT = Kind(
    name="git",
    location="the URL of a Git repository (https, ssh), or the path of one",
    open=_open,
    options={
        "branch": "the branch; without it the repository's own choice (HEAD)",
        "folder": "only what is in this folder of the repository",
        "url": "where a file can be opened, with {path} and {branch}",
        "token": "an access token, for https",
        "user": "the name that goes with the token; x-access-token without it",
        "ssh_key": "the file of a private key, for ssh; without it the machine's own",
    },
    secrets=frozenset({"token"}),
)
