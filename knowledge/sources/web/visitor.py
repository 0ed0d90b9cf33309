"""Asks a site politely: one request at a time, with a pause, and again when it is busy."""

import asyncio
import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from knowledge.errors import AddressRefusedError, FetchError, ResponseTooLargeError
from knowledge.fetch import Fetcher, Response, Wanted

_BUSY = {429, 503}
_TRIES = 3
_LONGEST_WAIT_SECONDS = 120.0


@dataclass(slots=True)
class Pace:
    """How often a site is asked, by whomever."""

    pause_seconds: float
    """Between the starts of two requests."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _next: float = 0.0

    async def wait_for_turn(self) -> None:
        """Return when the next request may begin."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            begin = max(now, self._next)
            self._next = begin + self.pause_seconds
            await asyncio.sleep(begin - now)

    def rest(self, seconds: float) -> None:
        """Let no request begin for some time."""
        self._next = max(self._next, asyncio.get_running_loop().time() + seconds)


@dataclass(slots=True)
class Visitor:
    """Asks one site."""

    fetcher: Fetcher
    pace: Pace
    asked: int = 0

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        follow: bool = False,
        wanted: Wanted | None = None,
    ) -> Response:
        """Ask when it is our turn; wait as a busy server asks us to, within limits.

        Raises FetchError like `Fetcher.get`.
        """
        for attempt in range(1, _TRIES + 1):
            await self.pace.wait_for_turn()
            self.asked += 1
            try:
                response = await self.fetcher.get(
                    url, headers=headers, follow=follow, wanted=wanted
                )
            except (AddressRefusedError, ResponseTooLargeError):
                raise
            except FetchError:
                if attempt == _TRIES:
                    raise
                self.pace.rest(self.pace.pause_seconds * attempt)
                continue
            wait_seconds = _retry_after(response, default_seconds=2.0**attempt)
            if response.status not in _BUSY or wait_seconds > _LONGEST_WAIT_SECONDS:
                return response
            self.pace.rest(wait_seconds)
        return response


def _retry_after(response: Response, *, default_seconds: float) -> float:
    said = response.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        until = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return default_seconds
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
