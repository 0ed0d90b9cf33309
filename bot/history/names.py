"""Names for the ids in messages: people's, and those of public channels.

The name of a private channel is never told in another channel's text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.history.reader import Reader

Json = Mapping[str, Any]


class Names:
    """People and channels by id; looked up once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._people: dict[str, str] = {}
        self._channels: dict[str, str] = {}

    async def learn_everyone(self) -> None:
        """Read the directory: few calls instead of one for each author."""
        for person in await self._reader.people():
            self._learn(person)

    async def learn(self, users: Iterable[str]) -> None:
        """Look up who isn't known yet."""
        for user in users:
            if user not in self._people:
                self._learn({"id": user, **await self._reader.person(user)})

    def learn_channels(self, channels: Iterable[Json]) -> None:
        """Know the public ones of `channels`."""
        for channel in channels:
            if not channel.get("is_private"):
                self._channels[str(channel["id"])] = str(channel.get("name") or "")

    def person(self, user: str) -> str:
        """A person's name as Slack shows it; "somebody" for who isn't known."""
        return self._people.get(user) or "somebody"

    def channel(self, channel: str) -> str:
        """A public channel's name with its #; "a channel" for any other."""
        name = self._channels.get(channel)
        return f"#{name}" if name else "a channel"

    def _learn(self, person: Json) -> None:
        profile = person.get("profile") or {}
        self._people[str(person["id"])] = str(
            profile.get("display_name")
            or profile.get("real_name")
            or person.get("real_name")
            or person.get("name")
            or ""
        )
