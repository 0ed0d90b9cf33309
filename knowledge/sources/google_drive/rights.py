"""Who may read a file of Google Drive, as principals. What cannot be resolved grants nobody."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from knowledge.errors import SourceError
from knowledge.sources.google_drive.api import GoogleApi, Json
from knowledge.sources.readers import EVERYONE, NOBODY, Granting, email

_PERMISSIONS = (
    "nextPageToken,permissions(id,type,emailAddress,domain,allowFileDiscovery,deleted,"
    "expirationTime,view)"
)
_UNSEEN = {403, 404}


@dataclass(slots=True)
class Rights:
    """Asks for permissions and groups during one run."""

    api: GoogleApi
    directory: GoogleApi | None
    granting: Granting
    domain: str = ""
    links: bool = False
    _groups: dict[str, frozenset[str]] = field(default_factory=dict)
    _sets: dict[tuple[str, ...], Sequence[Json] | None] = field(default_factory=dict)
    _hidden: set[tuple[str, ...]] = field(default_factory=set)
    """Folders whose files do not show who may read them: one request each is enough."""

    async def readers(self, file: Json) -> frozenset[str] | None:
        """Who may read a file; None: the account may not see that."""
        permissions = await self._permissions(file)
        if permissions is None:
            return None
        found: set[str] = set()
        for permission in permissions:
            found |= await self._granted(permission)
        return frozenset({EVERYONE}) if EVERYONE in found else frozenset(found)

    async def groups(self, names: Sequence[str]) -> Mapping[str, str]:
        """A digest of each group's members: tells whether somebody came or left."""
        return {name: _digest(await self._members(name)) for name in names}

    async def seen_groups(self) -> Mapping[str, str]:
        """The digests of all groups that were met in this run."""
        return await self.groups(sorted(self._groups))

    async def _permissions(self, file: Json) -> Sequence[Json] | None:
        """Files in a shared drive come without their permissions, only with the ids of these.

        The same ids in the same folder are the same permissions, so they are asked for once.
        """
        if "permissions" in file:
            own: Sequence[Json] = file["permissions"]
            return own
        ids, parents = file.get("permissionIds") or (), tuple(file.get("parents", ()))
        if not ids and parents in self._hidden:
            return None
        key = (*parents, "", *sorted(ids))
        if ids and key in self._sets:
            return self._sets[key]
        found = await self._asked(file["id"])
        if found is None:
            self._hidden.add(parents)
        self._sets[key] = found
        return found

    async def _asked(self, file_id: str) -> Sequence[Json] | None:
        found: list[Json] = []
        token: str | None = None
        while True:
            response = await self.api.ask(
                f"/drive/v3/files/{quote(file_id, safe='')}/permissions",
                {
                    "supportsAllDrives": True,
                    "pageSize": 100,
                    "fields": _PERMISSIONS,
                    "pageToken": token,
                },
                allow=_UNSEEN,
            )
            if response.status_code in _UNSEEN:
                return None
            page = response.json()
            found += page.get("permissions", ())
            token = page.get("nextPageToken")
            if not token:
                return found

    async def _granted(self, permission: Json) -> frozenset[str]:
        # A link opens to those who were given it, and is found by nobody else.
        by_link = not permission.get("allowFileDiscovery", True)
        if _void(permission) or (by_link and not self.links):
            return NOBODY
        match permission["type"]:
            case "user":
                return email(permission.get("emailAddress"))
            case "group":
                return await self._members(str(permission.get("emailAddress") or "").lower())
            case "domain" if str(permission.get("domain", "")).lower() == self.domain:
                return self._all_of_domain()
            case "anyone":
                return self.granting.public
        return NOBODY

    def _all_of_domain(self) -> frozenset[str]:
        return frozenset({EVERYONE}) if self.domain else NOBODY

    async def _members(self, group: str) -> frozenset[str]:
        mapped = self.granting.group(group)
        if mapped is not None or not group:
            return mapped or NOBODY
        if group not in self._groups:
            self._groups[group] = await self._expanded(group)
        return self._groups[group]

    async def _expanded(self, group: str) -> frozenset[str]:
        """The members of a group and of the groups in it; nobody where Google does not say."""
        if self.directory is None:
            return NOBODY
        found: set[str] = set()
        token: str | None = None
        while True:
            response = await self.directory.ask(
                f"/admin/directory/v1/groups/{quote(group, safe='@')}/members",
                {"includeDerivedMembership": True, "maxResults": 200, "pageToken": token},
                allow=_UNSEEN,
            )
            if response.status_code in _UNSEEN:
                return NOBODY
            page = response.json()
            for member in page.get("members", ()):
                found |= self._member(member)
            token = page.get("nextPageToken")
            if not token:
                return frozenset(found)

    def _member(self, member: Json) -> frozenset[str]:
        if member.get("type") == "CUSTOMER":  # everybody in the organisation
            return self._all_of_domain()
        if member.get("type") != "USER" or member.get("status") == "SUSPENDED":
            return NOBODY
        return email(member.get("email"))


def _void(permission: Json) -> bool:
    """Of an account that is deleted, for a view only (not the content), or run out."""
    until = permission.get("expirationTime")
    if until and datetime.fromisoformat(until) <= datetime.now(UTC):
        return True
    return bool(permission.get("deleted") or permission.get("view"))


def _digest(readers: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(readers)).encode()).hexdigest()[:16]


def reasons(readers: frozenset[str] | None, account: str) -> str | None:
    """Why a file that these may read is skipped; None: it is not."""
    if readers is None:
        return (
            f"shows {account} not who may read it: make this account a manager or editor there, "
            "read as a user (option subject), or set rights=source"
        )
    if not readers:
        return (
            "may be read by nobody whose e-mail is known: name directory_subject so that groups "
            "are read, or map them (map=GROUP:PRINCIPAL), or say what domain and links mean"
        )
    return None


def checked_domain(value: str) -> str:
    """A domain as it is compared. Raises SourceError: it is an address or a URL."""
    domain = value.strip().lower()
    if "@" in domain or "/" in domain:
        raise SourceError(f"domain is a name such as acme.example; it is {value!r}.")
    return domain
