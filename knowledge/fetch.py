"""Gets what stands at an address that a document or a web page has named.

Such an address may lead anywhere, so: http and https only; every address that a name stands for
must be public (`knowledge.addresses`), and the connection goes to just the address that was
checked; ports 80 and 443; redirects are followed by hand and each is checked like the first; size
(also unpacked) and time have an end; no credentials, cookies or proxies of the environment.
An administrator may allow further places as "host:port".
"""

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from knowledge.addresses import why_refused
from knowledge.errors import AddressRefusedError, FetchError, ResponseTooLargeError

USER_AGENT = f"Lorewise/{version('lorewise')}"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)")
_REDIRECTS = {301, 302, 303, 307, 308}
_ACROSS_ORIGINS = {"accept", "accept-language"}
_CONDITIONS = {"if-none-match", "if-modified-since"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where patience with a foreign server ends."""

    bytes: int = 50 * 2**20
    """Of a body, as it comes and unpacked."""
    seconds: float = 60.0
    """For everything, redirects included."""
    silence_seconds: float = 20.0
    """Until a connection stands, and between two pieces of a body."""
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Response:
    """What a server said."""

    url: str
    """The address that was asked last."""
    status: int
    headers: Mapping[str, str]
    """By name, in whatever case; what came more than once is joined by commas."""
    body: bytes = b""
    """Unpacked; empty where it was not wanted."""
    redirect: str | None = None
    """Where a redirect that was not followed leads."""


Wanted = Callable[[Response], bool]
"""Looks at a response without its body, and says whether the body is to be read."""


@dataclass(slots=True)
class Fetcher:
    """Gets pages; one for many, since it keeps connections. Use it as `async with`."""

    allowed: Iterable[str] = ()
    """Places as "host:port" that may be asked though they are not public. A host that is an IP
    address allows each name that stands for it."""
    limits: Limits = field(default_factory=Limits)
    resolver: AbstractResolver | None = None
    tls: ssl.SSLContext | None = None
    user_agent: str = USER_AGENT
    _door: "_Door" = field(init=False)
    _session: aiohttp.ClientSession | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Read the allowed places. Raises FetchError: one is not "host:port"."""
        self._door = _Door(frozenset(_place(text) for text in self.allowed), self.resolver)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session:
            await session.close()

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
        wanted: Wanted | None = None,
    ) -> Response:
        """Ask for `url`, following redirects unless told otherwise. Any status is a response.

        Raises:
            AddressRefusedError: it leads to where nobody may be sent. ResponseTooLargeError: the
            body is larger than the limit. FetchError: no or a broken answer.
        """
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self._follow(_parsed(url), CIMultiDict(headers or {}), follow, wanted)
        except TimeoutError as error:
            raise FetchError(f"{url} did not answer within {self.limits.seconds:g} s.") from error
        except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise FetchError(f"{url} cannot be fetched: {what}.") from error

    async def _follow(
        self, url: URL, headers: CIMultiDict[str], follow: bool, wanted: Wanted | None
    ) -> Response:
        for _ in range(self.limits.redirects + 1):
            response = await self._one(url, headers, wanted)
            if response.redirect is None or not follow:
                return response
            target = _parsed(response.redirect)
            headers = _carried(headers, same_origin=target.origin() == url.origin())
            url = target
        raise FetchError(f"{url} was reached by more than {self.limits.redirects} redirects.")

    async def _one(self, url: URL, headers: CIMultiDict[str], wanted: Wanted | None) -> Response:
        self._door.check(url)
        async with self._opened().get(url, headers=headers, allow_redirects=False) as raw:
            response = Response(str(url), raw.status, _headers(raw), redirect=_target(raw))
            if response.redirect is None and (wanted is None or wanted(response)):
                body = await self._body(raw)
                return Response(response.url, response.status, response.headers, body)
            raw.close()  # with what is left of the body
            return response

    async def _body(self, raw: aiohttp.ClientResponse) -> bytes:
        if (raw.content_length or 0) > self.limits.bytes:
            raise self._too_large(raw.url)
        body = bytearray()
        pieces = _unpacked(raw.content.iter_any(), raw.headers.get("Content-Encoding", ""))
        async for piece in pieces:
            body += piece
            if len(body) > self.limits.bytes:
                raise self._too_large(raw.url)
        return bytes(body)

    def _too_large(self, url: URL) -> ResponseTooLargeError:
        return ResponseTooLargeError(f"{url} is larger than {self.limits.bytes // 2**20} MB.")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._door,
                use_dns_cache=False,
                socket_factory=self._door.socket,
                ssl=self.tls or True,
            )
            patience = self.limits.silence_seconds
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,  # it would unpack a bomb before we count
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.user_agent, "Accept-Encoding": "gzip, deflate"},
                timeout=aiohttp.ClientTimeout(sock_connect=patience, sock_read=patience),
                trust_env=False,
            )
        return self._session


class _Door(AbstractResolver):
    """Resolves names, and makes sockets only to addresses that may be asked."""

    def __init__(
        self, allowed: frozenset[tuple[str, int]], resolver: AbstractResolver | None
    ) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._opened: set[tuple[str, int]] = set()  # what allowed names stand for

    def check(self, url: URL) -> None:
        """Refuse what can be seen to be wrong before anything is asked."""
        host, port = str(url.host), int(url.port or 0)
        if _is_address(host):  # no name, so `resolve` will not be asked
            self._check_address(host, port, host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of `host`; one that may not be asked refuses them all."""
        resolver = self._resolver or aiohttp.ThreadedResolver()
        found = await resolver.resolve(host, port, family)
        for each in found:
            if (host.rstrip(".").lower(), port) in self._allowed:
                self._opened.add((each["host"], port))
            else:
                self._check_address(each["host"], port, host)
        return found

    async def close(self) -> None:
        """Nothing is held."""

    def socket(self, info: Any) -> socket.socket:
        """The last look, at the very address that is connected to."""
        family, kind, protocol, _, place = info
        if (place[0], place[1]) not in self._opened:
            self._check_address(place[0], place[1], place[0])
        return socket.socket(family, kind, protocol)

    def _check_address(self, address: str, port: int, host: str) -> None:
        if (address, port) in self._allowed:
            return
        reason = why_refused(address)
        if reason is None and port not in _PORTS.values():
            reason = "a port other than 80 and 443"
        if reason:
            raise AddressRefusedError(
                f"{host}:{port} leads to {address} ({reason}), which is not fetched from. If it "
                f"is meant, an administrator may allow {host}:{port}."
            )


def _parsed(url: str) -> URL:
    """`url` with its host in its plain form. Raises AddressRefusedError."""
    try:
        parsed = URL(url).with_fragment(None)
        host = (parsed.raw_host or "").rstrip(".").lower()
        port = parsed.port
    except ValueError as error:
        raise AddressRefusedError(f"{url!r} is no address of a page ({error}).") from error
    if parsed.scheme not in _PORTS or not host or port is None:
        raise AddressRefusedError(f"{url!r} is not an address that begins with http or https.")
    if parsed.user is not None or parsed.password is not None:
        raise AddressRefusedError(
            f"The address at {host} holds a name or a password: leave it out."
        )
    if not _is_address(host) and (
        not _HOST.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2])
    ):
        raise AddressRefusedError(f"{host!r} is no plain name or address of a machine.")
    return parsed.with_host(host)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):  # unlike inet_aton, takes no odd spellings
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdecimal():
        raise FetchError(f"{text!r} is no place: write host:port, such as wiki.internal:443.")
    return host.strip("[]").rstrip(".").lower(), int(port)


def _target(raw: aiohttp.ClientResponse) -> str | None:
    location = raw.headers.get("Location")
    if raw.status not in _REDIRECTS or not location:
        return None
    return str(raw.url.join(URL(location)))


def _headers(raw: aiohttp.ClientResponse) -> Mapping[str, str]:
    return CIMultiDict((name, ", ".join(raw.headers.getall(name))) for name in set(raw.headers))


def _carried(headers: CIMultiDict[str], *, same_origin: bool) -> CIMultiDict[str]:
    """What goes along to a redirect's target: to another origin nothing that could be a secret."""
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _CONDITIONS and (same_origin or name.lower() in _ACROSS_ORIGINS)
    )


async def _unpacked(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """The body's bytes in pieces of a bounded size, however well they were packed."""
    coding = encoding.strip().lower()
    if coding in {"", "identity"}:
        async for piece in pieces:
            yield piece
        return
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise FetchError(f"The body is packed in a way that was not asked for ({encoding}).")
    packer, begun = zlib.decompressobj(wbits=47), False
    async for piece in pieces:
        if not begun and coding == "deflate" and piece[0] & 0x0F != zlib.DEFLATED:
            packer = zlib.decompressobj(wbits=-15)  # some servers leave zlib's head out
        begun = True
        yield packer.decompress(piece, 2**20)
        while packer.unconsumed_tail:
            yield packer.decompress(packer.unconsumed_tail, 2**20)
    if begun and not packer.eof:
        raise FetchError("The packed body broke off.")
