"""The real gateway process while Postgres does not answer."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from ops.ports import find_free_port
from tenants.invoices.actions import issue_link
from tests.fakes.forwarding import open_forwarder
from tests.fakes.sample_workspaces import create_sample_workspace

CLIENT_TIMEOUT_S = 9.0
TIMEOUT_S = 45.0


def fetch_status(port: int, host: str, path: str) -> int:
    """Ask for the headers of a page, as a client that waits no longer than its own time-out; 0 when it gives up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CLIENT_TIMEOUT_S)
    try:
        connection.request("HEAD", path, headers={"Host": host})
        return connection.getresponse().status
    except TimeoutError:
        return 0
    finally:
        connection.close()


async def test_while_postgres_is_stalled_clients_are_answered_before_they_give_up(deployment: Any) -> None:
    sample_workspace = await create_sample_workspace(
        deployment.database, Sealer((("test", DEMO_SECRET),)), SystemClock()
    )
    invoice_id = await sample_workspace.issue_invoice()
    async with deployment.database.scope(sample_workspace.workspace_id):
        link = await issue_link(invoice_id, sealer=sample_workspace.sealer, clock=sample_workspace.clock)
    port = find_free_port()
    ask = port, sample_workspace.host, f"/i/{link.token}"
    async with open_forwarder(deployment.urls.app) as forwarder:
        await deployment.start(
            "gateway",
            module="ops.cli",
            PORTAL_DATABASE_URL=forwarder.url,
            PORTAL_POOL_SIZE="1",
            PORTAL_PORT=str(port),
            PORTAL_PUBLIC_SCHEME="http",
        )
        assert await asyncio.to_thread(fetch_status, *ask) == 200
        forwarder.stall()
        # The first has the only connection and waits for a statement. The second is
        # given its slot in the pool and waits for a new connection. The third gets no slot.
        requests = []
        for _ in range(3):
            requests.append(asyncio.create_task(asyncio.to_thread(fetch_status, *ask)))
            await asyncio.sleep(1)
        first, _, third = await asyncio.gather(*requests)
        assert (first, third) == (503, 503)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_during_the_start_ends_the_process_in_order(
    deployment: Any, number: signal.Signals
) -> None:
    async with open_forwarder(deployment.urls.app) as forwarder:
        forwarder.stall()
        started = await deployment.start(
            "gateway",
            ready=False,
            module="ops.cli",
            PORTAL_DATABASE_URL=forwarder.url,
            PORTAL_PORT=str(find_free_port()),
        )
        async with asyncio.timeout(TIMEOUT_S):
            await forwarder.connected.wait()
        started.process.send_signal(number)
        forwarder.resume()
        assert await asyncio.to_thread(started.process.wait, TIMEOUT_S) == 0
    assert json.loads(started.log.read_text().splitlines()[-1])["event"] == "stopped"
