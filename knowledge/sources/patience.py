"""Requests to a vendor's API: as fast as the vendor allows, and again when it says so.

The waiting is done below the vendors' own libraries, in the HTTP client that they are given, so
that it is the same for all of them and its bounds are known.
"""

import asyncio
import functools
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from knowledge.errors import SourceError

logger = logging.getLogger(__name__)

Wait = Callable[[httpx.Response], float | None]
"""Seconds after which the request of this response is to be sent again; None: it is final."""

_BUSY = {429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request may take, all its tries together being bounded."""

    tries: int = 6
    tries_to_connect: int = 3
    first_wait_seconds: float = 0.5
    """Doubled for each further try; a longer wait that the vendor asks for is obeyed."""
    longest_wait_seconds: float = 300.0
    """Asked to wait longer, the run ends with the time when it may be started again."""
    timeout_seconds: float = 60.0
    requests_per_second: float | None = None
    burst: int = 3


def busy_wait(response: httpx.Response) -> float | None:
    """What most vendors mean: 429 and 5xx are to be tried again, Retry-After says when."""
    return retry_after(response) or 0.0 if response.status_code in _BUSY else None


def retry_after(response: httpx.Response) -> float | None:
    """The header's seconds, from either of its forms."""
    value = response.headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


class Vendor:
    """A vendor's API as one source uses it.

    Its connections are open while somebody uses them: a source has no end of its own at which
    they could be closed.
    """

    def __init__(
        self, name: str, *, patience: Patience | None = None, wait: Wait = busy_wait
    ) -> None:
        self.name = name
        self.patience = patience or Patience()
        self.wait = wait
        self._users = 0
        self._client: httpx.AsyncClient | None = None
        self._turns = asyncio.Lock()
        self._tokens = float(self.patience.burst)
        self._counted_at = 0.0
        self._closed_until: datetime | None = None
        self._rests_until = 0.0

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """The HTTP client, shared by all who use it at the same time."""
        if self._client is None:
            self._client = _PatientClient(self)
        client = self._client
        self._users += 1
        try:
            yield client
        finally:
            self._users -= 1
            if not self._users:
                self._client = None
                await client.aclose()

    async def turn(self) -> None:
        """Wait until the next request may be sent. Raises SourceError: not before long."""
        if self._closed_until and self._closed_until > datetime.now(UTC):
            raise self._refused()
        now = asyncio.get_running_loop().time()
        if now < self._rests_until:
            await asyncio.sleep(self._rests_until - now)
        if self.patience.requests_per_second is None:
            return
        async with self._turns:
            self._count(self.patience.requests_per_second)
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self.patience.requests_per_second)
                self._count(self.patience.requests_per_second)
            self._tokens -= 1

    def _count(self, rate: float) -> None:
        now = asyncio.get_running_loop().time()
        grown = self._tokens + (now - self._counted_at) * rate
        self._tokens, self._counted_at = min(grown, float(self.patience.burst)), now

    async def pause(self, attempt: int, asked_seconds: float) -> None:
        """Wait before the next try. Raises SourceError: the vendor asks for too long a wait."""
        if asked_seconds > self.patience.longest_wait_seconds:
            self._closed_until = datetime.now(UTC) + timedelta(seconds=asked_seconds)
            raise self._refused()
        # What the vendor asks of one request holds for those beside it too.
        rested = asyncio.get_running_loop().time() + asked_seconds
        self._rests_until = max(self._rests_until, rested)
        own = self.patience.first_wait_seconds * 2**attempt * random.uniform(0.75, 1.25)  # noqa: S311
        await asyncio.sleep(max(asked_seconds, own))

    def _refused(self) -> SourceError:
        assert self._closed_until is not None
        return SourceError(
            f"{self.name} takes no more requests until {self._closed_until:%Y-%m-%d %H:%M} UTC "
            "(its rate limit is used up). Index again then; what was written stays."
        )


class _PatientClient(httpx.AsyncClient):
    """Sends a request until its answer is final."""

    def __init__(self, vendor: Vendor) -> None:
        timeout = httpx.Timeout(vendor.patience.timeout_seconds, connect=10.0)
        super().__init__(timeout=timeout, follow_redirects=True, verify=_tls())
        self._vendor = vendor

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See httpx. Raises SourceError when the vendor cannot be reached, or not before long."""
        for attempt in range(self._vendor.patience.tries):
            await self._vendor.turn()
            try:
                response = await super().send(request, **options)
            except httpx.TransportError as error:
                if attempt + 1 >= self._vendor.patience.tries_to_connect:
                    raise self._unreachable(request, error) from error
                asked: float | None = 0.0
            else:
                asked = self._vendor.wait(response)
                if asked is None or attempt + 1 >= self._vendor.patience.tries:
                    return response
                await response.aclose()
            logger.info(
                "%s asks for patience.",
                self._vendor.name,
                extra={"action": "source_waits", "seconds": asked, "attempt": attempt},
            )
            await self._vendor.pause(attempt, asked or 0.0)
        raise AssertionError("a last try returns or raises")

    def _unreachable(self, request: httpx.Request, error: httpx.TransportError) -> SourceError:
        return SourceError(
            f"{self._vendor.name} cannot be reached at {request.url.host} "
            f"({type(error).__name__}). Check the network, then index again; nothing was removed."
        )


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than most requests."""
    return httpx.create_ssl_context()
