"""Who may not follow an invoice, and how they are told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from websockets.exceptions import InvalidStatus

from kernel.clock import FixedClock
from kernel.ids import new_id
from kernel.live import Tickets
from kernel.seals import Sealer
from kernel.settings import Settings
from tests.web.hub.conftest import CLOCK, HOST, TIMEOUT_S, Running, StartHub, build_upgrade

FOREIGN = "http://evil.example"


async def ask(running: Running, request: bytes) -> bytes:
    """Return the answer to a request, to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(request)
    async with asyncio.timeout(TIMEOUT_S):
        received = await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize(
    "origin", [None, "null", FOREIGN, f"http://other.{HOST}", f"https://{HOST}", f"http://{HOST}:81"]
)
async def test_a_page_of_another_origin_is_refused_before_the_upgrade(
    running: Running, origin: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await running.open(origin=origin)
    assert refused.value.response.status_code == 403
    assert running.count("portal_hub_refusals_total", reason="origin") == 1


async def test_the_origin_is_that_of_the_host_that_is_asked(running: Running) -> None:
    path = f"/realtime?invoice={running.stream_id}&since=0&epoch={new_id()}"
    ticket = f"Sec-WebSocket-Protocol: portal.v1, ticket.{running.issue()}"
    other = await ask(running, build_upgrade(path, ticket, host="other.localhost"))
    assert other.startswith(b"HTTP/1.1 403 ")
    # Host and Origin agree, and the ticket is of another host.
    mapped = await ask(
        running, build_upgrade(path, ticket, host="other.localhost", origin="http://other.localhost")
    )
    assert mapped.startswith(b"HTTP/1.1 101 ")
    assert mapped.endswith((4001).to_bytes(2, "big") + b"ticket")


async def test_bad_tickets_are_closed_with_a_code_that_browsers_can_read(running: Running) -> None:
    past = FixedClock(CLOCK.now() - timedelta(minutes=10))
    keys = (("test", b"k" * 32),)
    present = running.issue()
    expired = Running.issue(
        _replace_tickets(running, Tickets(_sealer(running), past)),
        expires_at=past.now() + timedelta(minutes=4),
    )
    forged = Running.issue(_replace_tickets(running, Tickets(Sealer(keys), CLOCK)))
    for ticket, reason in (
        ("", "missing"),
        ("nonsense", "invalid"),
        (present[:-1], "invalid"),
        (forged, "invalid"),
        (expired, "expired"),
        (running.issue(origin=FOREIGN), "foreign"),
        (running.issue(stream_id=new_id()), "foreign"),
    ):
        before = running.count("portal_hub_refusals_total", reason=f"ticket.{reason}")
        socket = await running.open(ticket=ticket)
        assert await socket.read_to_end() == ([], 4001), reason
        assert running.count("portal_hub_refusals_total", reason=f"ticket.{reason}") == before + 1
    assert running.count("portal_live_warm_ups_total") == 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?invoice={invoice}&since=0",
        "?invoice=7&since=0&epoch={epoch}",
        "?invoice={invoice}&since=-1&epoch={epoch}",
        "?invoice={invoice}&since=1e3&epoch={epoch}",
        "?invoice={invoice}&since=9223372036854775808&epoch={epoch}",
        "?invoice={invoice}&since=0&epoch=now",
        "?invoice={invoice}&invoice={invoice}&since=0&epoch={epoch}",
        "?" + "a=1&" * 20,
    ],
)
async def test_a_request_without_a_place_is_refused(running: Running, query: str) -> None:
    path = "/realtime" + query.format(invoice=running.stream_id, epoch=new_id())
    assert (await ask(running, build_upgrade(path))).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (build_upgrade("/"), b"HTTP/1.1 404 "),
        (build_upgrade("/realtime", "Host: two.localhost"), b"HTTP/1.1 400 "),
        (b"POST /realtime HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        (b"\x16\x03\x01 a TLS client\r\n", b""),
        # A client that does not wait for the answer.
        (build_upgrade("/realtime") + b"\x81\x80\x00\x00\x00\x00", b"HTTP/1.1 400 "),
        (b"GET /realtime HTTP/1.1\r\n" + b"X-Filler: " + b"x" * 9000 + b"\r\n", b""),
        (b"GET /realtime HTTP/1.1\r\n" + (b"X: " + b"x" * 5000 + b"\r\n") * 4, b"HTTP/1.1 431 "),
    ],
)
async def test_what_is_no_upgrade_is_answered_and_closed(
    running: Running, request_bytes: bytes, answer: bytes
) -> None:
    received = await ask(running, request_bytes)
    assert received[: len(answer) or None] == answer


@pytest.mark.parametrize(
    "header",
    ["Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"],
)
async def test_bytes_beyond_ascii_are_refused_and_nothing_of_the_request_is_logged(
    running: Running, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    path = f"/realtime?invoice={running.stream_id}&since=0&epoch={new_id()}"
    request = build_upgrade(path, f"Sec-WebSocket-Protocol: portal.v1, ticket.{running.issue()}")
    answer = await ask(running, request.replace(f"{header}: ".encode(), f"{header}: ".encode() + b"\xfc", 1))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert running.count("portal_hub_refusals_total", reason="request") == 1
    assert caplog.records == []


async def test_a_cookie_with_bytes_beyond_ascii_is_of_no_interest(running: Running) -> None:
    path = f"/realtime?invoice={running.stream_id}&since=0&epoch={new_id()}"
    request = build_upgrade(path, "Cookie: name=J@rg", "Sec-WebSocket-Protocol: portal.v1")
    assert (await ask(running, request.replace(b"@", b"\xf6"))).startswith(b"HTTP/1.1 101 ")


async def test_a_plain_request_is_told_to_upgrade(running: Running) -> None:
    path = f"/realtime?invoice={running.stream_id}&since=0&epoch={new_id()}"
    request = build_upgrade(path).replace(b"Upgrade: websocket\r\n", b"")
    assert (await ask(running, request)).startswith(b"HTTP/1.1 426 ")
    assert running.count("portal_hub_refusals_total", reason="upgrade") == 1


async def test_a_request_that_does_not_come_to_its_end_is_cut_off(start_hub: StartHub) -> None:
    running = await start_hub(head_s=0.2)
    assert await ask(running, b"GET /realtime HTTP/1.1\r\nHost: ") == b""
    assert running.count("portal_hub_refusals_total", reason="slow") == 1


async def test_one_address_can_hold_so_many_connections(start_hub: StartHub) -> None:
    running = await start_hub(connections_per_address=2)
    first = await running.follow()
    await running.follow()
    assert await (await running.open()).read_to_end() == ([], 4029)
    await first.connection.close()
    await running.wait_until(lambda: running.count("portal_hub_connections_count") == 1)
    await running.follow()
    assert running.count("portal_hub_refusals_total", reason="capacity") == 1


async def test_behind_a_proxy_each_client_has_its_own_limit(
    start_hub: StartHub, settings_of_run: Settings
) -> None:
    proxied = replace(settings_of_run, trusted_proxies=(ip_network("127.0.0.0/8"),))
    running = await start_hub(settings=proxied, connections_per_address=1)
    # What a client writes itself stands on the left.
    first, second = {"X-Forwarded-For": "192.0.2.7, 192.0.2.1"}, {"X-Forwarded-For": "192.0.2.7, 192.0.2.2"}
    for headers in (first, second, {}, {}):
        await running.follow(additional_headers=headers)
    assert await (await running.open(additional_headers=first)).read_to_end() == ([], 4029)


def _sealer(running: Running) -> Sealer:
    return running.tickets._sealer


def _replace_tickets(running: Running, tickets: Tickets) -> Running:
    return replace(running, tickets=tickets)
