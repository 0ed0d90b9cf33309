"""Who may read a file or page: whoever its permissions name, people and groups, and its links.

Graph names SharePoint's own groups ("HR Members") and does not tell their members: those grant
nobody, unless the option map says what they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from knowledge.sources.moments import moment_of
from knowledge.sources.readers import NOBODY, Granting, email
from knowledge.sources.sharepoint.graph import Graph, Json

PEOPLE_AT_ONCE = 1000  # Graph's limit
_PERSON = "i:0#.f|membership|"
# Claims that stand for a group of the directory; the id follows the last bar.
_GROUP_CLAIMS = ("c:0t.c|tenant|", "c:0o.c|federateddirectoryclaimprovider|")
_ALL_CLAIMS = ("c:0(.s|true", "c:0-.f|rolemanager|spo-grid-all-users")


@dataclass(slots=True)
class GraphRights:
    """Answers for one run; each person and group is asked for once."""

    graph: Graph
    granting: Granting
    _groups: dict[str, frozenset[str]] = field(default_factory=dict)
    _people: dict[str, frozenset[str]] = field(default_factory=dict)

    async def of(self, paths: Sequence[str]) -> list[frozenset[str]]:
        """The readers of things by the paths of their permissions, in this order."""
        answers = await self.graph.several(paths)
        told: list[Sequence[Json]] = []
        for path, answer in zip(paths, answers, strict=True):
            if answer.status in {401, 403, 429} or answer.status >= 500:
                await self.graph.api.get(path)  # raises what it means
            body = answer.body if answer.status == 200 and isinstance(answer.body, Mapping) else {}
            told.append(await self._whole(body))
        await self._learn(told)
        return [await self._readers(permissions) for permissions in told]

    async def _whole(self, body: Json) -> list[Json]:
        """The permissions of an answer and of its further pages."""
        permissions = list(body.get("value") or ())
        link = body.get("@odata.nextLink")
        if link:
            permissions += [each async for each in self.graph.values(str(link), {})]
        return [permission for permission in permissions if _holds(permission)]

    async def _readers(self, permissions: Iterable[Json]) -> frozenset[str]:
        found: set[str] = set()
        for permission in permissions:
            scope = (permission.get("link") or {}).get("scope")
            if scope == "anonymous":
                found |= self.granting.public
            elif scope == "organization":
                found |= self.granting.domain
            for identity in _identities(permission):
                found |= await self._identity(identity)
        return frozenset(found)

    async def _identity(self, identity: Json) -> frozenset[str]:
        if (user := identity.get("user")) and (readers := self._person(user)):
            return readers
        if group := identity.get("group"):
            return await self._group(group)
        if site_user := identity.get("siteUser"):
            return await self._claim(site_user)
        site_group = identity.get("siteGroup") or {}
        return self.granting.group(site_group.get("displayName")) or NOBODY

    async def _claim(self, site_user: Json) -> frozenset[str]:
        """Somebody as SharePoint names them: a person, a group, or all."""
        login = str(site_user.get("loginName") or "").lower()
        if login.startswith(_ALL_CLAIMS):
            return self.granting.domain
        if login.startswith(_GROUP_CLAIMS):
            group_id = login.rpartition("|")[2]
            if group_id.endswith("_o"):  # a group's owners, which Graph lists elsewhere
                return NOBODY
            return await self._group({"id": group_id, "displayName": site_user.get("displayName")})
        given = self.granting.person(login) or site_user.get("email")
        return email(given or (login.removeprefix(_PERSON) if login.startswith(_PERSON) else ""))

    def _person(self, user: Json) -> frozenset[str]:
        given = self.granting.person(user.get("id"), user.get("userPrincipalName"))
        return email(given or user.get("email")) or self._people.get(str(user.get("id")), NOBODY)

    async def _group(self, group: Json) -> frozenset[str]:
        mapped = self.granting.group(group.get("displayName"), group.get("id"), group.get("email"))
        if mapped is not None:
            return mapped
        key = str(group.get("id") or "")
        if key and key not in self._groups:
            self._groups[key] = await self._members(key)
        return self._groups.get(key, NOBODY)

    async def _members(self, group_id: str) -> frozenset[str]:
        path = f"groups/{quote(group_id, safe='')}"
        known = await self.graph.api.ask("GET", path, {"$select": "id"}, allow={404})
        if known.status == 404:
            return NOBODY
        params: dict[str, str | int] = {
            "$select": "id,mail,userPrincipalName,accountEnabled",
            "$top": 999,
        }
        found: set[str] = set()
        async for member in self.graph.values(f"{path}/transitiveMembers", params):
            if member.get("@odata.type") == "#microsoft.graph.user":
                found |= self._address(member)
        return frozenset(found)

    async def _learn(self, told: Iterable[Iterable[Json]]) -> None:
        """Ask for the people who are named without an e-mail, many at once."""
        named = {
            str(identity["user"].get("id"))
            for permissions in told
            for permission in permissions
            for identity in _identities(permission)
            if identity.get("user") and not self._person(identity["user"])
        }
        unknown = sorted(named - self._people.keys() - {"None", ""})
        for start in range(0, len(unknown), PEOPLE_AT_ONCE):
            asked = unknown[start : start + PEOPLE_AT_ONCE]
            self._people |= dict.fromkeys(asked, NOBODY)
            body = {"ids": asked, "types": ["user"]}
            reply = await self.graph.api.ask("POST", "directoryObjects/getByIds", body=body)
            for user in reply.data.get("value") or ():
                self._people[str(user.get("id"))] = self._address(user)

    def _address(self, user: Json) -> frozenset[str]:
        """The e-mail of a person of the directory; of a guest that of their own company."""
        if user.get("accountEnabled") is False:
            return NOBODY
        given = self.granting.person(user.get("id"), user.get("userPrincipalName"))
        name = str(user.get("userPrincipalName") or "")
        return email(given or user.get("mail") or ("" if "#ext#" in name.lower() else name))


def _identities(permission: Json) -> list[Json]:
    granted = permission.get("grantedToV2")
    return [*([granted] if granted else []), *(permission.get("grantedToIdentitiesV2") or ())]


def _holds(permission: Json) -> bool:
    """Whether it lets anybody read, and still does."""
    ends = moment_of(permission.get("expirationDateTime"))
    return bool(permission.get("roles")) and (ends is None or ends > datetime.now(UTC))
