"""What Confluence and Jira share: their options, and people.

On Cloud a person is an account id and the e-mail is empty where the person hides it; on Data
Center a person is a user name, and Confluence tells no e-mail at all.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from knowledge.sources.kind import Options
from knowledge.sources.readers import NOBODY, READER_OPTIONS, Granting, email, yes

Json = Mapping[str, Any]

ATLASSIAN_OPTIONS = {
    "token": "an API token (Cloud) or a personal access token (Data Center), as env:NAME",
    "email": "Cloud: the e-mail of the token's account; Data Center: a user name, if the token is "
    "a password",
    "cloud": "yes or no, where the address does not tell (default: yes for *.atlassian.net)",
    "username_domain": "Data Center: a user name NAME is the e-mail NAME@DOMAIN",
    "full_hours": "hours between full listings, which find what was deleted and whose rights "
    "changed (default 24; 0: each time)",
    **READER_OPTIONS,
}
ACCOUNTS_AT_ONCE = 100


def is_cloud(location: str, options: Options) -> bool:
    """Whether a site is in Atlassian's Cloud."""
    host = urlsplit(location).hostname or ""
    return yes(options, "cloud", default=host.endswith((".atlassian.net", "api.atlassian.com")))


@dataclass(slots=True)
class People:
    """Resolves accounts and groups to principals, each group once a run."""

    granting: Granting
    members: Callable[[str, str | None], AsyncIterator[Json]]
    """Tells the members of a group by its name and id; raises SourceError."""
    accounts: Callable[[Sequence[str]], Awaitable[Iterable[Json]]]
    """Tells about accounts that are known by id only."""
    username_domain: str | None = None
    _groups: dict[str, frozenset[str]] = field(default_factory=dict)
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def user(self, user: Json) -> frozenset[str]:
        """The principal of an account as the vendor tells it; nobody where the e-mail is hidden."""
        if user.get("active") is False or user.get("accountType") in {"app", "customer"}:
            return NOBODY
        names = [user.get(key) for key in ("accountId", "username", "name", "userKey", "key")]
        given = self.granting.person(*names) or user.get("emailAddress") or user.get("email")
        username = user.get("username") or user.get("name")
        if not given and self.username_domain and username:
            given = self._composed(str(username))
        return email(given)

    async def users(self, users: Iterable[Json]) -> frozenset[str]:
        """The principals of accounts; those with nothing but an id are asked for, many at once."""
        found: set[str] = set()
        unknown: list[str] = []
        for user in users:
            resolved = self.user(user)
            account = str(user.get("accountId") or "")
            if resolved or not account or set(user) - {"accountId", "type"}:
                found |= resolved
            elif account in self._known:
                found |= self._known[account]
            else:
                unknown.append(account)
        for start in range(0, len(unknown), ACCOUNTS_AT_ONCE):
            asked = unknown[start : start + ACCOUNTS_AT_ONCE]
            self._known |= dict.fromkeys(asked, NOBODY)
            for user in await self.accounts(asked):
                self._known[str(user.get("accountId"))] = self.user(user)
        return frozenset(found.union(*(self._known[account] for account in unknown)))

    async def group(self, name: str | None, group_id: str | None = None) -> frozenset[str]:
        """The principals of a group: as mapped, else its members."""
        mapped = self.granting.group(name, group_id)
        if mapped is not None:
            return mapped
        key = str(group_id or name)
        if key not in self._groups:
            members = [member async for member in self.members(name or "", group_id)]
            self._groups[key] = await self.users(members)
        return self._groups[key]

    def _composed(self, username: str) -> str:
        domain = str(self.username_domain).lower().lstrip("@")
        return username if username.lower().endswith(f"@{domain}") else f"{username}@{domain}"
