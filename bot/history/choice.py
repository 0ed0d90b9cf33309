"""Which channels of a Slack source, for whom, and what its live messages need of it."""

import fnmatch
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.errors import SourceError

Json = Mapping[str, Any]
KIND = "slack"
LOCATION = "Slack channels: names, ids or patterns, comma-separated"
OPTIONS = {
    "public": "who reads public channels: channel (its members, the default) or everyone",
    "bots": "yes: other apps' messages are taken too",
    "days": "only messages of so many days; older ones are removed",
    "look_back_days": "how far back each sync looks for edits and deletions (30)",
    "complete_days": "after how many days everything is read again (7)",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The options, read."""

    public: str = "channel"
    bots: bool = False
    days: int | None = None
    look_back_days: int = 30
    complete_days: int = 7

    @staticmethod
    def of(options: Mapping[str, Any]) -> "Asked":
        """Read options as they were typed. Raises SourceError: a value can't be."""
        public = str(options.get("public") or "channel")
        if public not in {"channel", "everyone"}:
            raise SourceError(f"public={public} can't be: write public=channel or public=everyone.")
        bots = str(options.get("bots") or "no").lower()
        if bots not in {"yes", "no", "true", "false"}:
            raise SourceError(f"bots={bots} can't be: write bots=yes or bots=no.")
        return Asked(
            public=public,
            bots=bots in {"yes", "true"},
            days=_days(options, "days", None),
            look_back_days=_days(options, "look_back_days", 30) or 30,
            complete_days=_days(options, "complete_days", 7) or 7,
        )


def _days(options: Mapping[str, Any], name: str, default: int | None) -> int | None:
    value = str(options.get(name) or "").strip()
    if not value:
        return default
    if not value.isdecimal() or not 1 <= int(value) <= 36_500:
        raise SourceError(f"{name}={value} can't be: write a number of days.")
    return int(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """Channels by name, id or pattern, comma-separated; `!` in front leaves out.

    A pattern such as `*` or `help-*` is for public channels: a private one must be named.
    """

    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """What was named, without the signs of channels."""
        parts = (part.strip() for part in self.text.split(","))
        return tuple(part.replace("#", "") for part in parts if part)

    def check(self) -> None:
        """Raises SourceError when nothing could be chosen, or a direct message was."""
        if not any(not part.startswith("!") for part in self.parts):
            raise SourceError(
                "Name the channels: their names, ids or patterns, comma-separated, such as "
                "ask-hr,help-* or * for all public channels that the bot is in."
            )
        if direct := [part for part in self.parts if len(part) > 8 and part[:2] in {"D0", "D1"}]:
            raise SourceError(f"{direct[0]} is a direct message: those are never indexed.")

    def takes(self, channel: Json) -> bool:
        """Whether a channel that the bot is in is chosen."""
        if channel.get("is_im") or channel.get("is_mpim"):
            return False
        named = [part for part in self.parts if not part.startswith("!")]
        left_out = [part[1:] for part in self.parts if part.startswith("!")]
        if any(_means(part, channel) or _matches(part, channel) for part in left_out):
            return False
        return any(
            _means(part, channel) or (not channel.get("is_private") and _matches(part, channel))
            for part in named
        )

    def missing(self, channels: Iterable[Json]) -> list[str]:
        """What was named plainly and is no channel that the bot is in."""
        known = list(channels)
        return [
            part
            for part in self.parts
            if not part.startswith("!")
            and not any(sign in part for sign in "*?[")
            and not any(_means(part, channel) for channel in known)
        ]


def _means(part: str, channel: Json) -> bool:
    return part in {channel.get("id"), channel.get("name")}


def _matches(pattern: str, channel: Json) -> bool:
    return fnmatch.fnmatchcase(str(channel.get("name") or ""), pattern)


@dataclass(frozen=True, slots=True)
class Record:
    """What the live events need of a source, and it of them."""

    listed: Callable[[Mapping[str, bool]], Awaitable[None]]
    """Told which channels are indexed, each with whether apps' messages count in it."""
    touched: Callable[[str, float], Awaitable[bool]]
    """Whether a live event came for a document (by its key) since a time."""
    indexed: Callable[[str], Awaitable[frozenset[str]]]
    """The keys of a channel's documents that are in the index."""


async def _nothing(_channels: Mapping[str, bool]) -> None:
    return None


async def _never(_key: str, _since: float) -> bool:
    return False


async def _none(_channel: str) -> frozenset[str]:
    return frozenset()


NO_RECORD = Record(_nothing, _never, _none)
