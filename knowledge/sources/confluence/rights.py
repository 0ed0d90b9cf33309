"""Who may read a page: who may view its space, and passes the restrictions of the page and of
every page above it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.atlassian import Json, People
from knowledge.sources.confluence.site import ConfluenceSite
from knowledge.sources.readers import NOBODY, Granting, all_of

PAGES = {"page", "blogpost"}
"""What an attachment may hang on; a comment's own restrictions are not those of its page."""
Door = frozenset[str] | None
"""Who passes a restriction; None: it has none."""


@dataclass(slots=True)
class ConfluenceRights:
    """Answers for one run; each space, group and ancestor is asked for once."""

    site: ConfluenceSite
    people: People
    granting: Granting
    _spaces: dict[str, frozenset[str]] = field(default_factory=dict)
    _doors: dict[str, Door] = field(default_factory=dict)
    _containers: dict[str, Json | None] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    async def learn(self, contents: Iterable[Json]) -> None:
        """Take the restrictions and ancestors of listed pages, to not ask for them again."""
        for content in contents:
            if content.get("type") != "attachment":
                self._doors[str(content["id"])] = await self._restricted(content)
                self._containers[str(content["id"])] = content

    async def readers(self, content: Json, space: Json) -> frozenset[str]:
        """The principals of a page, blog post or attachment; nobody where it cannot be told."""
        page: Json | None = content
        if content.get("type") == "attachment":
            page = await self._container(content)
        if page is None or page.get("type") not in PAGES:
            return NOBODY
        chain = [str(page["id"]), *(str(each["id"]) for each in page.get("ancestors") or ())]
        doors = [await self._door(content_id) for content_id in chain]
        space_readers = await self._space(space)
        return all_of([space_readers, *(door for door in doors if door is not None)])

    async def _container(self, attachment: Json) -> Json | None:
        """The page of an attachment, with its ancestors."""
        container = str((attachment.get("container") or {}).get("id") or "")
        if not container:
            return None
        if container not in self._containers:
            page = await self.site.content(container)
            self._containers[container] = None
            if page is not None:
                await self.learn([page])
        return self._containers[container]

    async def _door(self, content_id: str) -> Door:
        if content_id not in self._doors:
            restriction = await self.site.restriction(content_id)
            self._doors[content_id] = (
                NOBODY if restriction is None else await self._passing(restriction)
            )
        return self._doors[content_id]

    async def _restricted(self, content: Json) -> Door:
        read = (content.get("restrictions") or {}).get("read")
        return NOBODY if read is None else await self._passing(read)

    async def _passing(self, read: Json) -> Door:
        restrictions = read.get("restrictions") or {}
        users = _results(restrictions.get("user"))
        groups = _results(restrictions.get("group"))
        if not users and not groups:
            return None
        found = set(await self.people.users(users))
        for group in groups:
            found |= await self.people.group(str(group.get("name") or ""), group.get("id"))
        return frozenset(found)

    async def _space(self, space: Json) -> frozenset[str]:
        key = str(space["key"])
        if key not in self._spaces:
            try:
                permissions = await self.site.permissions(space)
            except SourceError as error:
                raise SourceError(
                    f"The permissions of the space {key} cannot be read: {error} "
                    "Or say rights=source, and the source's own readers read everything."
                ) from error
            self._spaces[key] = await self._viewers(permissions)
        return self._spaces[key]

    async def _viewers(self, permissions: Iterable[Json]) -> frozenset[str]:
        found: set[str] = set()
        users: list[Json] = []
        for permission in permissions:
            for kind, name, group_id in _subjects(permission):
                if kind == "anonymous":
                    found |= self.granting.public
                elif kind == "access_class" and name == "all-licensed-users":
                    found |= self.granting.domain
                elif kind == "group":
                    found |= await self._group(name, group_id)
                elif kind == "user":
                    users.append({"accountId" if self.site.cloud else "username": name})
        return frozenset(found | await self.people.users(users))

    async def _group(self, name: str, group_id: str | None) -> frozenset[str]:
        if self.site.cloud and group_id and not name and self.granting.groups:
            if group_id not in self._names:
                self._names[group_id] = await self.site.group_name(group_id)
            name = self._names[group_id]
        return await self.people.group(name, group_id)


def _results(part: Any) -> list[Json]:
    return list((part or {}).get("results") or ())


def _subjects(permission: Json) -> list[tuple[str, str, str | None]]:
    """(kind, name, id) of those whom a permission lets view the space, whatever its form."""
    if "spacePermissions" in permission:  # JSON-RPC: a set of one type
        viewing = permission.get("type") == "VIEWSPACE"
        return [_of_set(one) for one in permission["spacePermissions"]] if viewing else []
    operation = permission.get("operation") or {}
    key = operation.get("key") or operation.get("operationKey") or operation.get("operation")
    if key != "read" or operation.get("targetType", "space") != "space":
        return []
    if "principal" in permission:  # Cloud
        principal: Mapping[str, Any] = permission["principal"]
        kind, identity = str(principal.get("type")).lower(), str(principal.get("id"))
        return [(kind, "" if kind == "group" else identity, identity)]
    if "subject" not in permission:
        return []
    subject: Mapping[str, Any] = permission["subject"] or {"type": "anonymous"}
    if subject.get("type") == "anonymous":
        return [("anonymous", "", None)]
    name = subject.get("username") or subject.get("name") or subject.get("displayName")
    return [("user" if subject.get("type") in {"user", "known"} else "group", str(name), None)]


def _of_set(one: Json) -> tuple[str, str, str | None]:
    if one.get("userName"):
        return "user", str(one["userName"]), None
    if one.get("groupName"):
        return "group", str(one["groupName"]), None
    return "anonymous", "", None
