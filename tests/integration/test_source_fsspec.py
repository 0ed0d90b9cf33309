"""What is odd about places that fsspec reads."""

import os
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from knowledge.errors import SourceError
from knowledge.sources import Change, Skipped, SourceDocument, load_source
from knowledge.sources.fsspec import families
from tests.sftp_server import SftpServer
from tests.site_server import SitePage, SiteServer


async def told(location: str, **options: str) -> list[Change]:
    return [change async for change in load_source("fsspec", location, options).changes(None)]


def documents(changes: list[Change]) -> list[SourceDocument]:
    return [change for change in changes if isinstance(change, SourceDocument)]


def skipped(changes: list[Change]) -> dict[str, str]:
    return {change.key: change.reason for change in changes if isinstance(change, Skipped)}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files in nested folders."""
    for name in ("b/two words.md", "a.txt", "a/c.md", "b/.hidden.md", "code.py", "drafts/x.md"):
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"This is {name}.")
    return tmp_path / "files"


@pytest.fixture
def server(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpServer]:
    """An SFTP server with these files."""
    monkeypatch.setenv("SFTP_PASSWORD", "s0-secret")
    monkeypatch.setenv("HOME", str(files.parent))
    server = SftpServer(files.parent, "ann", "s0-secret")
    yield server
    server.close()


def sftp(server: SftpServer, path: str = "/files") -> str:
    return f"sftp://ann@127.0.0.1:{server.port}{path}"


PASSWORD = {"password": "env:SFTP_PASSWORD"}


async def test_files_are_told_in_the_order_of_their_paths_or_skipped_with_a_reason(
    files: Path,
) -> None:
    changes = await told(
        f"file://{files}", exclude="drafts/*", include="*.md,*.py", base_url="https://h.example/x/"
    )
    assert [d.key for d in documents(changes)] == ["a/c.md", "b/two words.md"]
    assert documents(changes)[1].url == "https://h.example/x/b/two%20words.md"
    assert skipped(changes) == {
        "a.txt": "is left out by the option include",
        "b/.hidden.md": "is hidden",
        "code.py": "is of a type that is not read (.py)",
        "drafts/": "is left out by the option exclude",
    }


async def test_a_single_file_and_an_archive_are_places_too(files: Path) -> None:
    (one,) = documents(await told(f"file://{files}/a.txt"))
    assert (one.key, await one.load()) == ("a.txt", b"This is a.txt.")
    with zipfile.ZipFile(files.parent / "rules.zip", "w") as archive:
        archive.write(files / "a.txt", "rules/a.txt")
    (packed,) = documents(await told(f"zip::file://{files.parent}/rules.zip"))
    assert (packed.key, await packed.load()) == ("rules/a.txt", b"This is a.txt.")
    assert packed.fingerprint


async def test_time_and_size_are_a_version_only_once_the_time_lies_back(
    server: SftpServer, files: Path
) -> None:
    location, options = sftp(server), {**PASSWORD, "host_key": server.fingerprint}
    assert {d.fingerprint for d in documents(await told(location, **options))} == {None}
    for path in files.rglob("*.*"):
        if path.is_file():
            os.utime(path, (time.time() - 3600,) * 2)
    first, again = [documents(await told(location, **options)) for _ in range(2)]
    assert [d.fingerprint for d in first] == [d.fingerprint for d in again]
    assert all(d.fingerprint for d in first)


async def test_a_connection_that_breaks_is_made_anew(server: SftpServer) -> None:
    options = {**PASSWORD, "host_key": server.fingerprint}
    found = documents(await told(sftp(server), **options))
    before = server.logins
    server.drop()
    assert (await found[0].load()).startswith(b"This is a")
    assert server.logins == before + 1


async def test_a_server_that_is_not_known_is_told_nothing(server: SftpServer, files: Path) -> None:
    with pytest.raises(SourceError, match=f"host_key={server.fingerprint[:12]}") as unknown:
        await told(sftp(server), **PASSWORD)
    assert server.logins == 0
    assert "s0-secret" not in str(unknown.value)
    with pytest.raises(SourceError, match="is not known"):
        await told(sftp(server), **PASSWORD, host_key="SHA256:another")
    (files.parent / ".ssh").mkdir()
    (files.parent / ".ssh" / "known_hosts").write_text(server.known_hosts_line)
    assert documents(await told(sftp(server), **PASSWORD))


async def test_wrong_credentials_and_a_wrong_folder_are_errors(
    server: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**PASSWORD, "host_key": server.fingerprint}
    with pytest.raises(SourceError, match="nothing at this address"):
        await told(sftp(server, "/nowhere"), **options)
    monkeypatch.setenv("SFTP_PASSWORD", "wrong-one")
    with pytest.raises(SourceError, match="Authentication failed") as refused:
        await told(sftp(server), **options)
    assert "wrong-one" not in str(refused.value)


async def test_a_link_on_a_server_is_not_followed(server: SftpServer, files: Path) -> None:
    (files / "link.md").symlink_to("/etc/hostname")
    changes = await told(sftp(server), **PASSWORD, host_key=server.fingerprint)
    assert skipped(changes)["link.md"] == "is a link or not a file"


@pytest.fixture
async def site() -> AsyncIterator[SiteServer]:
    """A server of listings."""
    async with SiteServer() as site:
        yield site


async def test_links_of_a_listing_are_followed_below_its_address_only(site: SiteServer) -> None:
    links = (
        "../", "?C=N;O=D", "b.md", "./c.md", "/files/a%20b.md", "/other/x.md", "deep/",
        "../secret/y.md", "https://evil.example/z.md", "//evil.example/w.md", "mailto:a@b.md",
        "deep/../../secret/v.md", "%2e%2e/u.md", "moved.md", "lost/",
    )  # fmt: skip
    page = "".join(f'<a href="{link}">x</a>' for link in links)
    site.pages["/files/"] = SitePage(page)
    site.pages["/files/deep/"] = SitePage('<a href="/files/">up</a><a href="d.md">d</a>')
    for name in ("b", "c", "a%20b", "deep/d"):
        site.pages[f"/files/{name}.md"] = SitePage(name, media_type="text/markdown")
    site.pages["/files/moved.md"] = SitePage("", 302, {"Location": "/secret/y.md"})
    site.pages["/secret/y.md"] = SitePage("secret")
    changes = await told(f"{site.url}/files/")
    found = {d.key: d for d in documents(changes)}
    assert list(found) == ["a b.md", "b.md", "c.md", "deep/d.md", "moved.md"]
    assert found["a b.md"].url == f"{site.url}/files/a%20b.md"
    assert await found["deep/d.md"].load() == b"deep/d"
    with pytest.raises(SourceError, match="redirects"):
        await found["moved.md"].load()
    (lost,) = [c for c in changes if isinstance(c, Skipped)]
    assert (lost.key, lost.unreadable) == ("lost/", True)
    assert all(path.startswith("/files") for path in site.paths)


@pytest.mark.parametrize("status", [302, 401, 403, 404, 500])
async def test_a_listing_that_is_refused_is_an_error(site: SiteServer, status: int) -> None:
    headers = {"Location": "/files/x/"} if status == 302 else {}
    site.pages["/files/"] = SitePage("Sign in.", status, headers)
    with pytest.raises(SourceError, match="nothing was removed"):
        await told(f"{site.url}/files/")


async def test_what_is_too_large_is_not_taken(
    files: Path, site: SiteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.sources.files.LARGEST_BYTES", 2**20)
    monkeypatch.setattr("knowledge.sources.fsspec.place.LARGEST_BYTES", 2**20)
    (files / "a.txt").write_bytes(bytes(2**20 + 1))
    assert skipped(await told(f"file://{files}"))["a.txt"] == "is larger than 1 MB"
    (one,) = documents(await told(f"file://{files}/a/c.md"))
    (files / "a" / "c.md").write_bytes(bytes(2**20 + 1))  # it has grown since
    with pytest.raises(SourceError, match="larger than 1 MB"):
        await one.load()


def test_addresses_and_options_that_cannot_be_right_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY", "hunter2")
    for location, options, said in (
        ("sftp://ann:hunter2@h.example/x", {}, "env:NAME"),
        ("gopher://h.example/x", {}, "begins with one of"),
        ("zip:///srv/a.zip", {}, "zip::file"),
        ("simplecache::s3://bucket/x", {}, "begins with one of"),
        ("file::memory://x", {}, "begins with one of"),
        ("https://h.example/x?sig=hunter2", {}, "no \\?"),
        ("memory://x", {"key": "env:KEY"}, "takes no option key"),
        ("sftp://h.example/x", {"port": "many"}, "port is a number"),
        ("memory://x", {"pictures": "maybe"}, "yes or no"),
    ):
        with pytest.raises(SourceError, match=said) as refused:
            load_source("fsspec", location, options)
        assert "hunter2" not in str(refused.value)


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.sources.fsspec.kind.find_spec", lambda _name: None)
    for location, extra in (("s3://b", "s3"), ("gs://b", "gcs"), ("az://c", "azure")):
        with pytest.raises(SourceError, match=rf"lorewise\[{extra}\]"):
            load_source("fsspec", location)


def test_options_become_those_of_each_library() -> None:
    def storage(protocol: str, **options: str) -> dict[str, object]:
        return families.PROTOCOLS[protocol].storage(options)

    s3 = storage("s3", key="k", secret="s", region="eu-1", endpoint_url="https://o.example")
    assert s3 == {
        "key": "k",
        "secret": "s",
        "endpoint_url": "https://o.example",
        "anon": False,
        "client_kwargs": {"region_name": "eu-1"},
        "use_listings_cache": False,
    }
    google = storage("gs", token='{"type": "service_account"}', project="p")
    assert google["token"] == {"type": "service_account"}
    assert google["access"] == "read_only"
    assert storage("gs", anon="yes")["token"] == "anon"
    assert storage("az", account_name="a", sas_token="t")["sas_token"] == "t"
    with pytest.raises(SourceError, match="JSON key"):
        storage("gs", token="hunter2")
