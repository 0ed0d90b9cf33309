"""Which files of Google Drive become documents, what a change is, what Google's refusals say."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from knowledge.errors import SourceError
from knowledge.parsing import parse
from knowledge.sources import (
    Change,
    Checkpoint,
    Removed,
    Skipped,
    Source,
    SourceDocument,
    load_source,
)
from tests.documents import slides, workbook
from tests.vendors.google import (
    DRIVE,
    EMAIL,
    GOOGLE,
    ROOT,
    GoogleServer,
    credentials,
    domain,
    error,
    user,
)
from tests.vendors.server import Fault

ALL = [domain("acme.example")]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleServer]:
    """A Drive with an empty folder."""
    google = GoogleServer()
    await google.start()
    monkeypatch.setenv("GOOGLE_KEY", credentials(google.url))
    yield google
    await google.close()


def source(server: GoogleServer, place: str = ROOT, **options: str) -> Source:
    """The folder; each of these is as a run of its own."""
    given = {"credentials": "env:GOOGLE_KEY", "domain": "acme.example", "base_url": server.url}
    return load_source("google_drive", place, {**given, **options})


async def told(
    source: Source, cursor: Mapping[str, Any] | None = None
) -> tuple[list[Change], Checkpoint]:
    """The changes before the last checkpoint, and that."""
    *changes, last = [c async for c in source.changes(dict(cursor) if cursor else None)]
    assert isinstance(last, Checkpoint)
    return changes, last


def keys(changes: list[Change]) -> list[str]:
    return [change.key for change in changes if isinstance(change, SourceDocument)]


def skipped(changes: list[Change]) -> dict[str, str]:
    return {change.key: change.reason for change in changes if isinstance(change, Skipped)}


def document(changes: list[Change], key: str) -> SourceDocument:
    (found,) = [c for c in changes if isinstance(c, SourceDocument) and c.key == key]
    return found


# which files


async def test_folders_are_walked_and_pages_of_a_listing_followed(server: GoogleServer) -> None:
    server.largest_page = 2
    for number in range(50):  # more folders than one question names
        server.put_folder(f"1Folder{number:03}", f"Folder {number}")
        server.put_file(f"1File{number:03}", "a.md", b"A", parent=f"1Folder{number:03}")
    server.put_folder("1Deep", "Deep", parent="1Folder007")
    server.put_file("1FileDeep", "b.md", b"B", parent="1Deep")
    server.put_file("1Elsewhere", "c.md", b"C", parent="0AnotherFolderOfUs")
    changes, last = await told(source(server, rights="source"))
    assert sorted(keys(changes)) == [*(f"1File{n:03}" for n in range(50)), "1FileDeep"]
    assert last.complete


async def test_a_whole_shared_drive_is_listed_in_one_question(server: GoogleServer) -> None:
    for number in range(20):
        server.put_folder(f"0F{number}", "F", parent=DRIVE, drive=DRIVE)
        server.put_file(
            f"1{number}", "a.md", b"A", parent=f"0F{number}", permissions=ALL, drive=DRIVE
        )
    changes, _ = await told(source(server, f"https://drive.google.com/drive/u/0/folders/{DRIVE}"))
    assert len(keys(changes)) == 20
    assert server.asked("/drive/v3/files?") == 1


async def test_google_documents_are_exported(server: GoogleServer) -> None:
    image = b"Look: ![][image1]\n\n[image1]: <data:image/png;base64,iVBORw0KGgo=>\n"
    sheet = workbook({"Prices": [["Item", "Price"], ["Desk", 100]]})
    deck = slides([("Welcome", ["First day"])])
    xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    server.put_document(
        "1Doc", "Release 1.2", "document", {"text/markdown": image}, permissions=ALL
    )
    server.put_document("1Sheet", "Prices", "spreadsheet", {xlsx: sheet}, permissions=ALL)
    server.put_document("1Deck", "Deck", "presentation", {pptx: deck}, permissions=ALL)
    changes, _ = await told(source(server))
    markdown = await document(changes, "1Doc").load()
    assert markdown == b"Look: ![][image1]\n\n"
    assert document(changes, "1Doc").title == "Release 1.2"
    for key, words in (("1Sheet", "Desk"), ("1Deck", "First day")):
        found = document(changes, key)
        parsed = parse(await found.load(), found.key, found.media_type)
        assert words in parsed.pages[0].markdown


async def test_a_document_too_large_to_export_is_had_by_its_editor_s_link(
    server: GoogleServer,
) -> None:
    large = b"Long. " * 100
    server.put_document(
        "1Large", "L", "document", {"text/markdown": large, "text/plain": b"x"}, permissions=ALL
    )
    exports = {"text/markdown": b"never", "text/plain": b"Plain words."}
    server.put_document("1Larger", "LL", "document", exports, permissions=ALL)
    server.put_document("1Largest", "S", "spreadsheet", {"text/csv": b"never"}, permissions=ALL)
    server.large = {"1Large", "1Larger", "1Largest"}
    reader = source(server)
    changes, _ = await told(reader)
    assert await document(changes, "1Large").load() == large
    assert await document(changes, "1Larger").load() == b"Plain words."
    with pytest.raises(SourceError, match="larger than the 10 MB"):
        await document(changes, "1Largest").load()


async def test_a_token_goes_to_google_only(server: GoogleServer) -> None:
    server.put_document("1Doc", "D", "document", {"text/markdown": b"x"}, permissions=ALL)
    server.large = {"1Doc"}
    changes, _ = await told(source(server))
    links = {"exportLinks": {"text/markdown": "https://evil.example/export"}}
    server.faults.append(Fault(200, links, path="fields=exportLinks"))
    with pytest.raises(SourceError, match="another host"):
        await document(changes, "1Doc").load()


async def test_what_is_not_read_is_skipped_with_a_reason(server: GoogleServer) -> None:
    server.put_document("1Form", "Poll", "form", {}, permissions=ALL)
    server.put_file("1Video", "v.mp4", b"..", kind="video/mp4", permissions=ALL)
    server.put_file("1Old", "o.doc", b"..", kind="application/msword", permissions=ALL)
    server.put_file("1Huge", "h.pdf", b"..", kind="application/pdf", permissions=ALL)
    server.files["1Huge"]["size"] = str(2**31)
    server.put_file("1Kept", "k.md", b"..", permissions=ALL)
    server.files["1Kept"]["capabilities"] = {"canDownload": False}
    changes, _ = await told(source(server))
    reasons = skipped(changes)
    assert len(changes) == len(reasons) == 5
    assert "Poll is of a type without text" in reasons["1Form"]
    assert "type that is not read (.mp4)" in reasons["1Video"]
    assert "save it as .docx" in reasons["1Old"]
    assert "larger than 50 MB" in reasons["1Huge"]
    assert "may not be downloaded" in reasons["1Kept"]


async def test_shortcuts_lead_to_files_and_folders_elsewhere_once(server: GoogleServer) -> None:
    server.put_folder("0Elsewhere", "Elsewhere", parent="0Theirs")
    server.put_file("1There", "there.md", b"T", parent="0Elsewhere", permissions=ALL)
    server.put_file("1Here", "here.md", b"H", permissions=ALL)
    server.put_file("1Alone", "alone.md", b"A", parent="0Theirs", permissions=ALL)
    server.put_file("1Hidden", "hidden.md", b"X", parent="0Theirs")
    for number, target in enumerate(["0Elsewhere", "1Here", "1Alone", "1Alone", "1Hidden"]):
        server.put_shortcut(f"1Shortcut{number}", target)
    server.put_shortcut("1Back", ROOT, parent="0Elsewhere")  # a circle
    server.unshared = {"1Hidden"}
    changes, _ = await told(source(server))
    assert sorted(keys(changes)) == ["1Alone", "1Here", "1There"]
    assert "not shared with" in skipped(changes)["1Shortcut4"]


async def test_an_incomplete_listing_removes_nothing(server: GoogleServer) -> None:
    server.put_file("1File", "a.md", b"A", permissions=ALL)
    server.incomplete = True
    _, last = await told(source(server))
    assert not last.complete
    server.incomplete = False
    changes, last = await told(source(server), last.cursor)
    assert keys(changes) == ["1File"]
    assert last.complete


# what has changed


async def test_changes_are_told_without_listing_anything(server: GoogleServer) -> None:
    for name in ("Old", "Edited", "Trashed", "Deleted", "Moved"):
        server.put_file(f"1{name}", f"{name}.md", b"1", permissions=ALL)
    _, first = await told(source(server))
    server.put_file("1Edited", "Edited.md", b"2", permissions=ALL)
    server.put_file("1New", "New.md", b"3", permissions=ALL)
    server.put_file("1Other", "Other.md", b"4", parent="0AnotherFolderOfUs", permissions=ALL)
    server.touch("1Trashed", trashed=True)
    server.touch("1Moved", parents=["0AnotherFolderOfUs"])
    server.delete("1Deleted")
    server.requests.clear()
    server.largest_page = 2
    changes, last = await told(source(server), first.cursor)
    assert sorted(keys(changes)) == ["1Edited", "1New"]
    gone = {c.key for c in changes if isinstance(c, Removed)}
    assert {"1Trashed", "1Moved", "1Deleted"} <= gone
    assert not last.complete
    assert server.asked("/drive/v3/files?") == 0
    changes, _ = await told(source(server), last.cursor)
    assert changes == []


async def test_other_readers_of_a_file_are_a_change(server: GoogleServer) -> None:
    server.put_file("1File", "a.md", b"A", permissions=ALL)
    before, first = await told(source(server))
    server.permissions["1File"] = [user("ada@acme.example")]
    server.touch("1File")
    after, _ = await told(source(server), first.cursor)
    assert document(after, "1File").principals == frozenset({"email:ada@acme.example"})
    assert document(after, "1File").fingerprint == document(before, "1File").fingerprint


@pytest.mark.parametrize("what", ["folder", "new folder", "shortcut", "target", "drive", "lost"])
async def test_what_may_concern_other_files_lists_everything(
    server: GoogleServer, what: str
) -> None:
    server.put_folder("1Folder", "Folder")
    server.put_file("1File", "a.md", b"A", parent="1Folder", permissions=ALL)
    server.put_file("1Target", "t.md", b"T", parent="0Theirs", permissions=ALL)
    server.put_shortcut("1Shortcut", "1Target")
    _, first = await told(source(server))
    match what:
        case "folder":
            server.touch("1Folder", parents=["0AnotherFolderOfUs"])
        case "new folder":
            server.put_folder("1Moved", "Moved into the tree with what is in it")
        case "shortcut":
            server.delete("1Shortcut")
        case "target":
            server.put_file("1Target", "t.md", b"T2", parent="0Theirs", permissions=ALL)
        case "drive":
            server.change_drive()
        case "lost":
            server.first_token = 10**6
    changes, last = await told(source(server), first.cursor)
    assert last.complete
    expected = {"1File", "1Target"}
    expected -= {"folder": {"1File"}, "shortcut": {"1Target"}}.get(what, set())
    assert set(keys(changes)) == expected


async def test_everything_is_listed_anew_after_some_hours_and_with_other_options(
    server: GoogleServer,
) -> None:
    server.put_file("1File", "a.md", b"A", permissions=ALL)
    _, first = await told(source(server))
    assert not (await told(source(server), first.cursor))[1].complete
    assert (await told(source(server, full_hours="0"), first.cursor))[1].complete
    assert (await told(source(server, links="everyone"), first.cursor))[1].complete


async def test_a_cursor_holds_in_another_process(server: GoogleServer) -> None:
    """Sets have another order in each: what a cursor is for must not hang on it."""
    options = {"map": "hr:everyone,hr:group:T:B,hr:group:T:C,it:user:T:U,it:user:T:V"}
    code = (
        "from knowledge.sources import load_source; "
        f"print(load_source('google_drive', {ROOT!r}, {{'credentials': 'env:GOOGLE_KEY', "
        f"**{options!r}}})._digest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1


# what goes wrong


async def test_a_folder_that_is_not_shared_says_with_whom_to_share_it(
    server: GoogleServer,
) -> None:
    server.unshared = {ROOT}
    with pytest.raises(SourceError, match="share it with this account") as refused:
        await told(source(server))
    assert EMAIL in str(refused.value)


async def test_limits_are_waited_for_and_other_refusals_are_not(server: GoogleServer) -> None:
    server.put_file("1File", "a.md", b"A", permissions=ALL)
    said = {"errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}]}
    limited = {"error": {"code": 403, "message": "User Rate Limit Exceeded", **said}}
    server.faults += [Fault(403, limited, path="/drive/"), Fault(503, path="/drive/")]
    changes, _ = await told(source(server))
    assert keys(changes) == ["1File"]
    said = {"errors": [{"domain": "usageLimits", "reason": "accessNotConfigured"}]}
    server.faults.append(Fault(403, {"error": {"code": 403, **said}}, path="/drive/"))
    server.requests.clear()
    with pytest.raises(SourceError, match="Drive API is not enabled"):
        await told(source(server))
    assert server.asked("/drive/") == 1


async def test_a_revoked_key_and_an_ungranted_delegation_are_explained(
    server: GoogleServer,
) -> None:
    server.delegated = set()
    with pytest.raises(SourceError, match=r"refuses the service account.*unauthorized_client"):
        await told(source(server, subject="ada@acme.example"))
    revoked = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    server.faults.append(Fault(400, revoked, path="/token"))
    with pytest.raises(SourceError, match=r"invalid_grant.*key is not revoked"):
        await told(source(server))


async def test_a_token_that_is_refused_later_is_explained(server: GoogleServer) -> None:
    refusal = error(401, "authError", "Invalid Credentials")
    assert refusal.text
    server.faults.append(Fault(401, {"error": {"code": 401}}, path="/drive/"))
    with pytest.raises(SourceError, match="make a new key"):
        await told(source(server))


async def test_one_token_serves_a_run_and_the_subject_is_asked_for(server: GoogleServer) -> None:
    server.put_file("1File", "a.md", b"A", permissions=ALL)
    reader = source(server, subject="ada@acme.example")
    changes, _ = await told(reader)
    await document(changes, "1File").load()
    assert server.subjects == ["ada@acme.example"]


async def test_a_file_that_is_gone_when_it_is_asked_for_again_is_removed(
    server: GoogleServer,
) -> None:
    server.put_file("1File", "a.md", b"A", permissions=ALL)
    server.put_file("1Binned", "b.md", b"B", permissions=ALL)
    server.touch("1Binned", trashed=True)
    reader: Any = source(server)
    found = [change async for change in reader.again(["1File", "1Binned", "1Never"])]
    assert keys(found) == ["1File"]
    assert found[1:] == [Removed("1Binned"), Removed("1Never")]


async def test_what_cannot_be_used_is_refused(
    server: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="address of a folder"):
        source(server, "My Drive")
    with pytest.raises(SourceError, match="domain is a name"):
        source(server, domain="@acme.example")
    with pytest.raises(SourceError, match="links can only be"):
        source(server, links="nobody")
    server.put_file("1ThisIsNoFolder", "a.md", b"A", permissions=ALL)
    with pytest.raises(SourceError, match=r"a\.md is not a folder"):
        await told(source(server, "1ThisIsNoFolder"))
    monkeypatch.setenv("GOOGLE_KEY", '{"private_key": "hunter2"}')
    with pytest.raises(SourceError, match="JSON key of a service account") as refused:
        source(server)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert GOOGLE
