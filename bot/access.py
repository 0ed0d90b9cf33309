"""Who asks and who reads: from Slack's memberships to principals, closed where unknown.

"everyone" means every full member of the workspace. Guests, people of other workspaces, and
channels that such people are in don't get it: they read what is shared with them by name.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

logger = logging.getLogger(__name__)

T = TypeVar("T")
Json = Mapping[str, Any]
EVERYONE = "everyone"
PERSON_SECONDS = 60.0  # a role that was taken away counts for a minute at the most
CHANNEL_SECONDS = 60.0
DIRECTORY_SECONDS = 300.0  # the whole directory and the user groups are many pages
PAGE = 999  # the most that Slack gives; a directory is few calls that way

# The workspace will go on saying these: it is our configuration, not a passing failure.
LASTING = frozenset(
    {
        "missing_scope", "unknown_method", "not_allowed_token_type", "feature_not_enabled",
        "channel_not_found", "user_not_found", "users_not_found", "not_in_channel",
        "team_access_not_granted", "plan_upgrade_required", "user_not_visible",
    }
)  # fmt: skip


class Cache:
    """Values that are kept for some seconds; concurrent callers share one look-up."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._entries: dict[tuple[str, ...], tuple[float, asyncio.Future[Any]]] = {}

    async def get(
        self, key: tuple[str, ...], seconds: float, look_up: Callable[[], Awaitable[T]]
    ) -> T:
        """The value of `key`, looked up if it is older than `seconds`. Failures aren't kept."""
        self._forget_old()
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._now():
            task = asyncio.ensure_future(look_up())
            self._entries[key] = entry = (self._now() + seconds, task)
        try:
            value: T = await asyncio.shield(entry[1])
        except BaseException:
            if entry[1].done() and self._entries.get(key) == entry:
                del self._entries[key]
            raise
        return value

    def forget(self, *keys: tuple[str, ...]) -> None:
        """Look these up anew the next time; a look-up that runs already serves who waits for it."""
        for key in keys:
            self._entries.pop(key, None)

    def _forget_old(self) -> None:
        if len(self._entries) > 4096:  # a big workspace's people; far above a minute's askers
            now = self._now()
            self._entries = {key: e for key, e in self._entries.items() if e[0] > now}


class People:
    """The workspace's people and channels, as far as rights need them."""

    def __init__(
        self,
        client: AsyncWebClient,
        team: str,
        admins: frozenset[str] = frozenset(),
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._team, self._admins = client, team, admins
        self._cache = Cache(now)

    async def is_admin(self, user: str) -> bool:
        """Whether `user` may administer: named in the settings, or Slack's admin or owner."""
        if user in self._admins:
            return True
        person = await self._person(user)
        role = person.get("is_admin") or person.get("is_owner") or person.get("is_primary_owner")
        return bool(role) and self._is_full_member(person)

    async def language_of(self, user: str) -> str:
        """The person's language, two letters, from Slack's locale; English where unknown."""
        locale = str((await self._person(user)).get("locale") or "en")
        return locale.partition("-")[0].lower()

    async def name_of(self, principal: str) -> str | None:
        """A person's name, for people; None where the principal isn't one that Slack knows."""
        kind, _, rest = principal.partition(":")
        team, _, user = rest.partition(":")
        if kind != "user" or team != self._team:
            return None
        person = await self._person(user)
        profile = person.get("profile") or {}
        return profile.get("display_name") or profile.get("real_name") or person.get("name")

    async def are_in(self, channel: str) -> bool:
        """Whether the bot is a member of `channel`, or the other side of a direct message."""
        shape = await self._channel(channel)
        return bool(shape.get("is_member") or shape.get("is_im"))

    def heard(self, moved: Json) -> None:
        """Somebody came into a channel or left it, as any replica heard from Slack."""
        self.moved(str(moved["channel"]), str(moved["user"]))

    def moved(self, channel: str, user: str) -> None:
        """Somebody came into a channel or left it: what was known of both is old."""
        self._cache.forget(("members", channel), ("channel", channel), ("channels", user))
        self._cache.forget(("person", user))

    async def readers_of_channel(self, channel: str) -> frozenset[str]:
        """What every reader of `channel` may see: the audience of an answer there.

        Never an address: a document that names people by address is not used in a channel, for
        who comes in later must not read it there.
        """
        readers = {f"channel:{self._team}:{channel}"}
        if await self._only_full_members(channel):
            readers.add(EVERYONE)
        return frozenset(readers)

    async def readers_alone(self, user: str) -> frozenset[str]:
        """What `user` alone may see: the audience of a direct or an ephemeral answer."""
        person, channels, groups = await asyncio.gather(
            self._person(user), self._channels_of(user), self._groups()
        )
        readers = {f"user:{self._team}:{user}"}
        readers |= {f"channel:{self._team}:{channel}" for channel in channels}
        readers |= {
            f"group:{self._team}:{group}" for group, users in groups.items() if user in users
        }
        if self._is_full_member(person):
            readers.add(EVERYONE)
        if address := self._address_of(person):
            readers.add(f"email:{address}")
        return frozenset(readers)

    def _address_of(self, person: Json) -> str | None:
        """The address that other systems know a person by: a member or guest of our own
        workspace, who has confirmed it to Slack. It needs users:read.email."""
        address = str((person.get("profile") or {}).get("email") or "").strip().lower()
        outside = ("is_stranger", "deleted", "is_invited_user", "is_bot")
        ours = person.get("team_id") == self._team and not any(person.get(k) for k in outside)
        confirmed = person.get("is_email_confirmed") is True
        usable = address.count("@") == 1 and address.isprintable() and " " not in address
        return address if ours and confirmed and usable else None

    def _is_full_member(self, person: Json) -> bool:
        outside = (
            "is_restricted", "is_ultra_restricted", "is_stranger", "deleted", "is_invited_user",
        )  # fmt: skip
        # An unknown person is {}: no team, so no member.
        return person.get("team_id") == self._team and not any(person.get(k) for k in outside)

    async def _only_full_members(self, channel: str) -> bool:
        shape = await self._channel(channel)
        if not shape or any(
            shape.get(kind) for kind in ("is_ext_shared", "is_pending_ext_shared", "is_mpim")
        ):
            return False
        members, directory = await asyncio.gather(self._members(channel), self._directory())
        # A member that the directory doesn't know is a stranger.
        return members is not None and all(directory.get(member, False) for member in members)

    async def _person(self, user: str) -> Json:
        async def look_up() -> Json:
            found = await self._known(self._client.users_info(user=user, include_locale=True))
            person: Json = found.get("user") or {}
            return person

        return await self._cache.get(("person", user), PERSON_SECONDS, look_up)

    async def _channel(self, channel: str) -> Json:
        async def look_up() -> Json:
            found = await self._known(self._client.conversations_info(channel=channel))
            shape: Json = found.get("channel") or {}
            return shape

        return await self._cache.get(("channel", channel), CHANNEL_SECONDS, look_up)

    async def _members(self, channel: str) -> frozenset[str] | None:
        async def look_up() -> frozenset[str] | None:
            pages = await self._pages(
                "members", self._client.conversations_members, channel=channel
            )
            return frozenset(str(member) for member in pages) if pages is not None else None

        return await self._cache.get(("members", channel), CHANNEL_SECONDS, look_up)

    async def _directory(self) -> Mapping[str, bool]:
        """Everyone of the workspace: id to whether that is a full member (or a bot of ours)."""

        async def look_up() -> Mapping[str, bool]:
            people = await self._pages("members", self._client.users_list) or []
            return {str(person.get("id")): self._is_full_member(person) for person in people}

        return await self._cache.get(("directory",), DIRECTORY_SECONDS, look_up)

    async def _channels_of(self, user: str) -> frozenset[str]:
        async def look_up() -> frozenset[str]:
            pages = await self._pages(
                "channels",
                self._client.users_conversations,
                user=user,
                types="public_channel,private_channel",
                exclude_archived=True,
            )
            return frozenset(str(channel["id"]) for channel in pages or [])

        return await self._cache.get(("channels", user), CHANNEL_SECONDS, look_up)

    async def _groups(self) -> Mapping[str, frozenset[str]]:
        async def look_up() -> Mapping[str, frozenset[str]]:
            found = await self._known(self._client.usergroups_list(include_users=True))
            groups = found.get("usergroups") or []
            return {str(group["id"]): frozenset(group.get("users") or ()) for group in groups}

        return await self._cache.get(("groups",), DIRECTORY_SECONDS, look_up)

    async def _pages(
        self, name: str, method: Callable[..., Awaitable[Any]], **arguments: Any
    ) -> list[Any] | None:
        """All items of a paged method, or None where the workspace won't say."""
        items: list[Any] = []
        cursor = ""
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = await self._known(method(limit=PAGE, **arguments, **more))
            if not page:
                return None
            items += page.get(name) or []
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return items

    async def _known(self, call: Awaitable[Any]) -> Json:
        """What a call answers; {} where Slack will go on refusing it, so that nobody gains."""
        try:
            response = await call
        except SlackApiError as error:
            code = str(error.response.get("error"))
            if code not in LASTING:
                raise
            logger.warning(
                "Slack doesn't tell who may read (%s): treated as no right. "
                "`lorewise manifest` prints the scopes that the app needs.",
                code,
                extra={"action": "membership_unknown", "error": code},
            )
            return {}
        data: Json = response.data
        return data
