"""Who may read a file of Google Drive here: never more than there."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from knowledge.sources import Checkpoint, Skipped, SourceDocument, load_source
from tests.vendors.google import (
    DRIVE,
    ROOT,
    GoogleServer,
    anyone,
    credentials,
    domain,
    group,
    user,
)

Json = dict[str, Any]
PAST, FUTURE = "2026-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleServer]:
    """A Drive with an empty folder."""
    google = GoogleServer()
    await google.start()
    monkeypatch.setenv("GOOGLE_KEY", credentials(google.url))
    yield google
    await google.close()


async def readers(
    server: GoogleServer, permissions: Sequence[Json], drive: str = "", **options: str
) -> frozenset[str] | str | None:
    """The principals of a file with these permissions, or the reason why it is skipped."""
    place = drive or ROOT
    server.put_file("1File", "a.md", b"A", parent=place, permissions=permissions, drive=drive)
    given = {"credentials": "env:GOOGLE_KEY", "base_url": server.url}
    source = load_source("google_drive", place, {**given, **options})
    (change, last) = [change async for change in source.changes(None)]
    assert isinstance(last, Checkpoint)
    if isinstance(change, Skipped):
        return change.reason
    assert isinstance(change, SourceDocument)
    return change.principals


def member(address: str, kind: str = "USER", status: str = "ACTIVE") -> Json:
    return {"kind": "admin#directory#member", "email": address, "type": kind, "status": status}


ADA, BOB, EVE = "email:ada@acme.example", "email:bob@acme.example", "email:eve@else.example"


def for_(*principals: str) -> frozenset[str]:
    return frozenset(principals)


async def test_people_read_by_their_address(server: GoogleServer) -> None:
    given = [user("Ada@Acme.example"), user("eve@else.example")]
    assert await readers(server, given) == for_(ADA, EVE)


async def test_permissions_that_do_not_hold_grant_nobody(server: GoogleServer) -> None:
    given = [
        user("bob@acme.example", deleted=True),
        user("bob@acme.example", expirationTime=PAST),
        user("bob@acme.example", view="metadata"),
        user("ada@acme.example", expirationTime=FUTURE),
    ]
    assert await readers(server, given) == for_(ADA)


async def test_the_named_domain_is_everyone_and_another_is_nobody(server: GoogleServer) -> None:
    given = [domain("acme.example"), user("ada@acme.example")]
    assert await readers(server, given, domain="Acme.Example") == for_("everyone")
    assert await readers(server, given) == for_(ADA)
    assert await readers(server, given, domain="other.example") == for_(ADA)


async def test_a_link_grants_nobody_unless_the_administrator_says_so(
    server: GoogleServer,
) -> None:
    given = [domain("acme.example", found=False), anyone(), user("ada@acme.example")]
    assert await readers(server, given, domain="acme.example", public_readers="everyone") == for_(
        ADA
    )
    assert await readers(server, given, domain="acme.example", links="everyone") == for_("everyone")
    assert await readers(server, [anyone(), given[2]], links="everyone") == for_(ADA)
    wide = {"links": "everyone", "public_readers": "everyone"}
    assert await readers(server, [anyone()], **wide) == for_("everyone")
    assert await readers(server, [anyone(found=True)], public_readers="everyone") == for_(
        "everyone"
    )


async def test_groups_are_expanded_by_the_directory(server: GoogleServer) -> None:
    server.largest_page = 2
    server.groups["hr@acme.example"] = [
        member("ada@acme.example"),
        member("gone@acme.example", status="SUSPENDED"),
        member("inner@acme.example", kind="GROUP"),
        member("bob@acme.example"),
    ]
    given = [group("hr@acme.example")]
    found = await readers(server, given, directory_subject="admin@acme.example")
    assert found == for_(ADA, BOB)
    assert server.subjects == [None, "admin@acme.example"]
    assert server.asked("includeDerivedMembership=true") == 2


async def test_a_group_that_cannot_be_expanded_grants_nobody(server: GoogleServer) -> None:
    given = [group("hr@acme.example")]
    alone = await readers(server, given)
    assert isinstance(alone, str)
    assert "directory_subject" in alone
    unknown = await readers(server, given, directory_subject="admin@acme.example")
    assert isinstance(unknown, str)


async def test_a_mapped_group_is_what_it_is_mapped_to(server: GoogleServer) -> None:
    given = [group("hr@acme.example")]
    found = await readers(server, given, map="hr@acme.example:group:T1:S1")
    assert found == for_("group:T1:S1")


async def test_a_group_of_the_whole_organisation_is_everyone_of_the_domain(
    server: GoogleServer,
) -> None:
    server.groups["all@acme.example"] = [{"id": "C01", "type": "CUSTOMER"}]
    given, options = [group("all@acme.example")], {"directory_subject": "admin@acme.example"}
    assert await readers(server, given, domain="acme.example", **options) == for_("everyone")
    assert isinstance(await readers(server, given, **options), str)


async def test_other_members_of_a_group_tell_its_files_anew(server: GoogleServer) -> None:
    server.groups["hr@acme.example"] = [member("ada@acme.example")]
    server.put_file("1File", "a.md", b"A", permissions=[group("hr@acme.example")])
    options = {
        "credentials": "env:GOOGLE_KEY",
        "base_url": server.url,
        "directory_subject": "admin@acme.example",
    }

    async def run(cursor: Json | None) -> tuple[list[frozenset[str] | None], Json | None]:
        source = load_source("google_drive", ROOT, options)
        *changes, last = [change async for change in source.changes(cursor)]
        assert isinstance(last, Checkpoint)
        return [c.principals for c in changes if isinstance(c, SourceDocument)], last.cursor

    found, cursor = await run(None)
    assert found == [for_(ADA)]
    found, cursor = await run(cursor)
    assert found == []
    server.groups["hr@acme.example"] = [member("bob@acme.example")]
    found, cursor = await run(cursor)
    assert found == [for_(BOB)]


async def test_a_shared_drive_s_permissions_are_asked_for_once_for_alike_files(
    server: GoogleServer,
) -> None:
    given = [user(f"p{n}@acme.example") for n in range(130)]
    for number in range(30):
        server.put_file(
            f"1Same{number}", "a.md", b"A", parent=DRIVE, permissions=given, drive=DRIVE
        )
    server.put_file(
        "1Other", "b.md", b"B", parent=DRIVE, permissions=[user("ada@acme.example")], drive=DRIVE
    )
    source = load_source(
        "google_drive", DRIVE, {"credentials": "env:GOOGLE_KEY", "base_url": server.url}
    )
    found = [c async for c in source.changes(None) if isinstance(c, SourceDocument)]
    assert len(found) == 31
    everybody = for_(*(f"email:p{n}@acme.example" for n in range(130)))
    assert {c.key: c.principals for c in found} == {
        **{f"1Same{n}": everybody for n in range(30)},
        "1Other": for_(ADA),
    }
    assert server.asked("/permissions?") == 3  # two pages, and one of the other


async def test_a_file_that_hides_its_permissions_is_skipped_unless_the_source_s_readers_apply(
    server: GoogleServer,
) -> None:
    server.shows_permissions = False
    hidden = await readers(server, [user("ada@acme.example")])
    assert isinstance(hidden, str)
    assert "rights=source" in hidden
    assert await readers(server, [user("ada@acme.example")], rights="source") is None
