"""The fetcher against hostile servers, names and addresses, over real sockets."""

import asyncio
import datetime
import gzip
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from knowledge.errors import AddressRefusedError, FetchError, ResponseTooLargeError
from knowledge.fetch import Fetcher, Limits, Response
from tests.site_server import SitePage, SiteServer


class Names(AbstractResolver):
    """Names as a hostile server of names may answer: another address each time."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.questions: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The next answer; the last one stays."""
        self.questions.append(host)
        answers = self.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
async def site() -> AsyncIterator[SiteServer]:
    """A site with a front page."""
    async with SiteServer() as server:
        server.pages["/"] = SitePage("Front.")
        yield server


def fetcher(site: SiteServer, **limits: float) -> Fetcher:
    """A fetcher that may ask `site`, and nothing else of this machine."""
    return Fetcher(allowed=[site.place], limits=Limits(**limits))  # type: ignore[arg-type]


async def refused(url: str, site: SiteServer | None = None) -> str:
    """Why `url` is not fetched."""
    async with fetcher(site) if site else Fetcher() as fetching:
        with pytest.raises(AddressRefusedError) as failure:
            await fetching.get(url)
    return str(failure.value)


async def test_a_page_is_fetched_with_its_status_and_headers(site: SiteServer) -> None:
    async with fetcher(site) as fetching:
        found = await fetching.get(f"{site.url}/#part")
        missing = await fetching.get(f"{site.url}/missing")
    assert (found.status, found.body, found.url) == (200, b"Front.", f"{site.url}/")
    assert found.headers["content-type"].startswith("text/html")
    assert (missing.status, missing.body) == (404, b"Not found.")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1%25lo]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "user@127.0.0.1",
        "example.com:x@127.0.0.1",
        "example.com%00.localhost",
    ],
)
@pytest.mark.parametrize("port", ["", ":{port}"])
async def test_no_spelling_of_an_inner_address_is_asked(
    host: str, port: str, site: SiteServer
) -> None:
    await refused(f"http://{host}{port.format(port=site.port)}/")
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "http:///path",
        "http://",
        "",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://-example.com/",
        "http://example..com/",
        "http://user:secret@example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "unix:///var/run/docker.sock",
    ],
)
async def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    assert "secret" not in await refused(url)


async def test_other_ports_are_refused_even_at_public_addresses() -> None:
    names = Names(example_com=[["93.184.215.14"]])
    async with Fetcher(resolver=names) as fetching:
        with pytest.raises(AddressRefusedError, match="a port other than 80 and 443"):
            await fetching.get("http://example.com:6379/")
        with pytest.raises(AddressRefusedError, match=r"may allow 8\.8\.8\.8:22"):
            await fetching.get("http://8.8.8.8:22/")


async def test_a_name_is_refused_when_one_of_its_addresses_is() -> None:
    names = Names(mixed_example=[["93.184.215.14", "10.0.0.5"]])
    async with Fetcher(resolver=names) as fetching:
        with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.5"):
            await fetching.get("http://mixed.example/")


async def test_a_name_that_changes_its_answer_between_check_and_connection_gains_nothing(
    site: SiteServer,
) -> None:
    inner = await SiteServer("127.0.0.2").start(site.port)
    async with inner:
        names = Names(rebind_example=[["127.0.0.1"], ["127.0.0.2"]])
        # An allowed address stands for a public one here; the other one is still refused.
        async with Fetcher(allowed=[site.place], resolver=names) as fetching:
            page = await fetching.get(f"http://rebind.example:{site.port}/")
            assert page.body == b"Front."
            assert names.questions == ["rebind.example"]  # asked once: checked and connected to
            assert site.asked[0].headers["Host"] == f"rebind.example:{site.port}"
            await fetching.close()  # so that it must connect anew
            with pytest.raises(AddressRefusedError, match=r"127\.0\.0\.2"):
                await fetching.get(f"http://rebind.example:{site.port}/")
        assert inner.asked == []


async def test_a_socket_is_made_only_to_an_address_that_was_checked(site: SiteServer) -> None:
    async with Fetcher() as fetching:
        info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", site.port))
        with pytest.raises(AddressRefusedError):
            fetching._door.socket(info)


async def test_an_allowed_name_may_be_asked_and_its_neighbours_may_not(site: SiteServer) -> None:
    names = Names(wiki_internal=[["127.0.0.1"]], evil_example=[["127.0.0.1"]])
    async with Fetcher(allowed=[f"Wiki.internal.:{site.port}"], resolver=names) as fetching:
        page = await fetching.get(f"http://WIKI.internal:{site.port}/")
        assert page.body == b"Front."
        with pytest.raises(AddressRefusedError, match="an administrator may allow 127"):
            await fetching.get(f"http://127.0.0.1:{site.port}/")
        with pytest.raises(AddressRefusedError):
            await fetching.get("http://wiki.internal/")
        with pytest.raises(AddressRefusedError):
            await fetching.get(f"http://evil.example:{site.port}/")
    assert len(site.asked) == 1


@pytest.mark.parametrize("place", ["", "wiki", "wiki:", ":443", "https://wiki:443/"])
async def test_an_allowed_place_is_a_host_and_a_port(place: str) -> None:
    with pytest.raises(FetchError, match="write host:port"):
        Fetcher(allowed=[place])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_by_hand(status: int, site: SiteServer) -> None:
    site.pages["/old"] = SitePage(status=status, headers={"Location": "/new?a=1#part"})
    site.pages["/new?a=1"] = SitePage("New.")
    async with fetcher(site) as fetching:
        page = await fetching.get(f"{site.url}/old")
        told = await fetching.get(f"{site.url}/old", follow=False)
    assert (page.url, page.body) == (f"{site.url}/new?a=1", b"New.")
    assert (told.status, told.redirect) == (status, f"{site.url}/new?a=1#part")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{inner}/",
        "http://localhost:{inner}/",
        "//0x7f000001:{inner}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user:x@example.com/",
        "file:///etc/passwd",
        "http://[::1]:{inner}/",
    ],
)
async def test_a_redirect_into_the_inside_is_refused(target: str, site: SiteServer) -> None:
    async with SiteServer() as inner:
        location = target.format(inner=inner.port)
        site.pages["/door"] = SitePage(status=302, headers={"Location": location})
        await refused(f"{site.url}/door", site)
        assert inner.asked == []


async def test_redirects_come_to_an_end(site: SiteServer) -> None:
    site.pages["/loop"] = SitePage(status=302, headers={"Location": "/loop"})
    async with fetcher(site, redirects=3) as fetching:
        with pytest.raises(FetchError, match="more than 3 redirects"):
            await fetching.get(f"{site.url}/loop")
    assert len(site.asked) == 4


async def test_credentials_are_not_carried_to_another_origin_and_cookies_nowhere(
    site: SiteServer,
) -> None:
    secret = {"Authorization": "Bearer x", "X-Token": "y", "Accept": "text/html"}
    async with SiteServer() as other:
        other.pages["/"] = SitePage("Other.")
        target = SitePage(status=302, headers={"Location": "/here", "Set-Cookie": "a=b"})
        site.pages["/away"] = target
        site.pages["/here"] = SitePage(status=302, headers={"Location": f"{other.url}/"})
        async with Fetcher(allowed=[site.place, other.place]) as fetching:
            await fetching.get(f"{site.url}/away", headers={**secret, "If-None-Match": '"1"'})
        kept = site.asked[1].headers
        assert (kept["Authorization"], kept["X-Token"]) == ("Bearer x", "y")
        carried = other.asked[0].headers
        assert carried["Accept"] == "text/html"
        assert not {"Authorization", "X-Token", "Cookie", "If-None-Match"} & carried.keys()
        assert not {"Cookie", "If-None-Match"} & kept.keys()


async def test_proxies_of_the_environment_are_not_asked(
    site: SiteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SiteServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with fetcher(site) as fetching:
            assert (await fetching.get(f"{site.url}/")).status == 200
        assert proxy.asked == []


async def test_a_body_that_is_too_large_is_cut_off(site: SiteServer) -> None:
    async def endless(request: web.Request) -> SitePage:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(2**16))

    site.pages["/endless"] = endless
    site.pages["/large"] = SitePage(bytes(3 * 2**20))
    async with fetcher(site, bytes=2**20) as fetching:
        for path in ("/endless", "/large"):
            with pytest.raises(ResponseTooLargeError, match="larger than 1 MB"):
                await fetching.get(site.url + path)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_unpacked_no_further_than_the_limit(coding: str, site: SiteServer) -> None:
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    zeros = bytes(2**20)
    bomb = b"".join(packer.compress(zeros) for _ in range(200)) + packer.flush()
    assert len(bomb) < 2**18
    site.pages["/bomb"] = SitePage(bomb, headers={"Content-Encoding": coding})
    async with fetcher(site, bytes=4 * 2**20) as fetching:
        tracemalloc.start()
        with pytest.raises(ResponseTooLargeError):
            await fetching.get(f"{site.url}/bomb")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 30 * 2**20


async def test_packed_bodies_are_unpacked(site: SiteServer) -> None:
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(b"Text."),
        "deflate": zlib.compress(b"Text."),
        "raw": raw.compress(b"Text.") + raw.flush(),
    }
    for name, body in packed.items():
        coding = name.replace("raw", "deflate")
        site.pages[f"/{name}"] = SitePage(body, headers={"Content-Encoding": coding})
    site.pages["/cut"] = SitePage(packed["gzip"][:-6], headers={"Content-Encoding": "gzip"})
    site.pages["/not"] = SitePage(b"Text.", headers={"Content-Encoding": "gzip"})
    site.pages["/br"] = SitePage(b"Text.", headers={"Content-Encoding": "br"})
    async with fetcher(site) as fetching:
        for name in packed:
            assert (await fetching.get(f"{site.url}/{name}")).body == b"Text."
        for name in ("cut", "not", "br"):
            with pytest.raises(FetchError):
                await fetching.get(f"{site.url}/{name}")


async def test_a_server_that_drips_is_left_when_the_time_is_over(site: SiteServer) -> None:
    async def drip(request: web.Request) -> SitePage:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        raise AssertionError("it was not left")

    site.pages["/drip"] = drip
    began = time.monotonic()
    async with fetcher(site, seconds=0.5) as fetching:
        with pytest.raises(FetchError, match=r"within 0\.5 s"):
            await fetching.get(f"{site.url}/drip")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-OpenSSH\r\n"])
async def test_a_server_that_falls_silent_or_speaks_another_language_is_an_error(
    said: bytes,
) -> None:
    left = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()
        writer.close()
        left.set()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Fetcher(allowed=[place], limits=Limits(silence_seconds=0.5)) as fetching:
        with pytest.raises(FetchError):
            await fetching.get(f"http://{place}/")
        await left.wait()


async def test_nobody_listening_is_an_error_with_the_address(site: SiteServer) -> None:
    await site.close()
    async with fetcher(site) as fetching:
        with pytest.raises(FetchError, match=f"{site.url}/ cannot be fetched"):
            await fetching.get(f"{site.url}/")


async def test_a_body_that_is_not_wanted_is_not_read(site: SiteServer) -> None:
    seen: list[Response] = []

    def wanted(response: Response) -> bool:
        seen.append(response)
        return False

    site.pages["/film"] = SitePage(bytes(2**20), media_type="video/mp4")
    async with fetcher(site, bytes=10) as fetching:
        response = await fetching.get(f"{site.url}/film", wanted=wanted)
    assert response == seen[0]
    assert response.body == b""
    assert response.headers["Content-Type"] == "video/mp4"


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=file)
    return server, client


async def test_the_name_and_not_the_pinned_address_is_what_tls_checks(tmp_path: Path) -> None:
    server_tls, client_tls = certificates(tmp_path, "wiki.example")
    shown: list[str | None] = []
    server_tls.sni_callback = lambda _socket, name, _context: shown.append(name)
    names = Names(wiki_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    async with SiteServer(tls=server_tls) as site:
        site.pages["/"] = SitePage("Secure.")
        async with Fetcher(allowed=[site.place], resolver=names, tls=client_tls) as fetching:
            page = await fetching.get(f"https://wiki.example:{site.port}/")
            assert page.body == b"Secure."
            assert shown == ["wiki.example"]
            assert site.asked[0].headers["Host"] == f"wiki.example:{site.port}"
            with pytest.raises(FetchError, match=r"[Cc]ertificate"):
                await fetching.get(f"https://other.example:{site.port}/")
        async with Fetcher(allowed=[site.place], resolver=names) as distrustful:
            with pytest.raises(FetchError, match=r"[Cc]ertificate"):
                await distrustful.get(f"https://wiki.example:{site.port}/")
