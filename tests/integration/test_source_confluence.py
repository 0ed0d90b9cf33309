"""Confluence: rights, edits, moves, deletions, and a site that refuses or is busy."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from knowledge.errors import SourceError
from knowledge.sources import load_source
from knowledge.sources.confluence.wiki import ConfluenceSource
from knowledge.sources.patience import Patience
from tests.vendors.confluence import EMAIL, TOKEN, ConfluenceServer, Content
from tests.vendors.server import Fault
from tests.vendors.telling import tell

ANN, BOB, CAT = "email:ann@acme.example", "email:bob@acme.example", "email:cat@acme.example"


@pytest.fixture(params=[True, False], ids=["cloud", "data-center"])
async def server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConfluenceServer]:
    """A site with one page, which the two of the group staff may read."""
    monkeypatch.setenv("TOKEN", TOKEN)
    server = ConfluenceServer(cloud=request.param)
    await server.start()
    server.put(Content("10", "Leave", "ENG", "<p>Leave is 25 days.</p>"))
    yield server
    await server.close()
    assert not server.media.leaked, "the token went to another host"


def source_of(server: ConfluenceServer, **options: Any) -> ConfluenceSource:
    """The site as a source, with short waits."""
    given: dict[str, Any] = {"token": "env:TOKEN", "cloud": "yes" if server.cloud else "no"}
    given |= {"email": EMAIL} if server.cloud else {"username_domain": "acme.example"}
    source = load_source("confluence", server.location, given | options)
    assert isinstance(source, ConfluenceSource)
    source.site.api.vendor.patience = Patience(first_wait_seconds=0.01)
    return source


# rights


async def test_a_page_is_for_those_who_may_view_its_space(server: ConfluenceServer) -> None:
    server.viewers["ENG"].append(("user", "cat"))
    server.emails["cat"] = "Cat@ACME.example"
    assert (await tell(source_of(server))).readers == {"10": {ANN, BOB, CAT}}


async def test_a_restricted_page_is_for_those_whom_it_names(server: ConfluenceServer) -> None:
    server.put(Content("11", "Pay", "ENG", users=["ann"]))
    server.groups["leads"] = ["bob"]
    server.put(Content("12", "Plans", "ENG", users=["ann"], groups=["leads"]))
    told = await tell(source_of(server))
    assert told.readers == {"10": {ANN, BOB}, "11": {ANN}, "12": {ANN, BOB}}


async def test_a_restriction_does_not_open_a_space(server: ConfluenceServer) -> None:
    server.emails["cat"] = "cat@acme.example"
    server.put(Content("11", "Pay", "ENG", users=["ann", "cat"]))
    assert (await tell(source_of(server))).readers["11"] == {ANN}


async def test_a_restriction_is_inherited_by_all_below_and_by_attachments(
    server: ConfluenceServer,
) -> None:
    server.put(Content("20", "Board", "ENG", users=["ann"]))
    server.put(Content("21", "Minutes", "ENG", parent="20"))
    server.put(Content("22", "May", "ENG", parent="21", groups=["staff"]))
    server.put(Content("23", "may.txt", "ENG", type="attachment", parent="22", file=b"Minutes."))
    readers = (await tell(source_of(server))).readers
    assert readers == {"10": {ANN, BOB}, **{key: {ANN} for key in ("20", "21", "22", "23")}}


async def test_two_restrictions_that_nobody_passes_skip_the_page(server: ConfluenceServer) -> None:
    server.put(Content("20", "Board", "ENG", users=["ann"]))
    server.put(Content("21", "Minutes", "ENG", parent="20", users=["bob"]))
    told = await tell(source_of(server))
    assert told.readers == {"10": {ANN, BOB}, "20": {ANN}}
    assert "nobody" in told.skipped["21"]


async def test_a_restricted_folder_above_a_page_is_asked_for_once(
    server: ConfluenceServer,
) -> None:
    server.folders["77"] = ((), ())
    server.folders["78"] = (["bob"], ())
    for number in range(5):
        server.put(Content(f"3{number}", f"In {number}", "ENG", parent="77"))
    server.put(Content("40", "Under", "ENG", parent="78"))
    readers = (await tell(source_of(server))).readers
    assert readers["30"] == readers["34"] == {ANN, BOB}
    assert readers["40"] == {BOB}
    assert sum("/77/restriction" in path for path in server.requests) == 1


async def test_a_page_under_something_unknown_is_for_nobody(server: ConfluenceServer) -> None:
    server.put(Content("30", "Lost", "ENG", parent="404"))
    told = await tell(source_of(server))
    assert told.readers.keys() == {"10"}
    assert "map=" in told.skipped["30"]


async def test_an_attachment_of_a_comment_is_for_nobody(server: ConfluenceServer) -> None:
    server.put(Content("19", "Remark", "ENG", type="comment"))
    server.put(Content("23", "may.txt", "ENG", type="attachment", parent="19", file=b"Minutes."))
    told = await tell(source_of(server))
    assert told.readers.keys() == {"10"}
    assert "nobody" in told.skipped["23"]


async def test_a_deleted_group_that_is_still_named_grants_nobody(server: ConfluenceServer) -> None:
    server.put(Content("11", "Pay", "ENG", groups=["gone"]))
    server.put(Content("12", "Own", "ENG", groups=["gone"], users=["ann"]))
    told = await tell(source_of(server))
    assert told.readers == {"10": {ANN, BOB}, "12": {ANN}}
    assert "nobody" in told.skipped["11"]


async def test_each_group_is_expanded_once(server: ConfluenceServer) -> None:
    for number in range(8):
        server.put(Content(f"5{number}", f"P{number}", "ENG", groups=["staff"]))
    await tell(source_of(server))
    first = [
        p for p in server.requests if "member" in p and "after-" not in p and "start=" not in p
    ]
    assert len(first) == 1


async def test_a_hidden_person_grants_nobody_until_the_people_file_names_it(
    server: ConfluenceServer, tmp_path: Path
) -> None:
    server.emails["ann"] = ""
    server.put(Content("11", "Pay", "ENG", users=["ann"]))
    options = {} if server.cloud else {"username_domain": ""}
    told = await tell(source_of(server, **options))
    assert "people" in told.skipped["11"]
    people = tmp_path / "people.csv"
    people.write_text("account,email\nann,Ann@Acme.example\n")
    told = await tell(source_of(server, people=str(people), **options))
    assert told.readers["11"] == {ANN}


async def test_a_mapped_group_is_its_principal_and_is_not_expanded(
    server: ConfluenceServer,
) -> None:
    server.groups["hr"] = ["ann"]
    server.put(Content("11", "Pay", "ENG", groups=["hr"]))
    server.put(Content("12", "Own", "ENG", users=["ann"]))
    told = await tell(source_of(server, map="Staff:everyone,hr:group:T1:S1"))
    assert told.readers == {"10": {"everyone"}, "11": {"group:T1:S1"}, "12": {ANN}}
    assert not any("member" in path for path in server.requests)


async def test_what_the_public_may_view_is_for_nobody_unless_it_is_said(
    server: ConfluenceServer,
) -> None:
    if server.cloud:
        pytest.skip("the Cloud's permissions do not name the public")
    server.viewers["ENG"] = [("anonymous", "")]
    assert (await tell(source_of(server))).readers == {}
    told = await tell(source_of(server, public_readers="everyone"))
    assert told.readers == {"10": {"everyone"}}


async def test_the_permissions_of_an_old_data_center_are_read(server: ConfluenceServer) -> None:
    if server.cloud:
        pytest.skip("the Cloud has no JSON-RPC interface")
    server.rest_permissions = False
    server.viewers["ENG"] = [("group", "staff"), ("user", "cat")]
    assert (await tell(source_of(server))).readers == {"10": {ANN, BOB, CAT}}


async def test_rights_of_the_source_ask_the_vendor_for_none(server: ConfluenceServer) -> None:
    server.put(Content("11", "Pay", "ENG", users=["ann"]))
    told = await tell(source_of(server, rights="source"))
    assert [each.principals for each in told.documents.values()] == [None, None]
    assert not any("permissions" in path or "member" in path for path in server.requests)


# what is told


async def test_all_pages_are_listed_and_their_bodies_fetched_many_at_once(
    server: ConfluenceServer,
) -> None:
    for number in range(100, 160):
        server.put(Content(str(number), f"Page {number}", "ENG", f"<p>Text {number}.</p>"))
    told = await tell(source_of(server))
    assert len(told.documents) == 61
    before = len(server.requests)
    for number in range(100, 160):
        assert f"Text {number}.".encode() in await told.documents[str(number)].load()
    batches = [
        path for path in server.requests[before:] if "cursor" not in path and "start" not in path
    ]
    assert len(batches) == 3


async def test_attachments_are_documents_and_pictures_are_named(server: ConfluenceServer) -> None:
    server.put(Content("11", "plan.md", "ENG", type="attachment", parent="10", file=b"# Plan"))
    server.put(Content("12", "map.png", "ENG", type="attachment", parent="10", file=b"png"))
    told = await tell(source_of(server))
    plan = told.documents["11"]
    assert (plan.media_type, plan.title) == ("text/markdown", "plan.md")
    assert await plan.load() == b"# Plan"
    assert told.readers["11"] == {ANN, BOB}
    assert told.skipped == {"12": "map.png: is of a type that is not read (.png)"}
    told = await tell(source_of(server, attachments="no"))
    assert told.documents.keys() == {"10"}


async def test_spaces_and_labels_choose(server: ConfluenceServer) -> None:
    for key, kind in {"HR": "global", "OLD": "global", "~ann": "personal", "OPS": "global"}.items():
        server.spaces[key] = kind
        server.viewers[key] = [("user", "ann")]
        server.put(Content(f"in-{key.strip('~')}", key, key))
    server.put(Content("11", "Draft", "ENG", labels=["draft", "wip"]))
    told = await tell(source_of(server, exclude_spaces="OLD", exclude_labels="draft"))
    assert told.documents.keys() == {"10", "in-HR", "in-OPS"}
    assert "draft" in told.skipped["11"]
    told = await tell(source_of(server, personal="yes"))
    assert "in-ann" in told.documents
    told = await tell(source_of(server, spaces="HR, ~ann"))
    assert told.documents.keys() == {"in-HR", "in-ann"}
    with pytest.raises(SourceError, match="no space NO"):
        await tell(source_of(server, spaces="HR,NO"))


async def test_a_document_knows_its_address_and_time(server: ConfluenceServer) -> None:
    page = (await tell(source_of(server))).documents["10"]
    assert page.url == f"{server.location}/spaces/ENG/pages/10"
    assert page.modified_at == server.contents["10"].when


# what has changed


async def test_between_full_listings_only_what_was_edited_is_told(
    server: ConfluenceServer,
) -> None:
    old = datetime.now(UTC) - timedelta(days=30)
    for number in range(20, 40):
        server.put(Content(str(number), f"P{number}", "ENG", when=old))
    server.contents["10"].when = old
    first = await tell(source_of(server))
    assert first.last.complete
    server.put(Content("10", "Leave", "ENG", "<p>30 days.</p>"))
    second = await tell(source_of(server), first.last.cursor)
    assert second.documents.keys() == {"10"}
    assert not second.last.complete
    assert second.documents["10"].fingerprint != first.documents["10"].fingerprint
    assert b"30 days" in await second.documents["10"].load()


async def test_an_edited_attachment_has_the_rights_of_a_page_that_was_not_edited(
    server: ConfluenceServer,
) -> None:
    old = datetime.now(UTC) - timedelta(days=30)
    server.put(Content("20", "Board", "ENG", users=["ann"], when=old))
    server.put(Content("21", "Minutes", "ENG", parent="20", when=old))
    first = await tell(source_of(server))
    server.put(Content("23", "may.txt", "ENG", type="attachment", parent="21", file=b"May."))
    second = await tell(source_of(server), first.last.cursor)
    assert second.readers["23"] == {ANN}


async def test_a_full_listing_finds_what_was_moved_and_whose_rights_changed(
    server: ConfluenceServer,
) -> None:
    server.put(Content("20", "Board", "ENG", users=["ann"]))
    server.put(Content("21", "Minutes", "ENG"))
    first = await tell(source_of(server, full_hours="0"))
    server.contents["21"].parent = "20"  # moved: no new version
    server.groups["staff"].remove("bob")
    second = await tell(source_of(server, full_hours="0"), first.last.cursor)
    assert second.last.complete
    assert second.readers == {"10": {ANN}, "20": {ANN}, "21": {ANN}}
    assert second.documents["21"].fingerprint == first.documents["21"].fingerprint


async def test_other_options_tell_everything_anew(server: ConfluenceServer) -> None:
    first = await tell(source_of(server))
    second = await tell(source_of(server, attachments="no"), first.last.cursor)
    assert second.last.complete


async def test_single_pages_are_told_anew(server: ConfluenceServer) -> None:
    server.put(Content("11", "Pay", "ENG", users=["ann"]))
    changes = [each async for each in source_of(server).again(["11", "404"])]
    assert [type(each).__name__ for each in changes] == ["SourceDocument", "Removed"]
    assert changes[0].principals == {ANN}  # type: ignore[union-attr]


# what goes wrong


async def test_a_busy_site_is_asked_again_when_it_says(server: ConfluenceServer) -> None:
    server.faults.extend(
        [
            Fault(429, path="content/search", headers={"Retry-After": "0"}),
            Fault(503, path="content/search"),
            Fault(500, path="permissions"),
            Fault(502, path="member"),
        ]
    )
    assert (await tell(source_of(server))).readers == {"10": {ANN, BOB}}
    assert not server.faults


async def test_a_site_that_stays_busy_is_given_up(server: ConfluenceServer) -> None:
    server.faults.extend([Fault(503, path="content/search")] * 99)
    with pytest.raises(SourceError, match=r"busy.*again later"):
        await tell(source_of(server))
    assert 90 < len(server.faults) < 97


async def test_too_long_a_wait_is_not_waited_for(server: ConfluenceServer) -> None:
    server.faults.append(Fault(429, path="content/search", headers={"Retry-After": "7200"}))
    with pytest.raises(SourceError, match=r"rate limit"):
        await tell(source_of(server))


async def test_a_refused_token_says_what_to_do(server: ConfluenceServer) -> None:
    server.expected_authorization = "Basic another"
    with pytest.raises(SourceError, match=r"401.*new API token.*option token"):
        await tell(source_of(server))


async def test_a_forbidden_part_is_an_error_and_not_an_empty_space(
    server: ConfluenceServer,
) -> None:
    server.faults.append(Fault(403, path="permissions"))
    with pytest.raises(SourceError, match=r"space ENG.*rights=source"):
        await tell(source_of(server))


async def test_a_log_in_page_is_not_taken_for_an_answer(server: ConfluenceServer) -> None:
    server.faults.append(Fault(200, text="<html>Log in</html>"))
    with pytest.raises(SourceError, match="not JSON"):
        await tell(source_of(server))


async def test_the_next_page_is_not_fetched_from_another_host(server: ConfluenceServer) -> None:
    body = {"results": [], "_links": {"next": f"{server.media.url}/steal"}}
    server.faults.append(Fault(200, path="space", body=body))
    with pytest.raises(SourceError, match="another host"):
        await tell(source_of(server))


def test_a_wrong_option_says_what_to_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    wiki = "https://acme.atlassian.net/wiki"
    given = {"token": "env:TOKEN", "email": EMAIL}
    bad = tmp_path / "people.csv"
    bad.write_text("account,email\nann,nowhere\n")
    cases: list[tuple[str, dict[str, str], str]] = [
        ("acme", given, "not a URL"),
        (wiki, {"email": EMAIL}, "token=env"),
        (wiki, {"token": "env:TOKEN"}, "email="),
        (wiki, {**given, "map": "staff"}, "GROUP:PRINCIPAL"),
        (wiki, {**given, "rights": "mine"}, "vendor, source"),
        (wiki, {**given, "full_hours": "soon"}, "hours"),
        (wiki, {**given, "people": str(tmp_path / "no.csv")}, "cannot be read"),
        (wiki, {**given, "people": str(bad)}, "row without"),
    ]
    for location, options, said in cases:
        with pytest.raises(SourceError, match=said):
            load_source("confluence", location, options)
