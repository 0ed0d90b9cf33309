"""What of GitHub becomes documents, what a change is, and what GitHub's refusals say."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.errors import SourceError
from knowledge.parsing import parse
from knowledge.sources import Checkpoint, load_source
from knowledge.sources.github.api import github_wait
from knowledge.sources.github.repositories import GitHubSource
from knowledge.sources.patience import Patience, Vendor
from tests.vendors.github import TOKEN, GitHubServer
from tests.vendors.server import Fault
from tests.vendors.telling import Telling, tell

NAME = "acme/handbook"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GitHubServer]:
    """GitHub with an empty repository."""
    monkeypatch.setenv("GH_TOKEN_OF_TEST", TOKEN)
    github = GitHubServer()
    await github.start()
    github.create(NAME)
    yield github
    await github.close()


def source(server: GitHubServer, place: str = NAME, **options: str) -> GitHubSource:
    """The repository for the source's readers, asked without long waits."""
    given = {"token": "env:GH_TOKEN_OF_TEST", "base_url": server.url, "rights": "source"}
    made = load_source("github", f"https://github.com/{place}", {**given, **options})
    assert isinstance(made, GitHubSource)
    patience = Patience(tries=3, first_wait_seconds=0.01, longest_wait_seconds=5.0)
    vendor = Vendor("GitHub", patience=patience, wait=github_wait)
    return replace(made, loads=replace(made.loads, vendor=vendor))


async def markdown(telling: Telling, key: str) -> str:
    """A document as the index's parser reads it."""
    document = telling.documents[key]
    parsed = parse(await document.load(), document.key, document.media_type)
    assert parsed.title == document.title
    return parsed.pages[0].markdown


# files


async def test_readable_files_are_documents_and_the_others_are_skipped_with_a_reason(
    server: GitHubServer,
) -> None:
    place = server.repositories[NAME]
    place.files = {
        "README.md": b"# Handbook",
        "docs/a guide.rst": b"Guide",
        "docs/plan.pdf": b"%PDF-1.4 \xff\xfe",
        "src/main.py": b"print()",
        ".github/ISSUE.md": b"Hidden",
        "old.doc": b"x",
        "link.md": b"README.md",
        "vendor": b"",
    }
    place.modes = {"link.md": "120000", "vendor": "160000"}
    telling = await tell(source(server))
    assert sorted(telling.documents) == [
        f"{NAME}/README.md",
        f"{NAME}/docs/a guide.rst",
        f"{NAME}/docs/plan.pdf",
    ]
    guide = telling.documents[f"{NAME}/docs/a guide.rst"]
    assert guide.url == f"https://github.com/{NAME}/blob/main/docs/a%20guide.rst"
    assert await telling.documents[f"{NAME}/docs/plan.pdf"].load() == b"%PDF-1.4 \xff\xfe"
    reasons = {"main.py": "not read", "ISSUE": "hidden", "old": ".docx", "link": "a link"}
    for part, reason in {**reasons, "vendor": "submodule"}.items():
        (said,) = [why for key, why in telling.skipped.items() if part in key]
        assert reason in said


async def test_a_tree_too_large_for_one_answer_is_walked_folder_by_folder(
    server: GitHubServer,
) -> None:
    server.largest_tree = 5
    paths = [f"{a}/{b}/{c}.md" for a in "ab" for b in "cd" for c in "efg"]
    server.repositories[NAME].files = {path: path.encode() for path in paths}
    telling = await tell(source(server))
    assert sorted(telling.documents) == sorted(f"{NAME}/{path}" for path in paths)
    for path in paths:
        assert await telling.documents[f"{NAME}/{path}"].load() == path.encode()


async def test_paths_and_parts_choose_what_is_read(server: GitHubServer) -> None:
    server.repositories[NAME].files = {"a.md": b"A", "docs/b.md": b"B", "docs/x/c.md": b"C"}
    server.open_issue(NAME, 1, "One", "Text")
    server.open_issue(NAME, 2, "Two", "Text", pull_request={"merged_at": None})
    server.discuss(NAME, 3, "Three", "Text")

    async def keys(**options: str) -> set[str]:
        telling = await tell(source(server, **options))
        return {key.removeprefix(NAME) for key in telling.documents}

    assert await keys(parts="files", paths="docs/*") == {"/docs/b.md", "/docs/x/c.md"}
    assert await keys(parts="issues") == {"#1"}
    assert await keys(parts="pulls,discussions") == {"#2", "#3"}
    assert len(await keys()) == 6


async def test_a_file_in_large_file_storage_fails_with_what_to_do(server: GitHubServer) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    server.repositories[NAME].files = {"big.pdf": pointer}
    telling = await tell(source(server))
    with pytest.raises(SourceError, match="Git LFS"):
        await telling.documents[f"{NAME}/big.pdf"].load()


async def test_an_empty_repository_tells_nothing(server: GitHubServer) -> None:
    assert len((await tell(source(server))).changes) == 1


# conversations


async def test_an_issue_is_a_document_with_its_comments(server: GitHubServer) -> None:
    server.open_issue(NAME, 7, "VPN *fails*", "It says `no`.", labels=[{"name": "net_work"}])
    server.comment(NAME, 7, "Restart it.")
    server.comment(NAME, 7, "Thanks!", author=None)
    server.repositories[NAME].issues[7]["title"] = "VPN fails"
    telling = await tell(source(server))
    assert (await markdown(telling, f"{NAME}#7")).replace("\\", "") == (
        "# VPN fails\n\nIssue #7, open, opened by ada on 2026-03-01. Labels: net_work.\n\n"
        "It says `no`.\n\n## Comment by bob, 2026-03-01\n\nRestart it.\n\n"
        "## Comment by a former account, 2026-03-01\n\nThanks!"
    )


async def test_a_pull_request_says_whether_it_is_merged(server: GitHubServer) -> None:
    merged = {"merged_at": "2026-03-01T10:00:00Z"}
    server.open_issue(NAME, 8, "Fix", None, pull_request=merged, state="closed")
    text = await markdown(await tell(source(server)), f"{NAME}#8")
    assert "Pull request \\#8, merged, opened by ada" in text


async def test_comments_of_many_issues_come_in_one_request(server: GitHubServer) -> None:
    for number in range(1, 46):
        server.open_issue(NAME, number, f"Issue {number}", "Text")
        if number % 9:
            server.comment(NAME, number, f"Said of {number}.")
    for extra in range(230):
        server.comment(NAME, 3, f"More {extra}.")
    telling = await tell(source(server))
    server.requests.clear()
    loaded = {key: (await document.load()).decode() for key, document in telling.documents.items()}
    assert len(loaded) == 45
    for key, text in loaded.items():
        number = int(key.rpartition("#")[2])
        assert (f"Said of {number}.\n" in f"{text}\n") == bool(number % 9)
    assert all(f"More {extra}." in loaded[f"{NAME}#3"] for extra in range(230))
    # 40 issues in two requests; the one with 231 comments takes two more.
    assert server.asked("/graphql") == 2 + 2


async def test_a_discussion_is_a_document_with_comments_and_replies(server: GitHubServer) -> None:
    comments = [server.said(f"Answer {n}.", ["Indeed."] if n == 0 else []) for n in range(150)]
    server.discuss(NAME, 9, "Which laptop?", "I need one.", comments)
    text = await markdown(await tell(source(server)), f"{NAME}#9")
    start = "# Which laptop?\n\nDiscussion \\#9 (Q\\&A), not answered, opened by ada on 2026-03-01."
    assert text.startswith(start)
    assert text.index("Answer 0.") < text.index("Indeed.") < text.index("Answer 1.")
    assert all(f"Answer {n}." in text for n in range(150))


async def test_an_issue_that_is_deleted_meanwhile_fails_alone(server: GitHubServer) -> None:
    for number in (1, 2):
        server.open_issue(NAME, number, f"Issue {number}", "Text")
        server.comment(NAME, number, "Said.")
    telling = await tell(source(server))
    del server.repositories[NAME].issues[1]
    assert b"Said." in await telling.documents[f"{NAME}#2"].load()
    with pytest.raises(SourceError, match="gone"):
        await telling.documents[f"{NAME}#1"].load()


async def test_long_listings_are_followed_page_by_page(server: GitHubServer) -> None:
    server.largest_page = 3
    for number in range(1, 11):
        server.open_issue(NAME, number, f"Issue {number}", "Text")
        server.discuss(NAME, 100 + number, f"Discussion {number}", "Text")
    assert len((await tell(source(server))).documents) == 20


# what has changed


async def test_only_what_changed_is_told(server: GitHubServer) -> None:
    files = server.repositories[NAME].files
    files |= {"same.md": b"S", "edited.md": b"1", "gone.md": b"G", "docs/moved.md": b"M"}
    for number in (1, 2, 3):
        server.open_issue(NAME, number, f"Issue {number}", "Text")
    server.discuss(NAME, 11, "Old", "Text")
    first = await tell(source(server))
    assert first.last.complete
    assert len(first.documents) == 8
    files |= {"edited.md": b"2", "new.md": b"N", "moved.md": files.pop("docs/moved.md")}
    del files["gone.md"]
    server.comment(NAME, 2, "More.")
    server.open_issue(NAME, 4, "Issue 4", "Text")
    server.discuss(NAME, 12, "New", "Text")
    second = await tell(source(server), first.last.cursor)
    told = {key.removeprefix(NAME) for key in second.documents}
    # The last ones of before are told again: something may have happened in the same second.
    assert told - {"#3", "#11"} == {"/edited.md", "/new.md", "/moved.md", "#2", "#4", "#12"}
    assert [key.removeprefix(NAME) for key in second.removed] == ["/docs/moved.md", "/gone.md"]
    assert not second.last.complete


async def test_an_edited_comment_is_a_change_of_its_issue(server: GitHubServer) -> None:
    for number in (1, 2):
        server.open_issue(NAME, number, f"Issue {number}", "Text")
        server.comment(NAME, number, "Wrong.")
    server.open_issue(NAME, 3, "Issue 3", "Text")
    first = await tell(source(server))
    server.edit_comment(NAME, 1, "Right.")
    second = await tell(source(server), first.last.cursor)
    document = second.documents[f"{NAME}#1"]
    assert document.fingerprint != first.documents[f"{NAME}#1"].fingerprint
    assert b"Right." in await document.load()
    assert f"{NAME}#2" not in second.documents


async def test_what_is_edited_while_a_run_lists_is_told_by_it_or_the_next(
    server: GitHubServer,
) -> None:
    server.largest_page = 2
    for number in range(1, 8):
        server.open_issue(NAME, number, f"Issue {number}", "Text")
        server.discuss(NAME, 100 + number, f"Discussion {number}", "Text")
    seen: list[str] = []
    cursor: dict[str, Any] | None = None
    async for change in source(server).changes(None):
        if isinstance(change, Checkpoint):
            cursor = change.cursor
            break
        seen.append(change.key)
        if change.key in {f"{NAME}#1", f"{NAME}#3"}:  # these pages have been told
            server._now = max(server._now, datetime.now(UTC))
            server.comment(NAME, 1, "Meanwhile.")
        if change.key == f"{NAME}#103":
            server.discuss(NAME, 101, "Discussion 1", "Meanwhile.")
    assert sorted(seen) == sorted(f"{NAME}#{n}" for n in [*range(1, 8), *range(101, 108)])
    following = await tell(source(server), cursor)
    assert b"Meanwhile." in await following.documents[f"{NAME}#1"].load()
    assert b"Meanwhile." in await following.documents[f"{NAME}#101"].load()


async def test_what_has_not_changed_costs_no_quota(server: GitHubServer) -> None:
    server.repositories[NAME].files["a.md"] = b"A"
    server.repositories[NAME].has_discussions = False
    server.open_issue(NAME, 1, "Issue 1", "Text")
    telling = await tell(source(server))
    for _ in range(2):  # the first finds the marks, the second uses them
        telling = await tell(source(server), telling.last.cursor)
    before = server.remaining
    telling = await tell(source(server), telling.last.cursor)
    assert len(telling.changes) == 1
    assert before - server.remaining == 2  # the repository and its branch's head


async def test_a_lost_tree_is_made_good_by_the_next_run(server: GitHubServer) -> None:
    files = server.repositories[NAME].files
    files |= {"a.md": b"A", "b.md": b"B"}
    first = await tell(source(server))
    del files["b.md"]
    server.trees.clear()
    second = await tell(source(server), first.last.cursor)
    assert not second.last.complete
    third = await tell(source(server), second.last.cursor)
    assert third.last.complete
    assert list(third.documents) == [f"{NAME}/a.md"]


async def test_other_repositories_and_passing_hours_tell_everything_anew(
    server: GitHubServer,
) -> None:
    server.repositories[NAME].files["a.md"] = b"A"
    server.create("acme/fork", fork=True).files["f.md"] = b"F"
    server.create("acme/blocked", disabled=True)
    first = await tell(source(server, "acme"))
    assert list(first.documents) == [f"{NAME}/a.md"]
    assert first.skipped == {"acme/blocked": "is disabled by GitHub", "acme/fork": "is a fork"}
    assert not (await tell(source(server, "acme"), first.last.cursor)).last.complete
    assert (await tell(source(server, "acme", full_hours="0"), first.last.cursor)).last.complete
    server.create("acme/new").files["n.md"] = b"N"
    second = await tell(source(server, "acme"), first.last.cursor)
    assert second.last.complete
    assert sorted(second.documents) == [f"{NAME}/a.md", "acme/new/n.md"]
    forks = await tell(source(server, "acme", forks="yes"), second.last.cursor)
    assert "acme/fork/f.md" in forks.documents


async def test_documents_that_failed_are_told_anew_by_name(server: GitHubServer) -> None:
    server.repositories[NAME].files |= {"a.md": b"A", "b.md": b"B"}
    server.open_issue(NAME, 1, "Issue", "Text")
    server.comment(NAME, 1, "Said.")
    server.discuss(NAME, 2, "Discussion", "Text", [server.said("Yes.")])
    keys = [f"{NAME}{part}" for part in ("/a.md", "/b.md", "#1", "#2", "#3")] + ["acme/x/c.md"]
    del server.repositories[NAME].files["b.md"]
    server.requests.clear()
    telling = Telling([change async for change in source(server).again(keys)])
    assert list(telling.documents) == [keys[0], keys[2], keys[3]]
    assert telling.removed == [keys[1], keys[4], keys[5]]
    assert await telling.documents[keys[0]].load() == b"A"
    assert "Said." in await markdown(telling, keys[2])
    assert "Yes." in await markdown(telling, keys[3])


async def test_a_user_s_private_repositories_are_listed_with_the_user_s_own_token(
    server: GitHubServer,
) -> None:
    server.create("ada/open", visibility="public").files["o.md"] = b"O"
    server.create("ada/closed").files["c.md"] = b"C"
    for user, expected in {"ada": 2, "robot": 1, "": 1}.items():
        server.user = user
        assert len((await tell(source(server, "ada"))).documents) == expected


# what goes wrong


async def test_limits_are_waited_for(server: GitHubServer) -> None:
    server.repositories[NAME].files["a.md"] = b"A"
    secondary = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
    server.faults += [Fault(403, secondary, {"retry-after": "1"}), Fault(502)]
    assert len((await tell(source(server))).documents) == 1


async def test_a_used_up_quota_ends_the_run_with_the_time_of_the_next(
    server: GitHubServer,
) -> None:
    server.repositories[NAME].files["a.md"] = b"A"
    reader = source(server)
    telling = await tell(reader)
    server.remaining = 0
    document = telling.documents[f"{NAME}/a.md"]
    server.requests.clear()
    for _ in range(3):
        with pytest.raises(SourceError, match=r"GitHub takes no more requests until .* UTC"):
            await document.load()
    assert len(server.requests) == 1  # it does not go on asking


async def test_graphql_s_own_rate_limit_is_one_too(server: GitHubServer) -> None:
    server.discuss(NAME, 1, "One", "Text")
    said = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}
    server.faults.append(Fault(200, said, headers, path="/graphql"))
    with pytest.raises(SourceError, match="takes no more requests until"):
        await tell(source(server))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(401, {"message": "Bad credentials"}), "wrong, expired or revoked"),
        (Fault(403, {"message": "Resource protected by SAML"}), "approve it for the organis"),
        (Fault(404, {"message": "Not Found"}), "may not see it"),
    ],
)
async def test_refusals_say_what_to_do(server: GitHubServer, fault: Fault, message: str) -> None:
    server.faults.append(fault)
    with pytest.raises(SourceError, match=message):
        await tell(source(server))


async def test_a_server_that_stays_broken_is_a_source_error(server: GitHubServer) -> None:
    server.faults += [Fault(503)] * 3
    with pytest.raises(SourceError, match="GitHub answers 503"):
        await tell(source(server))


async def test_switched_off_issues_are_none(server: GitHubServer) -> None:
    server.repositories[NAME].has_issues = False
    server.repositories[NAME].files["a.md"] = b"A"
    assert len((await tell(source(server))).documents) == 1


async def test_what_cannot_be_used_is_refused(server: GitHubServer) -> None:
    with pytest.raises(SourceError, match="OWNER/NAME"):
        source(server, "acme/handbook/tree/main")
    with pytest.raises(SourceError, match="parts has no wiki"):
        source(server, parts="files,wiki")
    with pytest.raises(SourceError, match="token=env"):
        load_source("github", "acme/handbook")
    with pytest.raises(SourceError, match="no branch dev"):
        await tell(source(server, branch="dev"))


def test_places_are_written_in_several_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN_OF_TEST", TOKEN)
    options: dict[str, Any] = {"token": "env:GH_TOKEN_OF_TEST"}
    for place in ("acme/x", "https://github.com/acme/x", "https://github.com/acme/x.git/"):
        made = load_source("github", place, options)
        assert isinstance(made, GitHubSource)
        assert (made.owner, made.name) == ("acme", "x")
