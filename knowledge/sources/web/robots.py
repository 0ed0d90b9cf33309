"""What a site asks of robots (RFC 9309)."""

from dataclasses import dataclass
from typing import Any

from yarl import URL

from knowledge.errors import FetchError, SourceError
from knowledge.sources.web.visitor import Visitor

NAME = "Lorewise"
"""What we call ourselves in robots.txt."""
_LARGEST_BYTES = 500 * 1024  # what the standard asks us to read
_LONGEST_DELAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Robots:
    """A site's robots.txt; without one all may be fetched."""

    rules: Any

    def allow(self, url: str) -> bool:
        """Whether the site lets us fetch `url`."""
        return bool(self.rules.can_fetch(url, NAME))

    @property
    def delay_seconds(self) -> float:
        """The pause that the site asks for, a minute at the most."""
        delay = self.rules.crawl_delay(NAME)
        rate = self.rules.request_rate(NAME)
        asked = max(delay or 0.0, rate.seconds / rate.requests if rate else 0.0)
        return float(min(asked, _LONGEST_DELAY_SECONDS))

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that the site names."""
        return list(self.rules.sitemaps)


async def read_robots(origin: URL, visitor: Visitor) -> Robots:
    """Ask a site for its robots.txt. Raises SourceError: it cannot say, so nothing is fetched."""
    from protego import Protego

    url = str(origin / "robots.txt")
    try:
        response = await visitor.get(url, follow=True)
    except FetchError as error:
        raise SourceError(
            f"{error} So nothing of {origin} is read; nothing was removed."
        ) from error
    if response.status >= 500 or response.status == 429:
        raise SourceError(
            f"{url} answers {response.status}, so nothing of the site is read for now; nothing "
            "was removed. The next run asks again."
        )
    text = response.body[:_LARGEST_BYTES].decode("utf-8", "replace")
    return Robots(Protego.parse(text if response.status == 200 else ""))
