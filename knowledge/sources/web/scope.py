"""Which addresses belong to a site, and how each is written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from yarl import URL

from knowledge.errors import SourceError

_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|_ga")
_LONGEST = 2000  # characters; longer ones are traps


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a site that is read."""

    origin: URL
    prefix: str
    """The path that all addresses begin with."""
    include: Sequence[str] = ()
    """Patterns (`*` and `?`) of paths; empty: all."""
    exclude: Sequence[str] = ()

    def key(self, url: str, base: str | None = None) -> str | None:
        """The one way in which an address of this site is written; None: it is not of this site."""
        try:
            found = normal(URL(base).join(URL(url.strip())) if base else URL(url.strip()))
        except ValueError:
            return None
        if found.scheme not in {"http", "https"} or found.origin() != self.origin:
            return None
        return str(found) if len(str(found)) <= _LONGEST and self._holds(found) else None

    def moved(self, target: URL) -> "Scope":
        """The same part where the site has moved to. Raises SourceError: it is another site."""
        if target.scheme not in {"http", "https"} or not _same_site(self.origin, target):
            raise SourceError(
                f"{self.origin} leads to {target}, which is another site. If that is the one you "
                "mean, name its address."
            )
        return replace(self, origin=target.origin())

    def _holds(self, url: URL) -> bool:
        path = url.raw_path_qs
        if not url.raw_path.startswith(self.prefix):
            return False
        if any(fnmatchcase(path, pattern) for pattern in self.exclude):
            return False
        return not self.include or any(fnmatchcase(path, pattern) for pattern in self.include)


def normal(url: URL) -> URL:
    """`url` without its fragment and what only tells where a visitor came from."""
    url = url.with_fragment(None)
    if url.user is not None or url.password is not None:
        raise ValueError("an address with a name or password")
    told = [name for name in url.query if _TRACKING.fullmatch(name)]
    url = url.without_query_params(*told) if told else url
    if url.host and url.host.endswith("."):
        url = url.with_host(url.host.rstrip("."))
    return url if url.raw_path else url.with_path("/")


def _same_site(origin: URL, target: URL) -> bool:
    """Whether only the scheme or a "www." differs, at the standard ports."""
    hosts = {str(url.host).removeprefix("www.") for url in (origin, target)}
    moved_ports = origin.port != target.port
    return len(hosts) == 1 and (not moved_ports or {origin.port, target.port} == {80, 443})
