"""What a reader gets who may follow an invoice."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from kernel import live
from kernel.ids import new_id
from kernel.live import Audience
from kernel.store import Database
from kernel.store.roles import Urls
from tests.conftest import OPERATOR
from tests.fakes.forwarding import open_forwarder
from tests.web.hub.conftest import CLOCK, TIMEOUT_S, Running, StartHub, build_upgrade


async def test_a_reader_gets_hello_then_what_it_missed_then_what_happens(running: Running) -> None:
    await running.append(3)
    socket = await running.open(since=1)
    hello = await socket.read()
    cursor = await running.load_cursor(3)
    assert hello == {"type": "hello", "epoch": str(cursor.epoch), "head": 3, "heartbeat_s": 25}
    assert await socket.read_seqs(2) == [2, 3]
    await running.append(2)
    assert await socket.read_seqs(2) == [4, 5]
    assert socket.connection.subprotocol == "portal.v1"


async def test_a_reader_that_is_up_to_date_gets_hello_alone_and_then_events_as_they_were_written(
    running: Running,
) -> None:
    await running.append(2)
    socket = await running.follow(since=2)
    async with running.database.scope(running.workspace_id):
        await live.append(
            running.stream_id, Audience.PUBLIC, "comment.posted", {"comment_id": "1"}, client_id="client-1"
        )
    assert await socket.read() == {
        "type": "event",
        "seq": 3,
        "kind": "comment.posted",
        "payload": {"comment_id": "1"},
        "client_id": "client-1",
    }


async def test_a_reader_far_behind_gets_all_of_it_from_the_database(running: Running) -> None:
    async with running.database.scope(running.workspace_id):
        event = live.NewEvent(running.stream_id, Audience.PUBLIC, "comment.posted", {"id": "x" * 30})
        await live.append_many([event] * 700)
    assert await (await running.follow()).read_seqs(700) == list(range(1, 701))


async def test_internal_notes_and_views_are_in_no_frame_of_a_customer_and_leave_no_gap(
    running: Running,
) -> None:
    await running.append(1, secret="public-1")
    await running.append(1, Audience.STAFF, secret="hidden-1")
    socket = await running.open()
    hello = await socket.read_raw()
    await running.append(2, Audience.STAFF, secret="hidden-2")
    await running.append(1, secret="public-2")
    raw = [hello, await socket.read_raw(), await socket.read_raw()]
    assert [json.loads(frame).get("seq") for frame in raw] == [None, 1, 2]
    assert json.loads(hello)["head"] == 1
    assert [marker in "".join(raw) for marker in ("public-1", "public-2", "hidden")] == [True, True, False]
    staff = await running.follow(ticket=running.issue(audience=Audience.STAFF))
    assert await staff.read_seqs(5) == [1, 2, 3, 4, 5]


async def test_heartbeats_carry_the_head_and_are_answered_by_the_clients_library(start_hub: StartHub) -> None:
    running = await start_hub(heartbeat_s=0.1)
    await running.append(2)
    socket = await running.follow(since=2)
    # A reader that did not answer the pings would be closed before the third.
    assert [await socket.read() for _ in range(4)] == [{"type": "heartbeat", "head": 2}] * 4


async def test_a_reader_that_answers_no_ping_is_closed(start_hub: StartHub) -> None:
    running = await start_hub(heartbeat_s=0.1)
    epoch = (await running.load_cursor()).epoch
    # Over a bare socket: every library answers pings.
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    path = f"/realtime?invoice={running.stream_id}&since=0&epoch={epoch}"
    writer.write(build_upgrade(path, f"Sec-WebSocket-Protocol: portal.v1, ticket.{running.issue()}"))
    async with asyncio.timeout(TIMEOUT_S):
        received = await reader.read()
    # Its last frame is a close frame.
    assert received.endswith(b"\x88\x06" + (4008).to_bytes(2, "big") + b"slow")
    writer.close()


async def test_a_reader_of_another_log_is_reset_and_so_is_one_that_is_ahead(running: Running) -> None:
    await running.append(2)
    cursor = await running.load_cursor(2)
    for since, epoch in ((2, new_id()), (3, cursor.epoch)):
        frames, code = await (await running.open(since, epoch=epoch)).read_to_end()
        assert (frames, code) == ([{"type": "reset", "epoch": str(cursor.epoch), "head": 2}], 4009)


async def test_a_change_of_the_epoch_resets_readers_that_are_connected(running: Running) -> None:
    socket = await running.follow()
    async with running.database.scope(running.workspace_id):
        await live.change_epochs()
    frames, code = await socket.read_to_end()
    cursor = await running.load_cursor()
    assert (frames, code) == ([{"type": "reset", "epoch": str(cursor.epoch), "head": 0}], 4009)


async def test_an_invoice_that_does_not_exist_is_final(running: Running) -> None:
    unknown = new_id()
    ticket = running.issue(stream_id=unknown)
    socket = await running.open(ticket=ticket, invoice_id=unknown, epoch=new_id())
    assert await socket.read_to_end() == ([], 4504)


async def test_a_revoked_link_ends_its_readers_and_no_others(running: Running) -> None:
    link_id, session_id = new_id(), new_id()
    revoked = await running.follow(ticket=running.issue(viewers=frozenset({link_id, session_id})))
    other = await running.follow()
    async with running.database.scope(running.workspace_id):
        live.revoke_after_commit(link_id)
    assert await revoked.read_to_end() == ([], 4503)
    again = await running.open(ticket=running.issue(viewers=frozenset({link_id})))
    assert await again.read_to_end() == ([], 4503)
    await running.append()
    assert await other.read_seqs(1) == [1]


async def test_a_connection_ends_with_its_ticket(running: Running) -> None:
    expires_at = CLOCK.now() + timedelta(seconds=0.5)
    socket = await running.follow(ticket=running.issue(expires_at=expires_at))
    assert await socket.read_to_end() == ([], 4001)


async def test_readers_that_leave_leave_nothing_behind(running: Running) -> None:
    sockets = [await running.follow() for _ in range(5)]
    assert (len(running.rooms), running.count("portal_hub_connections_count")) == (1, 5)
    for socket, code in zip(sockets[1:], (1000, 1000, 1001, 4999), strict=True):
        await socket.connection.close(code)
    # The last one says nothing.
    sockets[0].connection.transport.abort()
    await running.wait_until(lambda: running.count("portal_hub_connections_count") == 0)
    await running.wait_until(lambda: len(running.rooms) == 0)
    closes = {
        code: running.count("portal_hub_closes_total", code=code)
        for code in ("1000", "1001", "1006", "other")
    }
    assert closes == {"1000": 2, "1001": 1, "1006": 1, "other": 1}


async def test_without_the_database_a_reader_is_told_to_wait_and_one_that_leaves_is_forgotten(
    start_hub: StartHub, urls: Urls
) -> None:
    async with open_forwarder(urls.app) as forwarder:
        over = await Database.open(
            forwarder.url,
            size=2,
            name="tests stalled",
            acquire_timeout_s=1,
            command_timeout_s=1,
            actor=OPERATOR,
        )
        running = await start_hub(over=over)
        forwarder.stall()
        waiting, leaving = await running.open(), await running.open()
        await leaving.connection.close()
        assert await waiting.read_to_end() == ([], 4029)
        await running.wait_until(lambda: len(running.rooms) == 0)
        forwarder.resume()
        await over.close()
