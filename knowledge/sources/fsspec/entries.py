"""What the file systems' own words for a file come to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin

from knowledge.sources.moments import moment_of

_VERSIONS = ("md5Hash", "ETag", "etag")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modify", "Last-Modified")
_SETTLED = timedelta(minutes=1)
"""Times are often whole seconds, so a file may change without its time soon after a change."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder of a place."""

    name: str
    path: str
    """What fsspec calls it."""
    folder: bool
    file: bool
    info: Mapping[str, Any]

    @property
    def size_bytes(self) -> int | None:
        """The size, where it is known."""
        size = self.info.get("size")
        return int(size) if isinstance(size, int) else None

    @property
    def modified_at(self) -> datetime | None:
        """When it was last written, where that is known."""
        return next((t for n in _TIMES if (t := _moment(self.info.get(n)))), None)

    def fingerprint(self, now: datetime) -> str | None:
        """The place's own version; else time and size, once the time lies back a little."""
        version = next((self.info[n] for n in _VERSIONS if self.info.get(n)), None)
        if version:
            return str(version)
        if self.info.get("CRC") is not None:
            return f"{self.info['CRC']:08x}-{self.size_bytes}"
        written = self.modified_at
        if written is None or self.size_bytes is None or now - written < _SETTLED:
            return None
        return f"{written.isoformat()}-{self.size_bytes}"


def entries_in(folder: str, infos: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """What stands directly in a folder, in the order of the names."""
    base = folder.strip("/")
    found: dict[str, Entry] = {}
    for info in infos:
        path = str(info["name"])
        name = path.strip("/")
        name = name.removeprefix(f"{base}/") if base and name != base else name
        if name == base or not name:  # object stores keep an empty object for a folder
            continue
        kind = "link" if info.get("islink") else info.get("type")
        found[name] = Entry(name, path, kind == "directory", kind == "file", info)
    return _sorted(found.values())


def entries_of_listing(folder: str, page: bytes) -> list[Entry]:
    """The same from the links of a page: only those that lead below its address."""
    links = _Links()
    links.feed(page.decode("utf-8", "replace"))
    found: dict[str, Entry] = {}
    for link in links.found:
        below = _below(folder, link)
        first, slash, _ = below.partition("/")
        name = unquote(first)
        if not name or "/" in name or name in {".", ".."}:
            continue
        if name not in found or slash:
            found[name] = Entry(name, f"{folder}{first}{slash}", bool(slash), not slash, {})
    return _sorted(found.values())


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _below(folder: str, link: str) -> str:
    """A link's path below the folder's address; empty where it leads elsewhere."""
    try:
        whole = urljoin(folder, link)
    except ValueError:
        return ""
    if "?" in whole or "#" in whole:  # the same page in another order
        return ""
    return whole.removeprefix(folder) if whole.startswith(folder) else ""


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.name)


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return moment_of(value)
