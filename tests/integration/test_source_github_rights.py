"""Who may read a repository here: never more than there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from knowledge.errors import SourceError
from knowledge.sources import load_source
from tests.vendors.github import TOKEN, GitHubServer, Repository
from tests.vendors.server import Fault
from tests.vendors.telling import tell

ADA, BOB = "email:ada@acme.example", "email:bob@acme.example"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GitHubServer]:
    """GitHub without repositories."""
    monkeypatch.setenv("GH_TOKEN_OF_TEST", TOKEN)
    github = GitHubServer()
    await github.start()
    yield github
    await github.close()


def make(server: GitHubServer, *people: dict[str, Any], **more: Any) -> Repository:
    """A repository with a file and collaborators."""
    name = more.pop("name", "acme/handbook")
    return server.create(
        name, files={"a.md": b"A"}, collaborators=list(people), has_discussions=False, **more
    )


async def readers(
    server: GitHubServer, name: str = "acme/handbook", **options: str
) -> set[str] | str:
    """The principals of the repository's file, or the reason why it is skipped."""
    given = {"token": "env:GH_TOKEN_OF_TEST", "base_url": server.url, **options}
    telling = await tell(load_source("github", name, given))
    if telling.skipped:
        assert not telling.documents
        return telling.skipped[name]
    return telling.readers[f"{name}/a.md"]


async def test_collaborators_read_by_verified_address_else_by_the_public_one(
    server: GitHubServer,
) -> None:
    make(
        server,
        {"login": "ada", "email": "ada@home.example", "verified": ["Ada@acme.example"]},
        {"login": "bob", "email": "bob@acme.example"},
        {"login": "hidden"},
    )
    assert await readers(server) == {ADA, BOB}


async def test_a_user_s_repository_has_no_organisation_to_ask(server: GitHubServer) -> None:
    server.organisations.clear()
    make(server, {"login": "bob", "email": "bob@acme.example", "verified": ["no@x.example"]})
    assert await readers(server) == {BOB}


async def test_hidden_people_are_named_by_a_file(server: GitHubServer, tmp_path: Path) -> None:
    make(server, {"login": "Ada-L", "email": "other@home.example"}, {"login": "hidden"})
    people = tmp_path / "people.csv"
    people.write_text("account,email\nada-l,ada@acme.example\n")
    assert await readers(server, people=str(people)) == {ADA}


async def test_many_collaborators_are_all_asked_for(server: GitHubServer) -> None:
    people = [{"login": f"p{n}", "email": f"p{n}@acme.example"} for n in range(230)]
    make(server, *people)
    assert await readers(server) == {f"email:p{n}@acme.example" for n in range(230)}
    assert server.asked("/graphql") == 3


async def test_a_mapped_team_adds_what_it_is_mapped_to(server: GitHubServer) -> None:
    make(
        server,
        {"login": "hidden"},
        teams=[{"slug": "hr", "name": "HR"}, {"slug": "x", "name": "X"}],
    )
    assert await readers(server, map="hr:group:T1:S1") == {"group:T1:S1"}


async def test_wide_repositories_are_everyone_s_only_where_the_administrator_says_so(
    server: GitHubServer,
) -> None:
    person = {"login": "ada", "email": "ada@acme.example"}
    make(server, person, visibility="public")
    assert await readers(server) == {ADA}
    assert await readers(server, domain_readers="everyone") == {ADA}
    assert await readers(server, public_readers="everyone") == {"everyone"}
    make(server, person, visibility="internal")
    assert await readers(server, public_readers="everyone") == {ADA}
    assert await readers(server, domain_readers="everyone") == {"everyone"}
    make(server, person, visibility="private")
    wide = {"public_readers": "everyone", "domain_readers": "everyone"}
    assert await readers(server, **wide) == {ADA}


async def test_nobody_known_and_nobody_shown_are_skipped_with_what_to_do(
    server: GitHubServer,
) -> None:
    place = make(server, {"login": "hidden"})
    said = await readers(server)
    assert "nobody whose e-mail is known" in said
    place.collaborators = None
    said = await readers(server)
    assert "rights=source" in said
    given = {"token": "env:GH_TOKEN_OF_TEST", "base_url": server.url, "rights": "source"}
    telling = await tell(load_source("github", "acme/handbook", given))
    assert telling.documents["acme/handbook/a.md"].principals is None


async def test_a_broken_server_is_not_taken_for_a_repository_without_readers(
    server: GitHubServer,
) -> None:
    make(server, {"login": "ada", "email": "ada@acme.example"})
    server.faults.append(Fault(400, {"message": "Problems parsing JSON"}, path="/graphql"))
    with pytest.raises(SourceError, match="GitHub answers 400"):
        await readers(server)


async def test_other_collaborators_tell_everything_anew(server: GitHubServer) -> None:
    place = make(server, {"login": "ada", "email": "ada@acme.example"})
    given = {"token": "env:GH_TOKEN_OF_TEST", "base_url": server.url}

    async def run(cursor: dict[str, Any] | None) -> Any:
        return await tell(load_source("github", "acme/handbook", given), cursor)

    first = await run(None)
    assert not (await run(first.last.cursor)).documents
    place.collaborators = [{"login": "bob", "email": "bob@acme.example"}]
    second = await run(first.last.cursor)
    assert second.readers == {"acme/handbook/a.md": {BOB}}
    place.collaborators = []
    third = await run(second.last.cursor)
    assert not third.documents
    assert third.last.complete
