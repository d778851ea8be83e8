"""One signal lets a process end in order, a second one at once; it is ready only between its start and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import generate_latest

from kernel.errors import Invalid, Unavailable
from kernel.process import Process, Shutdown, open_process
from kernel.settings import Settings
from kernel.store import fetch_value
from kernel.store.migrations import Migration
from kernel.store.roles import APP, SVC
from tenants import schema

TIMEOUT_S = 10

pytestmark = pytest.mark.usefixtures("restore_logging")


@pytest.fixture
def process_settings(settings: Settings) -> Settings:
    """The run's settings, with an internal port that the system chooses."""
    return replace(settings, metrics_port=0, warnings=("PORTAL_COLOUR is no setting.",))


def open_test_process(
    settings: Settings, *, role: str = APP, newer: tuple[Migration, ...] = ()
) -> AbstractAsyncContextManager[Process]:
    migrations = (*schema.migrations(), *newer)
    return open_process("test", settings, role=role, pool_size=1, migrations=migrations)


async def find_failures(process: Process) -> list[tuple[str, str]]:
    return [(failure.name, failure.reason) for failure in await process.health.find_failures()]


def read_log(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def send(shutdown: asyncio.Event, number: signal.Signals) -> None:
    """Send a signal to this process, as an orchestrator does, and wait until it is handled."""
    os.kill(os.getpid(), number)
    async with asyncio.timeout(TIMEOUT_S):
        await shutdown.wait()


async def fetch_status(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.split(b" ")[1]


async def test_the_internal_port_serves_probes_and_metrics_as_long_as_the_process_is_open(
    process_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_test_process(process_settings) as process:
        warning, starting = read_log(capsys)
        port = starting["metrics_port"]
        assert await fetch_status(port, "/healthz") == b"200"
        process.mark_started()
        assert await fetch_status(port, "/readyz") == b"200"
        assert await fetch_status(port, "/metrics") == b"200"
    with pytest.raises(OSError, match="Connect call failed"):
        await fetch_status(port, "/healthz")
    (stopped,) = read_log(capsys)
    assert (warning["event"], warning["text"]) == ("settings warning", "PORTAL_COLOUR is no setting.")
    assert (starting["event"], stopped["event"], stopped["process"]) == ("starting", "stopped", "test")


async def test_the_pool_is_measured_with_those_who_wait(process_settings: Settings) -> None:
    async with open_test_process(process_settings) as process:

        async def wait() -> None:
            async with process.database.unbound():
                pass

        def read(name: str) -> float | None:
            return process.metrics.registry.get_sample_value(name)

        async with process.database.unbound():
            waiting = [asyncio.create_task(wait()) for _ in range(2)]
            await asyncio.sleep(0)
            assert read("portal_pool_in_use_connections") == 1
            assert read("portal_pool_waiting_count") == 2
        await asyncio.gather(*waiting)
        assert read("portal_pool_waiting_count") == 0


async def test_a_process_is_not_ready_before_it_has_started(process_settings: Settings) -> None:
    async with open_test_process(process_settings) as process:
        assert await find_failures(process) == [("process", "is starting")]
    async with open_test_process(process_settings) as process:
        process.mark_started()
        assert await find_failures(process) == []


async def test_a_process_is_not_ready_over_a_schema_that_is_older_than_it_needs(
    process_settings: Settings,
) -> None:
    newer = Migration(9999, "newer", "SELECT 1")
    async with open_test_process(process_settings, newer=(newer,)) as process:
        process.mark_started()
        assert [name for name, _ in await find_failures(process)] == ["database"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_requests_the_end_and_the_second_forces_it(
    process_settings: Settings, number: signal.Signals
) -> None:
    async with open_test_process(process_settings) as process:
        process.mark_started()
        await send(process.shutdown.requested, number)
        assert not process.shutdown.forced.is_set()
        assert await find_failures(process) == [("process", "is stopping")]
        await send(process.shutdown.forced, number)


async def test_a_pause_ends_when_the_end_is_requested() -> None:
    shutdown = Shutdown()
    assert not await shutdown.wait(0.01)
    waiting = asyncio.create_task(shutdown.wait(60))
    shutdown.request()
    async with asyncio.timeout(TIMEOUT_S):
        assert await waiting


async def test_the_database_is_that_of_the_role_and_its_pool_is_shown(process_settings: Settings) -> None:
    for role in (APP, SVC):
        opened = open_test_process(process_settings, role=role)
        async with opened as process, process.database.unbound(read_only=True):
            assert await fetch_value("SELECT current_user::text") == role
            assert b"portal_pool_in_use_connections 1.0" in generate_latest(process.metrics.registry)
        with pytest.raises(Unavailable, match="closed"):
            async with process.database.unbound():
                pass


async def test_a_process_with_the_wrong_role_does_not_start(process_settings: Settings) -> None:
    swapped = replace(process_settings, database_url=process_settings.require_svc_url())
    with pytest.raises(Invalid, match="portal_app") as refused:
        async with open_test_process(swapped):
            pass
    assert refused.value.code == "store.wrong_role"


async def test_an_internal_port_that_is_taken_is_an_os_error(process_settings: Settings) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    taken = replace(process_settings, metrics_port=server.sockets[0].getsockname()[1])
    with pytest.raises(OSError, match="address already in use"):
        async with open_test_process(taken):
            pass
    server.close()
