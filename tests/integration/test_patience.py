"""What every vendor's API is asked with: pace, waits, a bounded number of tries."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from aiohttp import web

from knowledge.errors import SourceError
from knowledge.sources.patience import Patience, Vendor, retry_after
from tests.vendors.server import Fault, VendorServer, answer

QUICK = Patience(tries=3, first_wait_seconds=0.01, longest_wait_seconds=2.0)


class Plain(VendorServer):
    """Answers everything."""

    def routes(self) -> list[web.RouteDef]:
        async def fine(request: web.Request) -> web.Response:
            return answer({"sent": await request.text()})

        return [web.route("*", "/{any:.*}", fine)]

    def refusal(self, request: web.Request) -> web.Response | None:
        return None


@pytest.fixture
async def server() -> AsyncIterator[Plain]:
    """A server that is always content."""
    plain = Plain()
    await plain.start()
    yield plain
    await plain.close()


async def test_a_busy_vendor_is_asked_again_with_the_same_body(server: Plain) -> None:
    server.faults += [Fault(503), Fault(500)]
    async with Vendor("Acme", patience=QUICK).client() as client:
        response = await client.post(f"{server.url}/x", json={"a": 1})
    assert response.json() == {"sent": '{"a":1}'}
    assert len(server.requests) == 3


async def test_retry_after_is_obeyed(server: Plain) -> None:
    server.faults.append(Fault(429, headers={"Retry-After": "1"}))
    began = time.monotonic()
    async with Vendor("Acme", patience=QUICK).client() as client:
        assert (await client.get(f"{server.url}/x")).status_code == 200
    assert time.monotonic() - began >= 1.0


async def test_what_a_vendor_asks_of_one_request_holds_for_those_beside_it(server: Plain) -> None:
    server.faults += [Fault(429, headers={"Retry-After": "0.3"})]
    vendor = Vendor("Acme", patience=QUICK)
    began = time.monotonic()
    async with vendor.client() as client:
        first = asyncio.create_task(client.get(f"{server.url}/first"))
        while not server.requests:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        await client.get(f"{server.url}/second")
        assert time.monotonic() - began >= 0.3
        await first


async def test_too_long_a_wait_ends_the_run_with_the_time_and_asks_no_more(server: Plain) -> None:
    server.faults.append(Fault(429, headers={"Retry-After": "3600"}))
    vendor = Vendor("Acme", patience=QUICK)
    async with vendor.client() as client:
        for _ in range(2):
            with pytest.raises(SourceError, match=r"Acme takes no more requests until .* UTC"):
                await client.get(f"{server.url}/x")
    assert len(server.requests) == 1


async def test_the_last_try_s_answer_is_what_the_vendor_said(server: Plain) -> None:
    server.faults += [Fault(502)] * 9
    async with Vendor("Acme", patience=QUICK).client() as client:
        assert (await client.get(f"{server.url}/x")).status_code == 502
    assert len(server.requests) == 3


async def test_an_answer_that_is_final_is_not_asked_for_again(server: Plain) -> None:
    server.faults += [Fault(404), Fault(403)]
    async with Vendor("Acme", patience=QUICK).client() as client:
        assert (await client.get(f"{server.url}/x")).status_code == 404
        assert (await client.get(f"{server.url}/x")).status_code == 403
    assert len(server.requests) == 2


async def test_a_vendor_that_cannot_be_reached_is_a_source_error(server: Plain) -> None:
    await server.close()
    async with Vendor("Acme", patience=QUICK).client() as client:
        with pytest.raises(SourceError, match=r"Acme cannot be reached at 127\.0\.0\.1"):
            await client.get(f"{server.url}/x")


async def test_requests_keep_the_pace_after_the_burst(server: Plain) -> None:
    vendor = Vendor("Acme", patience=Patience(requests_per_second=20, burst=2))
    began = time.monotonic()
    for _ in range(12):  # the pace outlives a client
        async with vendor.client() as client:
            await client.get(f"{server.url}/x")
    assert time.monotonic() - began >= 10 / 20 - 0.01


async def test_connections_are_shared_while_somebody_uses_them_and_closed_after(
    server: Plain,
) -> None:
    vendor = Vendor("Acme", patience=QUICK)
    async with vendor.client() as first, vendor.client() as second:
        assert first is second
    assert first.is_closed
    async with vendor.client() as third:
        assert third is not first
        assert (await third.get(f"{server.url}/x")).status_code == 200


def test_both_forms_of_retry_after_are_read() -> None:
    def asked(value: str) -> float | None:
        return retry_after(httpx.Response(429, headers={"retry-after": value}))

    assert asked("7") == 7.0
    assert asked("-3") == 0.0
    assert asked("soon") is None
    in_a_minute = asked(format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True))
    assert in_a_minute is not None
    assert 55 < in_a_minute <= 60
