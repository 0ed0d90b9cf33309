"""Which kind of source a location is of, where that is certain, and what to call it."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from knowledge.errors import SourceError
from knowledge.sources.kind import Kind

# The first that fits. A plain https:// address may be a site, a wiki or a file: nothing is certain.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("git", r"(git|ssh|git\+ssh)://|[\w.-]+@[\w.-]+:(?!//)|https?://.+\.git/?$"),
    (
        "fsspec",
        r"(s3|s3a|gs|gcs|abfs|abfss|az|sftp|ftp|file|memory|zip|tar)://|(zip|tar)::",
    ),
    ("confluence", r"https://[\w-]+\.atlassian\.net/wiki(/|$)"),
    ("notion", r"https://(www\.)?notion\.(so|com)(/|$)"),
    ("sharepoint", r"https://[\w-]+\.sharepoint\.com(/|$)"),
    ("google_drive", r"https://drive\.google\.com(/|$)"),
)

PATHS = frozenset({"folder", "git", "fsspec"})
"""Kinds whose location may be a path; with others a folder of that name means nothing."""


def recognised(location: str, kinds: Mapping[str, Kind]) -> str:
    """The kind of a location. Raises SourceError where it is not certain: --kind must say it."""
    path = Path(location).expanduser()
    if "://" not in location and path.exists():
        return "git" if _bare_repository(path) else "folder"
    for kind, pattern in _PATTERNS:
        if kind in kinds and re.match(pattern, location, re.IGNORECASE):
            return kind
    if "://" not in location:
        raise SourceError(f"There is no file or folder {location}. Check the path, or say --kind.")
    raise SourceError(
        f"What {location} is cannot be told from its address: add --kind with one of "
        f"{', '.join(sorted(kinds))}."
    )


def _bare_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir()


def settled(location: str) -> str:
    """A location as it is stored: paths whole, so that it means the same in any folder."""
    path = Path(location).expanduser()
    return str(path.resolve()) if "://" not in location and path.exists() else location


def name_of(location: str) -> str:
    """What a location's last part calls it: a folder's, a repository's, a host's name."""
    parts = urlsplit(location if "://" in location else f"place:{location}")
    last = PurePosixPath(unquote(parts.path).rstrip("/")).name.removesuffix(".git")
    return last or parts.hostname or location
