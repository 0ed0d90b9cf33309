"""What a server's answer makes of a page: a document to be, or a reason why not."""

import asyncio
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from yarl import URL

from knowledge.fetch import Response
from knowledge.parsing.web import WEB_PAGE
from knowledge.sources.files import MEDIA_TYPES
from knowledge.sources.web.memory import Visit
from knowledge.sources.web.page import RobotsPage, header_rules, moment, read_page
from knowledge.sources.web.scope import Scope

_HTML = {"text/html", "application/xhtml+xml"}
_SILENT = {"", "application/octet-stream", "binary/octet-stream", "application/force-download"}
_READ = {kind for kind in MEDIA_TYPES.values() if not kind.startswith("image/")}
_LARGEST_PAGE_BYTES = 10 * 2**20  # of HTML, which is held until it is indexed


@dataclass(frozen=True, slots=True)
class Content:
    """A page's type as the server says it."""

    kind: str
    charset: str | None

    @property
    def is_html(self) -> bool:
        """Whether it is a page with links."""
        return self.kind in _HTML

    @property
    def media_type(self) -> str | None:
        """For the parser; None: it is of a type that is not read."""
        if self.is_html:
            return f"{WEB_PAGE}; charset={self.charset}" if self.charset else WEB_PAGE
        return self.kind if self.kind in _READ else None


def content_of(response: Response) -> Content:
    """The type of a body, by its header, or else by how its address ends."""
    kind, *parameters = response.headers.get("Content-Type", "").split(";")
    kind = kind.strip().lower()
    path = URL(response.url).path
    if kind in _SILENT or (kind == "text/plain" and path.lower().endswith((".md", ".csv", ".tsv"))):
        suffix = path[path.rfind(".") :].lower() if "." in path else ""
        kind = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(path)[0] or kind
    said = dict(part.strip().lower().partition("=")[::2] for part in parameters)
    charset = said.get("charset", "").strip("\"' ")
    return Content(kind, charset or None)


async def visited(
    response: Response, content: Content, scope: Scope, *, run: int, lastmod: str | None
) -> Visit:
    """What is to be remembered of a page that came."""
    headers = response.headers
    page = RobotsPage()
    fingerprint = _version(response)
    if content.is_html:
        page = await asyncio.to_thread(read_page, response.body, response.url, content.charset)
        fingerprint = hashlib.sha256(response.body).hexdigest()[:32]
    rules = header_rules(headers.get("X-Robots-Tag", ""))
    links = () if rules & {"nofollow", "none"} else page.links
    canonical = scope.key(page.canonical, response.url) if page.canonical else None
    return Visit(
        at=datetime.now(UTC),
        run=run,
        media_type=content.media_type or content.kind,
        fingerprint=fingerprint,
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        lastmod=lastmod,
        modified_at=moment(lastmod or "") or page.modified_at or _changed(headers),
        canonical=canonical if canonical != response.url else None,
        noindex=page.noindex or bool(rules & {"noindex", "none"}),
        links=tuple(dict.fromkeys(filter(None, map(scope.key, links)))),
    )


def why_not(response: Response, content: Content) -> str | None:
    """Why a page is not taken; None: it is."""
    if response.status in {401, 403, 407}:
        return f"is not open to everyone (the server answers {response.status})"
    if response.status != 200:
        return f"cannot be had (the server answers {response.status})"
    if content.media_type is None:
        return f"is of a type that is not read ({content.kind or 'none is said'})"
    if len(response.body) > _LARGEST_PAGE_BYTES:
        return f"is larger than {_LARGEST_PAGE_BYTES // 2**20} MB"
    return None


def _version(response: Response) -> str | None:
    """Changes with the bytes, as far as the server says when they change."""
    headers = response.headers
    if not headers.get("ETag") and not headers.get("Last-Modified"):
        return None
    parts = (headers.get(name, "") for name in ("ETag", "Last-Modified", "Content-Length"))
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


def _changed(headers: Mapping[str, str]) -> datetime | None:
    try:
        found = parsedate_to_datetime(headers.get("Last-Modified", ""))
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
