"""SharePoint: rights, deltas, pages, and a Graph that refuses or is busy."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from knowledge.errors import SourceError
from knowledge.parsing import parse
from knowledge.sources import load_source
from knowledge.sources.patience import Patience
from knowledge.sources.sharepoint.library import SharePointSource
from tests.vendors.graph import (
    ANYBODY,
    CLIENT,
    LOCATION,
    SECRET,
    TENANT,
    GraphServer,
    Item,
    SitePage,
    granted,
    link,
    person,
)
from tests.vendors.server import Fault
from tests.vendors.telling import tell

ANN, BOB, CAT = (f"email:{name}@acme.example" for name in ("ann", "bob", "cat"))
DRIVE = "drive-1"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GraphServer]:
    """A site with one file."""
    monkeypatch.setenv("SECRET", SECRET)
    server = GraphServer()
    await server.start()
    server.put(Item("i1", "leave.md", b"# Leave", permissions=ANYBODY))
    yield server
    await server.close()
    assert not server.files.leaked, "the token went to another host"


def source_of(server: GraphServer, **options: Any) -> SharePointSource:
    """The site as a source, with short waits."""
    given = {
        "tenant": TENANT,
        "client_id": CLIENT,
        "client_secret": "env:SECRET",
        "graph_url": f"{server.url}/v1.0",
        "login_url": server.url,
    }
    source = load_source("sharepoint", LOCATION, given | options)
    assert isinstance(source, SharePointSource)
    source.graph.api.vendor.patience = Patience(first_wait_seconds=0.01)
    return source


async def readers_of(server: GraphServer, *permissions: Any, **options: Any) -> set[str]:
    """The readers of a file with these permissions; none where it is skipped."""
    server.put(Item("i2", "plan.md", b"# Plan", permissions=permissions))
    return (await tell(source_of(server, **options))).readers.get(f"{DRIVE}/i2", set())


# rights


async def test_a_file_is_for_those_whom_its_permissions_name(server: GraphServer) -> None:
    server.people["b1"] = {"mail": "Bob@acme.example", "userPrincipalName": "b@acme.example"}
    server.people["c1"] = {"mail": None, "userPrincipalName": "cat@acme.example"}
    named = [person("Ann@acme.example"), person(user_id="b1"), person(user_id="c1")]
    assert await readers_of(server, *named) == {ANN, BOB, CAT}
    assert sum("getByIds" in path for path in server.requests) == 1


async def test_a_group_is_expanded_to_its_people_once(server: GraphServer) -> None:
    server.people |= {
        "a1": {"mail": "ann@acme.example", "userPrincipalName": "ann@acme.example"},
        "b1": {"mail": "bob@acme.example", "accountEnabled": False},
        "g1": {"mail": None, "userPrincipalName": "eve_other.example#EXT#@acme.example"},
        "g2": {"mail": "zoe@other.example", "userPrincipalName": "zoe_other#EXT#@acme.example"},
        "c1": {"mail": "cat@acme.example"},
    }
    server.groups["hr"] = ["a1", "b1", "g1", "g2", "c1"]
    for number in range(30):
        hr = granted("group", id="hr", displayName="HR")
        server.put(Item(f"j{number}", f"{number}.md", b"x", permissions=[hr]))
    readers = (await tell(source_of(server))).readers
    assert (
        readers[f"{DRIVE}/j0"] == readers[f"{DRIVE}/j29"] == {ANN, CAT, "email:zoe@other.example"}
    )
    first = [p for p in server.requests if "transitiveMembers" in p and "skiptoken" not in p]
    assert len(first) == 1


async def test_a_group_that_is_gone_and_a_site_group_grant_nobody(server: GraphServer) -> None:
    site_group = granted("siteGroup", id="5", displayName="HR Members", loginName="HR Members")
    assert await readers_of(server, site_group, granted("group", id="no")) == set()
    told = await tell(source_of(server))
    assert "map=" in told.skipped[f"{DRIVE}/i2"]
    mapped = await readers_of(server, site_group, map="hr members:group:T1:S1")
    assert mapped == {"group:T1:S1"}


async def test_sharepoints_own_names_are_read(server: GraphServer) -> None:
    server.people["a1"] = {"mail": "ann@acme.example"}
    server.groups["aaaa-1"] = ["a1"]
    names = {
        "i:0#.f|membership|bob@acme.example": {BOB},
        "c:0t.c|tenant|AAAA-1": {ANN},
        "c:0o.c|federateddirectoryclaimprovider|aaaa-1": {ANN},
        "c:0o.c|federateddirectoryclaimprovider|aaaa-1_o": set(),
        "c:0-.f|rolemanager|spo-grid-all-users/tenant": set(),
        "c:0(.s|true": set(),
        "i:0i.t|00000003|app@sharepoint": set(),
    }
    for name, readers in names.items():
        assert await readers_of(server, granted("siteUser", loginName=name)) == readers, name
    everyone = granted("siteUser", loginName="c:0-.f|rolemanager|spo-grid-all-users/tenant")
    assert await readers_of(server, everyone, domain_readers="everyone") == {"everyone"}


async def test_links_grant_whom_they_name_and_the_wide_ones_what_is_said(
    server: GraphServer,
) -> None:
    assert await readers_of(server, link("users", "bob@acme.example")) == {BOB}
    assert await readers_of(server, link("organization"), person("ann@acme.example")) == {ANN}
    assert await readers_of(server, link("anonymous")) == set()
    wide = [link("organization"), person("ann@acme.example")]
    assert await readers_of(server, *wide, domain_readers="everyone") == {"everyone", ANN}
    assert await readers_of(server, link("organization"), public_readers="everyone") == set()
    assert await readers_of(server, link("anonymous"), public_readers="everyone") == {"everyone"}


async def test_a_permission_that_has_ended_grants_nobody(server: GraphServer) -> None:
    now = datetime.now(UTC)
    past = {**person("ann@acme.example"), "expirationDateTime": str(now - timedelta(hours=1))}
    coming = {**person("bob@acme.example"), "expirationDateTime": str(now + timedelta(hours=1))}
    powerless = {**person("cat@acme.example"), "roles": []}
    assert await readers_of(server, past, coming, powerless) == {BOB}


async def test_many_permissions_are_read_to_the_last(server: GraphServer) -> None:
    many = [person(f"p{number}@acme.example") for number in range(11)]
    assert len(await readers_of(server, *many)) == 11


async def test_permissions_are_asked_for_twenty_in_one_request(server: GraphServer) -> None:
    for number in range(45):
        server.put(Item(f"j{number}", f"{number}.md", b"x", permissions=ANYBODY))
    told = await tell(source_of(server))
    assert len(told.documents) == 46
    assert sum("batch" in path for path in server.requests) == 3
    assert not any("permissions" in path for path in server.requests)


async def test_rights_of_the_source_ask_for_none(server: GraphServer) -> None:
    told = await tell(source_of(server, rights="source"))
    assert told.documents[f"{DRIVE}/i1"].principals is None
    assert not any("batch" in path for path in server.requests)


# files and pages


async def test_what_is_not_read_is_named(server: GraphServer) -> None:
    server.put(Item("f1", "Plans", folder=True))
    server.put(Item("i2", "photo.jpg", b"x"))
    server.put(Item("i3", "old.doc", b"x"))
    told = await tell(source_of(server))
    assert told.documents.keys() == {f"{DRIVE}/i1"}
    assert told.skipped == {
        f"{DRIVE}/i2": "photo.jpg: is of a type that is not read (.jpg)",
        f"{DRIVE}/i3": "old.doc: is of an old format: save it as .docx",
    }


async def test_pages_are_read_with_all_their_web_parts(server: GraphServer) -> None:
    image = {
        "title": "Map",
        "serverProcessedContent": {"searchablePlainTexts": [{"value": "Site"}]},
    }
    parts: list[dict[str, Any]] = [
        {
            "@odata.type": "#microsoft.graph.textWebPart",
            "innerHtml": "<h2>Hours</h2><p>Nine to five</p>",
        },
        {"@odata.type": "#microsoft.graph.standardWebPart", "data": image},
    ]
    server.pages["p1"] = SitePage("p1", "Opening", parts, permissions=ANYBODY)
    server.pages["p2"] = SitePage("p2", "Draft", level="draft")
    told = await tell(source_of(server))
    page = told.documents["pages/p1"]
    assert told.readers["pages/p1"] == {ANN}
    assert page.url == f"{LOCATION}/SitePages/p1.aspx"
    parsed = parse(await page.load(), page.key, page.media_type)
    assert parsed.title == "Opening"
    assert parsed.pages[0].markdown == "# Opening\n\n## Hours\n\nNine to five\n\n**Map**\n\nSite"
    assert "draft" in told.skipped["pages/p2"]
    assert (await tell(source_of(server, pages="no"))).documents.keys() == {f"{DRIVE}/i1"}


async def test_pages_are_fetched_twenty_in_one_request(server: GraphServer) -> None:
    for number in range(30):
        server.pages[f"p{number}"] = SitePage(f"p{number}", f"Page {number}", permissions=ANYBODY)
    told = await tell(source_of(server))
    before = len(server.requests)
    for number in range(30):
        assert f"Page {number}".encode() in await told.documents[f"pages/p{number}"].load()
    assert sum("batch" in path for path in server.requests[before:]) == 2


async def test_libraries_are_chosen_by_name(server: GraphServer) -> None:
    server.libraries["drive-2"] = "Policies"
    assert (await tell(source_of(server, libraries="Policies"))).documents == {}
    with pytest.raises(SourceError, match=r"no document library No.*Documents, Policies"):
        await tell(source_of(server, libraries="No"))


# what has changed


async def test_a_delta_tells_only_what_changed_and_what_is_gone(server: GraphServer) -> None:
    for number in range(10):
        server.put(Item(f"j{number}", f"{number}.md", b"x", permissions=ANYBODY))
    server.pages["p1"] = SitePage("p1", "One", permissions=ANYBODY)
    first = await tell(source_of(server))
    assert first.last.complete
    server.put(Item("j3", "3.md", b"new", permissions=ANYBODY))
    server.delete("j4")
    del server.pages["p1"]
    second = await tell(source_of(server), first.last.cursor)
    assert second.documents.keys() == {f"{DRIVE}/j3"}
    assert second.removed == [f"{DRIVE}/j4", "pages/p1"]
    assert not second.last.complete
    assert await second.documents[f"{DRIVE}/j3"].load() == b"new"
    third = await tell(source_of(server), second.last.cursor)
    assert third.documents == {}


async def test_a_renamed_or_moved_file_keeps_its_key(server: GraphServer) -> None:
    first = await tell(source_of(server))
    server.put(Item("i1", "holidays.md", b"# Leave", permissions=[person("bob@acme.example")]))
    second = await tell(source_of(server), first.last.cursor)
    assert second.readers == {f"{DRIVE}/i1": {BOB}}
    assert second.documents[f"{DRIVE}/i1"].title == "holidays.md"


async def test_a_link_that_is_gone_tells_everything_anew(server: GraphServer) -> None:
    first = await tell(source_of(server))
    server.put(Item("i2", "plan.md", b"# Plan", permissions=ANYBODY))
    server.delete("i1")
    server.expired_before = 99
    second = await tell(source_of(server), first.last.cursor)
    assert second.documents.keys() == {f"{DRIVE}/i2"}
    assert second.last.complete


async def test_a_link_that_is_not_understood_tells_everything_anew(server: GraphServer) -> None:
    cursor = (await tell(source_of(server))).last.cursor
    assert cursor is not None
    cursor["drives"][DRIVE] = cursor["drives"][DRIVE].partition("token=")[0] + "token=other"
    again = await tell(source_of(server), cursor)
    assert again.documents.keys() == {f"{DRIVE}/i1"}
    assert again.last.complete


async def test_a_deleted_folder_or_library_tells_everything_anew(server: GraphServer) -> None:
    server.put(Item("f1", "Plans", folder=True))
    server.libraries["drive-2"] = "Policies"
    first = await tell(source_of(server))
    server.delete("f1")
    second = await tell(source_of(server), first.last.cursor)
    assert second.last.complete
    del server.libraries["drive-2"]
    assert (await tell(source_of(server), second.last.cursor)).last.complete


async def test_rights_are_looked_at_again_by_a_full_listing(server: GraphServer) -> None:
    first = await tell(source_of(server, full_hours="0"))
    server.items["i1"].permissions = [person("bob@acme.example")]  # Graph's delta is silent on it
    second = await tell(source_of(server, full_hours="0"), first.last.cursor)
    assert second.readers == {f"{DRIVE}/i1": {BOB}}
    assert second.last.complete


async def test_a_run_that_was_cut_goes_on_and_the_next_one_tells_everything(
    server: GraphServer,
) -> None:
    server.pages["p1"] = SitePage("p1", "One", permissions=ANYBODY)
    first = await tell(source_of(server))
    cut = next(c for c in first.changes if getattr(c, "cursor", None))
    second = await tell(source_of(server), cut.cursor)  # type: ignore[union-attr]
    assert second.documents.keys() == {"pages/p1"}
    assert not second.last.complete
    assert (await tell(source_of(server), second.last.cursor)).last.complete


async def test_single_files_and_pages_are_told_anew(server: GraphServer) -> None:
    server.pages["p1"] = SitePage("p1", "One", permissions=ANYBODY)
    keys = [f"{DRIVE}/i1", "pages/p1", f"{DRIVE}/no", "elsewhere/i1"]
    changes = [each async for each in source_of(server).again(keys)]
    assert [(type(each).__name__, each.key) for each in changes] == [
        ("SourceDocument", f"{DRIVE}/i1"),
        ("SourceDocument", "pages/p1"),
        ("Removed", f"{DRIVE}/no"),
        ("Removed", "elsewhere/i1"),
    ]


# what goes wrong


async def test_a_busy_graph_is_asked_again_inside_of_batches_too(server: GraphServer) -> None:
    for number in range(10):
        server.put(Item(f"j{number}", f"{number}.md", b"x", permissions=ANYBODY))
    server.throttled_in_batch = 7
    server.faults.extend([Fault(429, path="delta", headers={"Retry-After": "0"}), Fault(503)])
    told = await tell(source_of(server))
    assert len(told.readers) == 11
    assert not server.throttled_in_batch


async def test_a_batch_that_stays_busy_is_an_error_and_grants_nobody(server: GraphServer) -> None:
    server.throttled_in_batch = 10_000
    server.faults.extend([Fault(429, path="/permissions")] * 20)
    with pytest.raises(SourceError, match="busy"):
        await tell(source_of(server))


async def test_forbidden_permissions_are_an_error(server: GraphServer) -> None:
    server.groups["hr"] = []
    server.put(Item("i2", "x.md", permissions=[granted("group", id="hr")]))
    server.faults.append(Fault(403, path="groups/hr"))
    with pytest.raises(SourceError, match="403"):
        await tell(source_of(server))


async def test_a_refused_secret_says_what_to_do(
    server: GraphServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "wrong-secret")
    with pytest.raises(SourceError, match=r"AADSTS7000215.*new client secret") as refused:
        await tell(source_of(server))
    assert "wrong-secret" not in str(refused.value)


async def test_a_token_is_used_until_shortly_before_it_ends(server: GraphServer) -> None:
    source = source_of(server)
    await tell(source)
    await tell(source)
    assert server.signed_in == 1


def test_a_wrong_option_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    with pytest.raises(SourceError, match="site's URL"):
        load_source("sharepoint", "HR", {"client_secret": "env:SECRET"})
    with pytest.raises(SourceError, match="tenant, client_id"):
        load_source("sharepoint", LOCATION, {"client_secret": "env:SECRET"})
