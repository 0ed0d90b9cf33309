"""Jira: rights, comments, edits, moves, and a site that refuses or is busy."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from knowledge.errors import SourceError
from knowledge.parsing import parse
from knowledge.sources import SourceDocument, load_source
from knowledge.sources.jira.tracker import JiraSource
from knowledge.sources.patience import Patience
from tests.vendors.jira import EMAIL, TOKEN, Comment, Issue, JiraServer
from tests.vendors.server import Fault
from tests.vendors.telling import tell

ANN, BOB, CAT = (f"email:{name}@acme.example" for name in ("ann", "bob", "cat"))


@pytest.fixture(params=[True, False], ids=["cloud", "data-center"])
async def server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[JiraServer]:
    """A site with one issue, which the three of the group staff may read."""
    monkeypatch.setenv("TOKEN", TOKEN)
    server = JiraServer(cloud=request.param)
    await server.start()
    server.put(Issue("10", "OPS-1", "Printer jams", "Open tray two."))
    yield server
    await server.close()
    assert not server.media.leaked, "the token went to another host"


def source_of(server: JiraServer, **options: Any) -> JiraSource:
    """The site as a source, with short waits."""
    given: dict[str, Any] = {"token": "env:TOKEN", "cloud": "yes" if server.cloud else "no"}
    given |= {"email": EMAIL} if server.cloud else {}
    source = load_source("jira", server.url, given | options)
    assert isinstance(source, JiraSource)
    source.site.api.vendor.patience = Patience(first_wait_seconds=0.01)
    return source


async def markdown(document: SourceDocument) -> str:
    """The document as the index reads it."""
    parsed = parse(await document.load(), document.key, document.media_type)
    return parsed.pages[0].markdown


# what an issue says


async def test_an_issue_has_a_head_its_description_and_all_its_comments(server: JiraServer) -> None:
    comments = [Comment(f"Comment number {number} of eight") for number in range(8)]
    server.put(
        Issue(
            "11",
            "OPS-2",
            "Fax <b> & co",
            "Text.",
            assignee="bob",
            labels=["fax"],
            comments=comments,
        )
    )
    document = (await tell(source_of(server))).documents["11"]
    text = await markdown(document)
    assert document.title == "OPS-2: Fax <b> & co"
    assert document.url == f"{server.url}/browse/OPS-2"
    assert text.startswith("# OPS-2: Fax")
    for line in ("Status: Done", "Assignee: Bob", "Labels: fax", "Components: Billing, Mail"):
        assert f"- {line}" in text
    assert "## Description\n\nText." in text
    assert [f"Comment number {n} of eight" in text for n in range(9)] == [True] * 8 + [False]
    assert text.count("### Ann, 2026-05-04") == 8


async def test_comments_for_fewer_people_are_left_out(server: JiraServer) -> None:
    hidden = [
        Comment("For developers.", visibility="Developers"),
        Comment("Agents.", internal=True),
    ]
    server.put(Issue("10", "OPS-1", "X", comments=[Comment("For all."), *hidden]))
    text = await markdown((await tell(source_of(server))).documents["10"])
    assert "For all." in text
    assert "developers" not in text
    assert "Agents" not in text


async def test_issues_are_listed_and_their_texts_fetched_many_at_once(server: JiraServer) -> None:
    for number in range(100, 160):
        server.put(Issue(str(number), f"OPS-{number}", f"Issue {number}", f"Text {number}."))
    told = await tell(source_of(server))
    assert len(told.documents) == 61
    before = len(server.requests)
    for number in range(100, 160):
        assert f"Text {number}.".encode() in await told.documents[str(number)].load()
    queries = {path.partition("jql=")[2].partition("&")[0] for path in server.requests[before:]}
    assert len(queries) == 2


async def test_attachments_are_documents_where_they_are_wanted(server: JiraServer) -> None:
    server.put(Issue("10", "OPS-1", "X", files={"log.txt": b"It broke.", "shot.png": b"png"}))
    assert (await tell(source_of(server))).documents.keys() == {"10"}
    told = await tell(source_of(server, attachments="yes"))
    (key,) = told.documents.keys() - {"10"}
    assert await told.documents[key].load() == b"It broke."
    assert told.readers[key] == {ANN, BOB, CAT}
    assert [*told.skipped.values()] == ["shot.png: is of a type that is not read (.png)"]


async def test_projects_and_a_condition_choose(server: JiraServer) -> None:
    server.projects |= {"HR": "ann", "OLD": "ann", "IT": "ann"}
    for number, key in enumerate(("HR", "OLD", "IT")):
        server.browse[key] = [server.group_holder("staff")]
        server.put(Issue(f"2{number}", f"{key}-1", key, labels=["public"] if key == "IT" else []))
    assert (await tell(source_of(server))).documents.keys() == {"10", "20", "21", "22"}
    told = await tell(source_of(server, exclude_projects="OLD"))
    assert told.documents.keys() == {"10", "20", "22"}
    told = await tell(source_of(server, projects="HR, IT"))
    assert told.documents.keys() == {"20", "22"}
    assert (await tell(source_of(server, jql="labels = public"))).documents.keys() == {"22"}
    with pytest.raises(SourceError, match="no project NO"):
        await tell(source_of(server, projects="NO"))


# rights


async def test_an_issue_is_for_the_holders_of_browse_projects(server: JiraServer) -> None:
    server.roles["10002"] = [("user", "ann"), ("group", "leads")]
    server.groups["leads"] = ["bob"]
    server.emails["eve"] = "eve@acme.example"
    server.browse["OPS"] = [{"type": "projectRole", "parameter": "10002", "value": "10002"}]
    assert (await tell(source_of(server))).readers == {"10": {ANN, BOB}}
    server.browse["OPS"] = [
        {"type": "user", "parameter": "cat" if server.cloud else "key-cat"},
        {"type": "projectLead"},
        {"type": "sd.customer.portal.only"},
        {"type": "userCustomField", "parameter": "customfield_1"},
    ]
    assert (await tell(source_of(server))).readers == {"10": {BOB, CAT}}


async def test_a_deleted_group_that_is_still_named_grants_nobody(server: JiraServer) -> None:
    server.browse["OPS"] = [server.group_holder("gone"), {"type": "projectLead"}]
    assert (await tell(source_of(server))).readers == {"10": {BOB}}


async def test_a_reporter_and_an_assignee_read_their_own_issues(server: JiraServer) -> None:
    server.browse["OPS"] = [{"type": "reporter"}, {"type": "assignee"}]
    server.put(Issue("11", "OPS-2", "Y", reporter="bob", assignee="cat"))
    assert (await tell(source_of(server))).readers == {"10": {ANN}, "11": {BOB, CAT}}


async def test_wide_holders_grant_nobody_unless_it_is_said(server: JiraServer) -> None:
    server.browse["OPS"] = [{"type": "applicationRole"}]
    assert "nobody" in (await tell(source_of(server))).skipped["10"]
    told = await tell(source_of(server, domain_readers="everyone"))
    assert told.readers == {"10": {"everyone"}}
    server.browse["OPS"] = [{"type": "anyone"}]
    assert (await tell(source_of(server, domain_readers="everyone"))).readers == {}
    told = await tell(source_of(server, public_readers="everyone"))
    assert told.readers == {"10": {"everyone"}}


async def test_a_security_level_narrows(server: JiraServer) -> None:
    server.levels["5"] = [server.group_holder("board"), {"type": "reporter"}]
    server.groups["board"] = ["bob", "zoe"]
    server.emails["zoe"] = "zoe@acme.example"
    server.put(Issue("11", "OPS-2", "Secret", level="5"))
    told = await tell(source_of(server))
    assert told.readers["10"] == {ANN, BOB, CAT}
    if server.cloud:
        assert told.readers["11"] == {ANN, BOB}  # not Zoe: she may not browse the project
    else:
        assert "nobody" in told.skipped["11"]  # a Data Center does not tell a level's members
    told = await tell(source_of(server, map="level/Level 5:group:T1:S1,staff:everyone"))
    assert told.readers["11"] == {"group:T1:S1"}


async def test_a_level_of_a_role_is_that_of_each_project(server: JiraServer) -> None:
    if not server.cloud:
        pytest.skip("a Data Center does not tell a level's members")
    server.levels["5"] = [{"type": "projectLead"}]
    server.projects["HR"] = "cat"
    server.browse["HR"] = [server.group_holder("staff")]
    server.put(Issue("11", "OPS-2", "One", level="5"))
    server.put(Issue("12", "HR-1", "Two", level="5"))
    readers = (await tell(source_of(server))).readers
    assert (readers["11"], readers["12"]) == ({BOB}, {CAT})


async def test_a_project_without_a_scheme_is_for_nobody(server: JiraServer) -> None:
    del server.browse["OPS"]
    told = await tell(source_of(server))
    assert told.documents == {}
    assert "nobody" in told.skipped["10"]
    told = await tell(source_of(server, rights="source"))
    assert told.documents["10"].principals is None


async def test_a_hidden_person_grants_nobody_until_the_people_file_names_it(
    server: JiraServer, tmp_path: Any
) -> None:
    server.emails = {"bob": "bob@acme.example", "cat": "", "ann": ""}
    assert (await tell(source_of(server))).readers["10"] == {BOB}
    people = tmp_path / "people.csv"
    people.write_text("account,email\ncat,cat@acme.example\n")
    assert (await tell(source_of(server, people=str(people)))).readers["10"] == {BOB, CAT}


async def test_a_scheme_that_may_not_be_read_is_an_error(server: JiraServer) -> None:
    server.faults.append(Fault(403, path="permissionscheme"))
    with pytest.raises(SourceError, match=r"project OPS.*administer Jira.*rights=source"):
        await tell(source_of(server))


# what has changed


async def test_between_full_listings_only_what_was_edited_is_told(server: JiraServer) -> None:
    old = datetime.now(UTC) - timedelta(days=30)
    for number in range(20, 30):
        server.put(Issue(str(number), f"OPS-{number}", f"I {number}", updated=old))
    server.issues["10"].updated = old
    first = await tell(source_of(server))
    assert first.last.complete
    server.put(Issue("10", "OPS-1", "Printer jams", "Open tray three."))
    second = await tell(source_of(server), first.last.cursor)
    assert second.documents.keys() == {"10"}
    assert not second.last.complete
    assert "tray three" in await markdown(second.documents["10"])


async def test_an_issue_that_moves_keeps_its_key_here(server: JiraServer) -> None:
    server.projects["HR"] = "cat"
    server.browse["HR"] = [{"type": "projectLead"}]
    first = await tell(source_of(server, full_hours="0"))
    server.issues["10"].key = "HR-9"
    second = await tell(source_of(server, full_hours="0"), first.last.cursor)
    assert second.readers == {"10": {CAT}}
    assert second.documents["10"].url == f"{server.url}/browse/HR-9"


async def test_a_run_that_was_cut_goes_on_with_the_next_project(server: JiraServer) -> None:
    server.projects["HR"] = "cat"
    server.browse["HR"] = [server.group_holder("staff")]
    server.put(Issue("11", "HR-1", "Two"))
    first = await tell(source_of(server))
    cut = next(c for c in first.changes if getattr(c, "cursor", None))
    second = await tell(source_of(server), cut.cursor)  # type: ignore[union-attr]
    assert second.documents.keys() == {"10"}
    assert not second.last.complete
    assert (await tell(source_of(server), second.last.cursor)).last.complete


async def test_single_issues_are_told_anew(server: JiraServer) -> None:
    changes = [each async for each in source_of(server).again(["10", "404"])]
    assert [type(each).__name__ for each in changes] == ["SourceDocument", "Removed"]


# what goes wrong


async def test_a_busy_site_is_asked_again(server: JiraServer) -> None:
    server.faults.extend(
        [Fault(429, path="search", headers={"Retry-After": "0"}), Fault(503, path="group/member")]
    )
    assert (await tell(source_of(server))).readers == {"10": {ANN, BOB, CAT}}
    assert not server.faults


async def test_a_refused_token_says_what_to_do(server: JiraServer) -> None:
    server.expected_authorization = "Basic another"
    with pytest.raises(SourceError, match=r"Jira \(401.*new API token"):
        await tell(source_of(server))


async def test_a_condition_that_jira_refuses_is_told_in_its_words(server: JiraServer) -> None:
    with pytest.raises(SourceError, match=r"400.*Error in the JQL Query.*options"):
        await tell(source_of(server, jql="nonsense ="))
