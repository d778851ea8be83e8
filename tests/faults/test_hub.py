"""The real hub process: events of other processes, a taken port, and an end in order."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from kernel import live
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.live import Audience, Ticket, Tickets
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.store import Database
from kernel.wakeup import Publisher
from ops.dev.loopback import fetch_url
from ops.ports import find_free_port
from tests.conftest import OPERATOR
from tests.fakes.sample_workspaces import create_sample_workspace

TIMEOUT_S = 45.0
CLOCK = SystemClock()


async def follow(port: int, ticket: Ticket, epoch: object) -> ClientConnection:
    """Connect like a page."""
    host = ticket.origin.removeprefix("http://")
    token = Tickets(Sealer((("demo", DEMO_SECRET),)), CLOCK).issue(ticket)
    return await connect(
        f"ws://{host}:{port}/realtime?invoice={ticket.stream_id}&since=0&epoch={epoch}",
        host="127.0.0.1",
        port=port,
        origin=Origin(ticket.origin),
        subprotocols=[Subprotocol("portal.v1"), Subprotocol(f"ticket.{token}")],
        proxy=None,
        open_timeout=TIMEOUT_S,
    )


async def read(reader: ClientConnection) -> dict[str, Any]:
    """Return the next frame."""
    async with asyncio.timeout(TIMEOUT_S):
        frame: dict[str, Any] = json.loads(await reader.recv())
    return frame


async def read_code(reader: ClientConnection) -> int:
    """Return the close code."""
    try:
        while True:
            await read(reader)
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else 1006


async def test_a_hub_tells_what_others_commit_and_sends_its_readers_away_at_its_end(deployment: Any) -> None:
    publisher = Publisher(deployment.redis_url, deadline_s=10)
    database = await Database.open(
        deployment.urls.app, size=2, name="writer", actor=OPERATOR, publish=publisher.publish
    )
    workspace = await create_sample_workspace(database, Sealer((("demo", DEMO_SECRET),)), CLOCK)
    stream_id = new_id()
    async with database.scope(workspace.workspace_id):
        await live.create_stream(stream_id)
        heads = await live.load_heads(stream_id)
    assert heads is not None
    origin, expires_at = f"http://{workspace.host}", CLOCK.now() + timedelta(minutes=4)
    ticket = Ticket(
        workspace.workspace_id, stream_id, Audience.PUBLIC, frozenset({new_id()}), origin, expires_at
    )
    port = find_free_port()
    variables = {"PORTAL_PORT": str(port), "PORTAL_PUBLIC_SCHEME": "http"}
    hub = await deployment.start("hub", module="ops.cli", **variables)

    readers = [await follow(port, ticket, heads.epoch) for _ in range(3)]
    assert [(await read(reader))["type"] for reader in readers] == ["hello"] * 3
    async with database.scope(workspace.workspace_id):
        await live.append(stream_id, Audience.PUBLIC, "comment.posted", {"comment_id": "1"})
    assert [(await read(reader))["seq"] for reader in readers] == [1] * 3
    metrics = fetch_url(hub.program.metrics_url).body.decode()
    for line in (
        "portal_hub_connections_count 3.0",
        "portal_live_warm_ups_total 1.0",
        "portal_live_listener_connected_count 1.0",
    ):
        assert line in metrics.splitlines()

    # A second one on the same port says what is wrong.
    second = await deployment.start("hub", ready=False, module="ops.cli", **variables)
    assert await asyncio.to_thread(second.process.wait, TIMEOUT_S) == 1
    assert "The hub cannot listen" in second.log.read_text()

    hub.process.send_signal(signal.SIGTERM)
    assert [await read_code(reader) for reader in readers] == [4012] * 3
    assert await asyncio.to_thread(hub.process.wait, TIMEOUT_S) == 0
    assert json.loads(hub.log.read_text().splitlines()[-1])["event"] == "stopped"
    await database.close()
    await publisher.close()
