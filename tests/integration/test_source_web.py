"""A web site as a source: what is visited, taken, left alone and remembered."""

import gzip
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from knowledge.errors import SourceError
from knowledge.fetch import USER_AGENT
from knowledge.parsing.process import ParserProcess
from knowledge.sources import (
    Change,
    Checkpoint,
    Removed,
    Skipped,
    Source,
    SourceDocument,
    load_source,
)
from tests import documents
from tests.site_server import SitePage, SiteServer

DAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
async def site() -> AsyncIterator[SiteServer]:
    """An empty site."""
    async with SiteServer() as server:
        yield server


def page(*links: str, head: str = "", text: str = "Words.") -> SitePage:
    """A page with links, which answers conditional requests."""
    anchors = "".join(f'<a href="{link}">more</a>' for link in links)
    return SitePage(f"<html><head>{head}</head><body>{text}{anchors}</body></html>", etag=True)


def opened(site: SiteServer, path: str = "/", **options: str) -> Source:
    """The site as a source that may be fetched from this machine, without pauses."""
    given = {"allow": site.place, "requests_per_second": "1000", **options}
    return load_source("web", site.url + path, given)


async def told(
    site: SiteServer, path: str = "/", cursor: Any = None, **options: str
) -> list[Change]:
    """One telling; the cursor goes through JSON, as in the database."""
    cursor = json.loads(json.dumps(cursor))
    return [change async for change in opened(site, path, **options).changes(cursor)]


def listed(site: SiteServer, changes: Sequence[Change]) -> list[str]:
    """The documents' paths."""
    found = [change.key for change in changes if isinstance(change, SourceDocument)]
    return [key.removeprefix(site.url) for key in found]


def skipped(site: SiteServer, changes: Sequence[Change]) -> dict[str, str]:
    """Reasons by path."""
    found = [change for change in changes if isinstance(change, Skipped)]
    assert len({change.key for change in found}) == len(found)
    return {change.key.removeprefix(site.url): change.reason for change in found}


def cursor_of(changes: Sequence[Change]) -> Any:
    """The last checkpoint's."""
    assert isinstance(changes[-1], Checkpoint)
    assert changes[-1].complete
    return changes[-1].cursor


# from link to link


async def test_a_site_is_read_from_link_to_link_and_not_beyond_itself(site: SiteServer) -> None:
    async with SiteServer() as other:
        links = ("/b", "a", "/b#part", "/b?utm_source=mail", f"{other.url}/", "mailto:x@y.z")
        site.pages |= {
            "/": page(*links, f"//{site.place}/c", "javascript:go()", "/a?p=2", "http://["),
            "/a": page("/", "/d"),
            "/b": page(),
            "/c": page(),
            "/a?p=2": page(),
            "/d": page(),
        }
        assert listed(site, await told(site)) == ["/", "/b", "/a", "/c", "/a?p=2", "/d"]
        assert other.asked == []
    assert sorted(site.paths) == sorted(["/robots.txt", "/sitemap.xml", "/", *site.pages])
    assert {asked.headers["User-Agent"] for asked in site.asked} == {USER_AGENT}


async def test_only_the_part_of_the_location_is_read_and_what_the_patterns_let_through(
    site: SiteServer,
) -> None:
    site.pages = {
        "/docs/": page("/docs/a.html", "/docs/old/b", "/docs/a.html?print=1", "/blog/", "/docs"),
        "/docs/a.html": page("/docs/c"),
        "/docs/c": page(),
        "/blog/": page(),
    }
    patterns = {"exclude": "/docs/old/*, *print=*"}
    assert listed(site, await told(site, "/docs/", **patterns)) == [
        "/docs/",
        "/docs/a.html",
        "/docs/c",
    ]
    assert listed(site, await told(site, "/docs/a.html")) == ["/docs/a.html", "/docs/c"]
    found = await told(site, "/docs/", include="/docs/,*.html")
    assert listed(site, found) == ["/docs/", "/docs/a.html"]
    everything = await told(site, "/docs/", prefix="/", **patterns)
    assert "/blog/" in listed(site, everything)


async def test_limits_end_a_visit_and_what_is_left_out_is_named(site: SiteServer) -> None:
    site.pages |= {f"/{n}": page(f"/{n + 1}") for n in range(1, 9)}
    site.pages |= {"/": page("/1")}
    shallow = await told(site, depth="2")
    assert listed(site, shallow) == ["/", "/1", "/2"]
    assert "more than 2 links away" in skipped(site, shallow)["/3"]
    few = await told(site, pages="2")
    assert listed(site, few) == ["/", "/1"]
    assert "after the first 2 pages" in skipped(site, few)["/2"]


async def test_robots_txt_is_obeyed(site: SiteServer) -> None:
    site.pages = {
        "/robots.txt": SitePage(
            "User-agent: *\nDisallow: /\n\nUser-agent: lorewise\nDisallow: /private\n"
            "Allow: /private/open\nDisallow: /*.php$\n",
            media_type="text/plain",
        ),
        "/": page("/private/x", "/private/open", "/a.php", "/a.php?x"),
        "/private/x": page(),
        "/private/open": page(),
        "/a.php?x": page(),
    }
    changes = await told(site)
    assert listed(site, changes) == ["/", "/private/open", "/a.php?x"]
    assert skipped(site, changes).keys() == {"/private/x", "/a.php"}
    assert "robots.txt" in skipped(site, changes)["/a.php"]
    assert "/private/x" not in site.paths
    site.pages["/robots.txt"] = SitePage("User-agent: *\nDisallow: /", media_type="text/plain")
    with pytest.raises(SourceError, match=r"robots\.txt of .* asks robots not to fetch"):
        await told(site)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_site_whose_robots_txt_fails_is_not_read(status: int, site: SiteServer) -> None:
    site.pages = {
        "/": page(),
        "/robots.txt": SitePage(status=status, headers={"Retry-After": "0"}),
    }
    with pytest.raises(SourceError, match=rf"robots\.txt answers {status}"):
        await told(site)


async def test_requests_keep_the_pace_of_the_option_and_of_robots_txt(site: SiteServer) -> None:
    site.pages = {"/": page("/a", "/b"), "/a": page(), "/b": page()}
    await told(site, requests_per_second="20")
    times = [asked.seconds for asked in site.asked]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) > 0.03
    site.pages["/robots.txt"] = SitePage("User-agent: *\nCrawl-delay: 0.2", media_type="text/plain")
    site.asked.clear()
    await told(site)
    times = [asked.seconds for asked in site.asked if asked.path not in {"/", "/robots.txt"}]
    assert all(b - a > 0.15 for a, b in itertools.pairwise(times))


# what a page says


async def test_noindex_and_nofollow_are_honoured(site: SiteServer) -> None:
    def tag(value: str) -> dict[str, str]:
        return {"X-Robots-Tag": value}

    robots = '<meta name="{}" content="{}">'
    html = '<a href="/hidden">x</a>'
    site.pages = {
        "/": page("/a", "/b", "/c", "/d", "/e", "/f"),
        "/a": page("/from-a", head=robots.format("robots", "NoIndex, follow")),
        "/b": page("/hidden", head=robots.format("ROBOTS", "nofollow")),
        "/c": page("/hidden", head=robots.format("lorewise", "none")),
        "/d": SitePage(html, headers=tag("otherbot: noindex, lorewise: nofollow")),
        "/e": SitePage('<a rel="ugc NOFOLLOW" href="/hidden">x</a>', headers=tag("noindex")),
        "/f": page("/from-f", head=robots.format("otherbot", "noindex, nofollow")),
        "/from-a": page(),
        "/from-f": page(),
        "/hidden": page(),
    }
    changes = await told(site)
    assert listed(site, changes) == ["/", "/b", "/d", "/f", "/from-a", "/from-f"]
    assert skipped(site, changes).keys() == {"/a", "/c", "/e"}
    assert all("noindex" in reason for reason in skipped(site, changes).values())


async def test_of_copies_the_canonical_page_is_taken_once(site: SiteServer) -> None:
    def canonical(path: str) -> str:
        return f'<link rel="canonical" href="{path}">'

    site.pages = {
        "/": page("/print/a", "/a?sort=1", "/loop1", "/lost1", "/lost2", head=canonical("/")),
        "/print/a": page(head=canonical("/a")),
        "/a?sort=1": page(head=canonical("/a")),
        "/a": page(head=canonical("/a")),
        "/loop1": page(head=canonical("/loop2")),
        "/loop2": page(head=canonical("/loop1")),
        "/lost1": page(head=canonical("/nowhere")),
        "/lost2": page(head=canonical("/nowhere")),
        "/elsewhere": page(head=canonical("https://example.com/")),
    }
    changes = await told(site)
    assert listed(site, changes) == ["/", "/a", "/loop1", "/lost1"]
    assert "is a copy of" in skipped(site, changes)["/print/a"]
    assert skipped(site, changes).keys() == {"/print/a", "/a?sort=1", "/loop2", "/lost2"}
    assert listed(site, await told(site, cursor=cursor_of(changes))) == listed(site, changes)


async def test_a_redirect_is_read_where_it_leads_and_not_outside(site: SiteServer) -> None:
    async with SiteServer() as other:
        site.pages = {
            "/": page("/old", "/out", "/stub"),
            "/old": SitePage(status=301, headers={"Location": "/new"}),
            "/out": SitePage(status=302, headers={"Location": f"{other.url}/"}),
            "/stub": page(head='<meta http-equiv="refresh" content="0; url=/refreshed">'),
            "/new": page(),
            "/refreshed": page(),
        }
        changes = await told(site)
        assert listed(site, changes) == ["/", "/stub", "/new", "/refreshed"]
        assert skipped(site, changes).keys() == {"/old", "/out"}
        assert other.asked == []


async def test_other_formats_go_to_their_parsers_and_unknown_ones_are_named(
    site: SiteServer,
) -> None:
    paper = documents.pdf([[(11, 72, 700, "Eleven days of leave.")]])
    site.pages = {
        "/": page("/paper", "/notes.md", "/film.mp4", "/photo.jpg", "/data"),
        "/paper": SitePage(paper, media_type="application/pdf", modified_at=DAY),
        "/notes.md": SitePage("# Notes", media_type="text/plain; charset=utf-8"),
        "/film.mp4": SitePage(bytes(100), media_type="video/mp4"),
        "/photo.jpg": SitePage(bytes(100), media_type="image/jpeg"),
        "/data": SitePage(bytes(100), media_type="application/octet-stream"),
    }
    changes = await told(site)
    assert listed(site, changes) == ["/", "/paper", "/notes.md"]
    reasons = skipped(site, changes)
    assert reasons.keys() == {"/film.mp4", "/photo.jpg", "/data"}
    assert "video/mp4" in reasons["/film.mp4"]
    front, found, notes = (c for c in changes if isinstance(c, SourceDocument))
    assert notes.media_type == "text/markdown"
    assert (found.media_type, found.modified_at) == ("application/pdf", DAY)
    assert found.fingerprint
    async with ParserProcess() as parser:
        parsed = await parser.parse(await found.load(), found.key, found.media_type)
        assert parsed.pages[0].markdown == "Eleven days of leave."
        parsed = await parser.parse(await front.load(), front.key, front.media_type)
    assert "Words." in parsed.pages[0].markdown


async def test_the_time_of_a_change_is_what_the_page_says(site: SiteServer) -> None:
    head = '<meta property="article:modified_time" content="2025-01-02T03:04:05Z">'
    site.pages = {"/": page(head=head), "/robots.txt": SitePage(status=404)}
    (document,) = (c for c in await told(site) if isinstance(c, SourceDocument))
    assert document.modified_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


# from one run to the next


async def test_what_has_not_changed_is_not_sent_again(site: SiteServer) -> None:
    site.pages = {
        "/": page("/dated", "/paper"),
        "/dated": SitePage("<a href='/tagged'>x</a>", modified_at=DAY),
        "/tagged": page(),
        "/paper": SitePage(b"%PDF", media_type="application/pdf", etag=True),
    }
    first = await told(site)
    site.asked.clear()
    second = await told(site, cursor=cursor_of(first))
    statuses = {asked.path: asked.status for asked in site.asked}
    assert {path: statuses[path] for path in ("/dated", "/tagged", "/paper")} == dict.fromkeys(
        ("/dated", "/tagged", "/paper"), 304
    )

    def prints(changes: list[Change]) -> list[Any]:
        return [(c.key, c.fingerprint) for c in changes if isinstance(c, SourceDocument)]

    assert prints(second) == prints(first)
    site.pages["/tagged"] = page(text="Other words.")
    third = await told(site, cursor=cursor_of(second))
    assert listed(site, third) == listed(site, first)
    changed = set(prints(third)) - set(prints(first))
    assert [key.removeprefix(site.url) for key, _ in changed] == ["/tagged"]


async def test_a_known_page_whose_text_is_wanted_again_is_fetched(site: SiteServer) -> None:
    site.pages = {"/": page(text="Still here.")}
    first = await told(site)
    (document,) = (
        c for c in await told(site, cursor=cursor_of(first)) if isinstance(c, SourceDocument)
    )
    assert b"Still here." in await document.load()
    site.pages = {}
    with pytest.raises(SourceError, match="answers 404"):
        await document.load()


@pytest.mark.parametrize("status", [404, 410])
async def test_a_page_that_is_gone_is_removed(status: int, site: SiteServer) -> None:
    site.pages = {"/": page("/a", "/never"), "/a": page()}
    first = await told(site)
    assert skipped(site, first) == {}
    site.pages["/a"] = SitePage(status=status)
    second = await told(site, cursor=cursor_of(first))
    assert Removed(f"{site.url}/a") in second
    assert listed(site, second) == ["/"]


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_page_that_fails_is_kept_with_all_that_it_leads_to(
    status: int, site: SiteServer
) -> None:
    site.pages = {"/": page("/a"), "/a": page("/a/b"), "/a/b": page()}
    first = await told(site)
    site.pages["/a"] = SitePage(status=status, headers={"Retry-After": "0"})
    second = await told(site, cursor=cursor_of(first))
    assert listed(site, second) == ["/", "/a/b"]
    (kept,) = (change for change in second if isinstance(change, Skipped))
    assert kept.unreadable
    assert str(status) in kept.reason
    third = await told(site, cursor=cursor_of(second))
    assert listed(site, third) == ["/", "/a/b"]


async def test_a_page_that_asks_for_a_login_now_leaves_the_index(site: SiteServer) -> None:
    site.pages = {"/": page("/a"), "/a": page()}
    first = await told(site)
    site.pages["/a"] = SitePage(status=403)
    second = await told(site, cursor=cursor_of(first))
    (gone,) = (change for change in second if isinstance(change, Skipped))
    assert not gone.unreadable
    assert "not open to everyone" in gone.reason


async def test_a_busy_site_is_given_the_time_that_it_asks_for(site: SiteServer) -> None:
    answers = [SitePage(status=429, headers={"Retry-After": "1"}), page(text="At last.")]

    async def busy(_request: web.Request) -> SitePage:
        return answers.pop(0)

    site.pages = {"/": page("/busy"), "/busy": busy}
    changes = await told(site)
    assert listed(site, changes) == ["/", "/busy"]
    first, second = (asked.seconds for asked in site.asked if asked.path == "/busy")
    assert second - first > 0.95


async def test_a_site_that_is_busy_for_longer_than_we_wait_is_left_alone(site: SiteServer) -> None:
    site.pages = {
        "/": page("/busy"),
        "/busy": SitePage(status=503, headers={"Retry-After": "3600"}),
    }
    changes = await told(site)
    assert "answers 503" in skipped(site, changes)["/busy"]
    assert site.paths.count("/busy") == 1


async def test_a_site_that_breaks_down_in_the_middle_removes_nothing(site: SiteServer) -> None:
    site.pages |= {"/": page(*(f"/{n}" for n in range(20)))}
    site.pages |= {f"/{n}": page() for n in range(20)}
    first = await told(site)
    for n in range(3, 20):
        site.pages[f"/{n}"] = SitePage(status=500)
    with pytest.raises(SourceError, match="does not answer any more"):
        await told(site, cursor=cursor_of(first))


async def test_a_run_that_is_cut_goes_on_without_asking_again(site: SiteServer) -> None:
    paths = [f"/{n}" for n in range(60)]
    site.pages |= {"/": page(*paths)}
    site.pages |= {path: page(text=f"Text of {path}.") for path in paths}
    cursor: Any = None
    async for change in opened(site).changes(None):
        if isinstance(change, Checkpoint):
            assert not change.complete
            cursor = change.cursor
            break
    site.asked.clear()
    rest = await told(site, cursor=cursor)
    assert listed(site, rest) == ["/", *paths]  # all are told, so the telling is complete
    again = [path for path in site.paths if path in paths]
    assert 30 < len(again) < 40
    site.asked.clear()
    await told(site, cursor=cursor_of(rest))
    assert {asked.status for asked in site.asked if asked.path in paths} == {304}


# by sitemap

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def sitemap(*entries: tuple[str, str | None]) -> str:
    """A sitemap of (address, lastmod)."""
    urls = "".join(
        f"<url><loc>{url}</loc>{f'<lastmod>{modified}</lastmod>' if modified else ''}</url>"
        for url, modified in entries
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><urlset {NAMESPACE}>{urls}</urlset>'


async def test_a_site_with_a_sitemap_is_read_by_it(site: SiteServer) -> None:
    index = "".join(
        f"<sitemap><loc>{site.url}/{name}</loc></sitemap>"
        for name in ("one.xml", "two.xml.gz", "three.txt", "gone.xml")
    )
    packed = gzip.compress(sitemap((f"{site.url}/b", None), ("https://x.example/", None)).encode())
    site.pages = {
        "/robots.txt": SitePage(f"Sitemap: {site.url}/index.xml", media_type="text/plain"),
        "/index.xml": SitePage(f"<sitemapindex {NAMESPACE}>{index}</sitemapindex>"),
        "/one.xml": SitePage(sitemap((f"{site.url}/a?x=1&amp;y=2", "2026-03-02T10:00:00+00:00"))),
        "/two.xml.gz": SitePage(packed, media_type="application/gzip"),
        "/three.txt": SitePage(f"{site.url}/c\n{site.url}/b\n", media_type="text/plain"),
        "/": page("/linked"),
        "/linked": page(),
        "/a?x=1&y=2": page("/linked"),
        "/b": page(),
        "/c": page(),
    }
    for name in ("/index.xml", "/one.xml"):
        found = site.pages[name]
        assert isinstance(found, SitePage)
        site.pages[name] = SitePage(found.body, media_type="application/xml")
    changes = await told(site)
    assert listed(site, changes) == ["/a?x=1&y=2", "/b", "/c"]
    first = changes[0]
    assert isinstance(first, SourceDocument)
    assert first.modified_at == DAY
    assert listed(site, await told(site, "/one.xml")) == ["/a?x=1&y=2"]
    assert listed(site, await told(site, mode="crawl")) == ["/", "/linked"]


async def test_the_sitemap_says_what_need_not_be_asked_for(site: SiteServer) -> None:
    def write(modified: str) -> None:
        entries = (f"{site.url}/a", modified), (f"{site.url}/b", None)
        site.pages["/sitemap.xml"] = SitePage(sitemap(*entries), media_type="text/xml")

    site.pages = {"/": page(), "/a": page(text="One."), "/b": page()}
    write("2026-03-01")
    first = await told(site)
    site.pages["/a"] = page(text="Two.")
    site.asked.clear()
    second = await told(site, cursor=cursor_of(first))
    assert "/a" not in site.paths
    assert "/b" in site.paths
    assert listed(site, second) == ["/a", "/b"]
    write("2026-03-02")
    third = await told(site, cursor=cursor_of(second))
    (document,) = (c for c in third if isinstance(c, SourceDocument) and c.key.endswith("/a"))
    assert b"Two." in await document.load()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("<urlset", 200, "is broken"),
        ("", 500, "answers 500"),
        (gzip.compress(bytes(60 * 2**20)), 200, "larger than 50 MB"),
        (
            f'<!DOCTYPE x [<!ENTITY a "{"x" * 99}"><!ENTITY b "&a;&a;">]>'  # noqa: ISC004
            f"<urlset {NAMESPACE}><url><loc>&b;</loc></url></urlset>",
            200,
            "names a page",
        ),
    ],
)
async def test_a_sitemap_that_cannot_be_read_removes_nothing(
    body: str | bytes, status: int, reason: str, site: SiteServer
) -> None:
    site.pages = {"/": page(), "/s.xml": SitePage(body, status=status, media_type="text/xml")}
    with pytest.raises(SourceError, match=reason):
        await told(site, "/s.xml")


# what is refused


async def test_a_site_on_this_machine_is_refused_unless_it_is_allowed(site: SiteServer) -> None:
    site.pages = {"/": page()}
    with pytest.raises(SourceError, match=f"may allow {site.place}"):
        async for _ in load_source("web", site.url).changes(None):
            pass
    assert site.asked == []


async def test_a_site_that_has_moved_to_another_name_says_so(site: SiteServer) -> None:
    site.pages = {"/": SitePage(status=301, headers={"Location": "https://other.example/"})}
    with pytest.raises(SourceError, match=r"another site"):
        await told(site)


async def test_a_site_that_answers_with_an_error_is_an_error(site: SiteServer) -> None:
    with pytest.raises(SourceError, match="answers 404"):
        await told(site)


@pytest.mark.parametrize(
    ("location", "options", "reason"),
    [
        ("ftp://example.com", {}, "https://"),
        ("example.com", {}, "https://"),
        ("https://user:secret@example.com", {}, "no address of a site"),
        ("https://example.com", {"mode": "fast"}, "mode is one of"),
        ("https://example.com", {"pages": "many"}, "pages is a number"),
        ("https://example.com", {"requests_per_second": "0"}, "requests_per_second is a number"),
    ],
)
def test_a_wrong_location_or_option_is_refused(
    location: str, options: dict[str, str], reason: str
) -> None:
    with pytest.raises(SourceError, match=reason) as refused:
        load_source("web", location, options)
    assert "secret" not in str(refused.value)
