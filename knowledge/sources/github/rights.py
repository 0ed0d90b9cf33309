"""Who may read a repository, as principals. GitHub hides most people's e-mails."""

from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.errors import SourceError
from knowledge.sources.github.api import GitHub, Json, NotThereError, forbids
from knowledge.sources.readers import EVERYONE, Granting, email

_PEOPLE = """
query ($owner: String!, $name: String!, $after: String%(declared)s) {
  repository(owner: $owner, name: $name) {
    collaborators(affiliation: ALL, first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { login email %(verified)s }
    }
  }
}
"""
_OF_A_USER = _PEOPLE % {"declared": "", "verified": ""}
# Addresses of the organisation's own domains, which it has verified, where it has any.
_OF_AN_ORGANISATION = _PEOPLE % {
    "declared": ", $organisation: String!",
    "verified": "organizationVerifiedDomainEmails(login: $organisation)",
}


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read a repository, or why nobody is known who may."""

    principals: frozenset[str] | None
    """None: the source's own readers."""
    reason: str = ""


async def readers(api: GitHub, repository: Json, granting: Granting) -> Readers:
    """Who may read a repository: all collaborators, by teams and ownership too."""
    if not granting.vendor:
        return Readers(None)
    wide = {"public": granting.public, "internal": granting.domain}
    if EVERYONE in wide.get(repository.get("visibility", ""), ()):
        return Readers(frozenset({EVERYONE}))
    try:
        found = await _teams(api, repository, granting) | await _people(api, repository, granting)
    except (NotThereError, SourceError) as error:
        if isinstance(error, SourceError) and not forbids(error):
            raise
        return Readers(
            frozenset(),
            f"shows the token not who may read it ({error}): set rights=source, or take a token "
            "of an account that may push, with the scopes read:org and user:email",
        )
    return Readers(
        frozenset(found),
        ""
        if found
        else "may be read by nobody whose e-mail is known: name the people in the file of the "
        "option people (account,email), map a team (map=TEAM:PRINCIPAL), or set public_readers",
    )


async def _teams(api: GitHub, repository: Json, granting: Granting) -> set[str]:
    """What teams are mapped to; the others' members are among the people."""
    found: set[str] = set()
    if granting.groups:
        try:
            async for team in api.all(f"/repos/{repository['full_name']}/teams?per_page=100"):
                found |= granting.group(team["slug"], team["name"]) or frozenset()
        except NotThereError:  # of a user's repository
            return found
    return found


async def _people(api: GitHub, repository: Json, granting: Granting) -> set[str]:
    owner, _, name = repository["full_name"].partition("/")
    of_organisation = repository["owner"]["type"] == "Organization"
    more = {"organisation": owner} if of_organisation else {}
    query = _OF_AN_ORGANISATION if of_organisation else _OF_A_USER
    found: set[str] = set()
    after: str | None = None
    while True:
        data = await api.query(query, owner=owner, name=name, after=after, **more)
        page = data["repository"]["collaborators"]
        for person in page["nodes"]:
            for address in _addresses(person, granting):
                found |= email(address)
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def _addresses(person: Json, granting: Granting) -> Sequence[str]:
    """Where the administrator names an address, it is that one; else what GitHub shows."""
    named = granting.person(person["login"])
    if named:
        return [named]
    verified: Sequence[str] = person.get("organizationVerifiedDomainEmails") or ()
    return verified or [person.get("email") or ""]
