"""A place as fsspec sees it: every call in a thread, bounded in time, with errors in our words."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.files import LARGEST_BYTES

Info = Mapping[str, Any]
_SECONDS = 600.0  # for one call: a listing of a very large folder
_TRIES = 3
_LONGEST_WAIT_SECONDS = 60.0
_BUSY = {429, 500, 502, 503, 504}
_REFUSED = {401, 403, 404, 407, 410}


@dataclass(slots=True)
class Place:
    """The file system behind a location, opened when it is first needed."""

    location: str
    storage: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """fsspec's options by protocol."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    root: str = ""
    """Where it begins, as fsspec writes it; known once it is open."""
    _fs: Any = field(default=None, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Libraries without an event loop of their own take one call at a time."""

    async def ls(self, path: str) -> list[Info]:
        """What is in a folder. Raises SourceError; PermissionError: this folder is refused."""
        found: list[Info] = await self._patiently(lambda fs: list(fs.ls(path, detail=True)))
        return found

    async def page(self, address: str) -> bytes:
        """A page that lists files. Raises as `ls` does."""
        found: bytes = await self._patiently(lambda fs: _read(fs, address))
        return found

    async def info(self, path: str) -> Info:
        """What is known of a file or folder. Raises as `ls` does."""
        found: Info = await self._patiently(lambda fs: fs.info(path))
        return found

    async def read(self, path: str) -> bytes:
        """A file's bytes. Raises SourceError: it is gone, refused, or too large."""
        try:
            raw: bytes = await self._patiently(lambda fs: _read(fs, path))
        except PermissionError as error:
            raise SourceError(f"cannot be read: {error}. Check that it is still there.") from error
        if len(raw) > LARGEST_BYTES:
            raise SourceError(f"is larger than {LARGEST_BYTES // 2**20} MB.")
        return raw

    async def open(self) -> Any:
        """Connect, where that has not been done. Raises SourceError."""
        fs = self._fs
        if fs is None:
            fs, self.root = await self._call(self._opened)
            self._fs = fs
        return fs

    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        storage = {
            name: {**options, "skip_instance_cache": True} for name, options in self.storage.items()
        }
        fs, root = url_to_fs(self.location, **storage)
        return fs, str(root)

    async def _patiently(self, call: Callable[[Any], Any]) -> Any:
        for attempt in range(_TRIES):
            fs = await self.open()
            try:
                return await self._call(call, fs)
            except _BusyError as error:
                if attempt + 1 == _TRIES:
                    raise self._explained(error.reason) from None
                await asyncio.sleep(max(error.seconds, 0.5 * 2**attempt))
                self._fs = None  # connections that broke are made anew
        raise AssertionError("a last try returns or raises")

    async def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """In a thread. What is raised here has no cause: libraries quote addresses and keys."""
        fs = arguments[0] if arguments else None
        try:
            async with asyncio.timeout(_SECONDS):
                if fs is not None and getattr(fs, "async_impl", False):
                    return await asyncio.to_thread(call, *arguments)
                async with self._turn:
                    return await asyncio.to_thread(call, *arguments)
        except Exception as error:  # noqa: BLE001 - each library has errors of its own
            raised = self._translated(error, opened=fs is not None)
        raise raised

    def _translated(self, error: Exception, *, opened: bool) -> Exception:
        reason = self._scrubbed(error)
        status = _status(error)
        if opened and ((isinstance(error, OSError) and _is_refusal(error)) or status in _REFUSED):
            return PermissionError(reason)
        seconds = _asked_seconds(error)
        if opened and seconds <= _LONGEST_WAIT_SECONDS and _is_passing(error, status):
            return _BusyError(reason, seconds)
        return self._explained(reason)

    def _explained(self, reason: str) -> SourceError:
        return SourceError(
            f"{self.location} cannot be read: {reason}. Check the address, the network and the "
            "credentials, then index again; nothing was removed from the index."
        )

    def refused(self, error: PermissionError) -> SourceError:
        """The whole place is not there, or not for us."""
        return self._explained(str(error))

    def _scrubbed(self, error: Exception) -> str:
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, FileNotFoundError):
            said = "there is nothing at this address"
        elif isinstance(error, TimeoutError):
            said = "it did not answer in time"
        for secret in self.secrets:
            said = said.replace(secret, "***")
        return said[:300].rstrip(".")


class _BusyError(Exception):
    """It may work in a moment. (Seen by nobody outside.)"""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


def _read(fs: Any, path: str) -> bytes:
    if "http" in fs.protocol:
        with fs.open(path, "rb", block_size=0, size=1) as file:
            return _bounded(file)
    with fs.open(path, "rb") as file:
        return _bounded(file)


def _bounded(file: Any) -> bytes:
    """No more than is needed to see that it is too large."""
    parts, left = [], LARGEST_BYTES + 1
    while left > 0 and (part := file.read(min(left, 4 * 2**20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _is_refusal(error: OSError) -> bool:
    return isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError)


def _status(error: Exception) -> int | None:
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int):
            return value
    return None


def _is_passing(error: Exception, status: int | None) -> bool:
    if isinstance(error, OSError) and error.errno is None:  # paramiko's "Socket is closed"
        return True
    ssh = sys.modules.get("paramiko")  # loaded only where it is used
    if ssh and isinstance(error, ssh.SSHException):  # "Server connection dropped", once connected
        return True
    return status in _BUSY or isinstance(error, ConnectionError | TimeoutError | EOFError)


def _asked_seconds(error: Exception) -> float:
    headers = getattr(error, "headers", None) or {}
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except (AttributeError, TypeError, ValueError):
        return 0.0
