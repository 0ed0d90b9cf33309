"""Who may read an issue: who holds Browse Projects in its project, and its security level."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.atlassian import Json, People
from knowledge.sources.jira.site import JiraSite
from knowledge.sources.readers import Granting, both

BROWSE = "BROWSE_PROJECTS"


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds a permission: people, and whoever stands in a field of the issue."""

    people: frozenset[str]
    fields: frozenset[str]


@dataclass(slots=True)
class JiraRights:
    """Answers for one run; each project, role, group and level is asked for once."""

    site: JiraSite
    people: People
    granting: Granting
    _projects: dict[str, Holders] = field(default_factory=dict)
    _levels: dict[tuple[str, str], Holders] = field(default_factory=dict)
    _users: dict[str, frozenset[str]] = field(default_factory=dict)

    async def readers(self, issue: Json, project: Json) -> frozenset[str]:
        """The principals of an issue; nobody where they cannot be told."""
        readers = await self._of(await self._project(project), issue)
        level = (issue.get("fields") or {}).get("security")
        if level:
            readers = both(readers, await self._level(level, project, issue))
        return readers

    async def _of(self, holders: Holders, issue: Json) -> frozenset[str]:
        found = set(holders.people)
        for name in holders.fields:
            user = (issue.get("fields") or {}).get(name)
            if user:
                found |= await self._user(user)
        return frozenset(found)

    async def _project(self, project: Json) -> Holders:
        key = str(project["key"])
        if key not in self._projects:
            try:
                grants = await self.site.permissions(key)
            except SourceError as error:
                raise SourceError(
                    f"The permissions of the project {key} cannot be read: {error} The account "
                    "must administer Jira. Or say rights=source, and the source's own readers "
                    "read everything."
                ) from error
            holders = [g.get("holder") or {} for g in grants or () if g.get("permission") == BROWSE]
            self._projects[key] = await self._holders(holders, project)
        return self._projects[key]

    async def _level(self, level: Json, project: Json, issue: Json) -> frozenset[str]:
        mapped = self.granting.group(f"level/{level.get('name')}")
        if mapped is not None:
            return mapped
        key = (str(level.get("id")), str(project["key"]))  # a role's members are the project's
        if key not in self._levels:
            self._levels[key] = await self._holders(await self.site.level(key[0]), project)
        return await self._of(self._levels[key], issue)

    async def _holders(self, holders: Iterable[Json], project: Json) -> Holders:
        people: set[str] = set()
        fields: set[str] = set()
        for holder in holders:
            kind = str(holder.get("type"))
            if kind in {"reporter", "assignee"}:
                fields.add(kind)
            else:
                people |= await self._holder(kind, holder, project)
        return Holders(frozenset(people), frozenset(fields))

    async def _holder(self, kind: str, holder: Json, project: Json) -> frozenset[str]:
        """Those of one holder. A kind that is not known here grants nobody."""
        parameter = str(holder.get("parameter") or "")
        if kind == "anyone":
            return self.granting.public
        if kind == "applicationRole":  # everyone who may use the product
            return self.granting.domain
        if kind == "group":
            return await self.people.group(parameter, holder.get("value"))
        if kind == "projectRole":
            return await self._role(project, str(holder.get("value") or parameter))
        named = {
            "user": holder.get("user") or self._account(parameter),
            "projectLead": project.get("lead"),
        }
        return await self._user(named.get(kind) or {})

    async def _role(self, project: Json, role_id: str) -> frozenset[str]:
        found: set[str] = set()
        for actor in await self.site.role(str(project["key"]), role_id):
            if actor.get("type") == "atlassian-group-role-actor":
                group = actor.get("actorGroup") or {}
                name = str(group.get("name") or actor.get("name") or "")
                found |= await self.people.group(name, group.get("groupId"))
            else:
                found |= await self._user(actor.get("actorUser") or {"name": actor.get("name")})
        return frozenset(found)

    def _account(self, parameter: str) -> Json:
        return {"accountId": parameter} if self.site.cloud else {"key": parameter}

    async def _user(self, user: Json) -> frozenset[str]:
        """Somebody, asked for where the answer had no more than a name."""
        if self.site.cloud or user.get("emailAddress"):
            return await self.people.users([_known(user)])
        known = await self.people.users([user])
        key: Any = next((key for key in ("name", "key") if user.get(key)), None)
        if known or key is None:
            return known
        name = str(user[key])
        if name not in self._users:
            asked = await self.site.user("username" if key == "name" else "key", name)
            self._users[name] = await self.people.users([asked])
        return self._users[name]


def _known(user: Json) -> Json:
    """A role's actor is an account id alone, which is to be asked for."""
    if set(user) <= {"accountId", "self"}:
        return {"accountId": user.get("accountId")}
    return user
