"""From a vendor's rights to an answer: who may read a document there finds it, and nobody else."""

from collections.abc import AsyncIterator

import pytest

from knowledge.database import Database
from knowledge.index import sync
from knowledge.search import Search
from knowledge.sources import load_source
from knowledge.sources.registered import register_source
from tests.hashing_embedder import HashingEmbedder
from tests.vendors.google import ROOT, GoogleServer, credentials, domain, group, user

ADA, BOB = frozenset({"email:ada@acme.example"}), frozenset({"email:bob@acme.example"})
EVERYONE = frozenset({"everyone"})


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleServer]:
    """A Drive with an empty folder."""
    google = GoogleServer()
    await google.start()
    monkeypatch.setenv("GOOGLE_KEY", credentials(google.url))
    yield google
    await google.close()


async def test_rights_of_a_drive_hold_in_the_search_and_follow_its_changes(
    server: GoogleServer, database: Database
) -> None:
    options = {
        "credentials": "env:GOOGLE_KEY",
        "base_url": server.url,
        "domain": "acme.example",
        "directory_subject": "admin@acme.example",
    }
    registered = await register_source(
        database,
        name="drive",
        kind="google_drive",
        location=ROOT,
        principals=["everyone"],  # of the source; each file has readers of its own
        options=options,
    )

    async def index() -> tuple[int, int, int]:
        source = load_source("google_drive", ROOT, options)
        policy = [(HashingEmbedder(), lambda _language: True)]
        report = await sync(registered, source, database, policy, width_tokens=60)
        assert not report.failed
        return report.added, report.changed, report.removed

    async def found(principals: frozenset[str]) -> set[str]:
        search = Search(database, [HashingEmbedder()])
        return {hit.title for hit in await search.search("leave pay rule", principals, k=10)}

    server.groups["hr@acme.example"] = [{"type": "USER", "email": "bob@acme.example"}]
    for name, permissions in {
        "Leave": [domain("acme.example")],
        "Pay": [group("hr@acme.example")],
        "Review": [user("ada@acme.example"), user("out@else.example")],
        "Draft": [domain("acme.example", found=False)],
    }.items():
        text = f"The rule of leave and pay, as {name} says it.".encode()
        server.put_file(f"1{name}", f"{name}.md", text, permissions=permissions)
    assert await index() == (3, 0, 0)
    assert await found(EVERYONE) == {"Leave"}
    assert await found(EVERYONE | ADA) == {"Leave", "Review"}
    assert await found(EVERYONE | BOB) == {"Leave", "Pay"}
    assert await found(frozenset()) == set()

    server.groups["hr@acme.example"] = [{"type": "USER", "email": "ada@acme.example"}]
    server.permissions["1Review"] = [user("bob@acme.example")]
    server.permissions["1Leave"] = []
    for key in ("1Review", "1Leave"):
        server.touch(key)
    loaded = server.asked("alt=media")
    assert await index() == (0, 2, 1)
    assert server.asked("alt=media") == loaded  # readers changed, bytes did not
    assert await found(EVERYONE | ADA) == {"Pay"}
    assert await found(EVERYONE | BOB) == {"Review"}
