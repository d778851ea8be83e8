"""Measures transactions a second with events against the same transactions without."""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import ClassVar, Final

import asyncpg

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.settings import Profile
from kernel.store import Database, execute, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls
from ops.bench.result import Row, report
from ops.command_context import identify_operator
from ops.dev import programs, servers
from ops.migrate import prepare_database
from ops.ports import find_free_port
from tenants.activity.actions import emit
from tenants.activity.events import Event
from tenants.activity.queries import verify
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace

WRITERS: Final = 8
WORKSPACES: Final = 3
#: Emulates a slow disk: commits take the time, not the processor, so that waits of one writer for another are visible.
FLUSH_US: Final = 20000
_DRAIN_TIMEOUT_S: Final = 60.0
_WRITE: Final = """
INSERT INTO customer (workspace_id, customer_id, name, match_key, created_at) VALUES ($1, $2, 'Bench', $3, now())
"""


class RowWritten(Event, frozen=True, kw_only=True):
    """A writer wrote a row."""

    kind: ClassVar[str] = "bench.written"

    number: int


def main(arguments: list[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="ops/bench/events", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds with and without events, in turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a measurement")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        relay: programs.RunningProgram | None = None
        try:
            admin = servers.start_postgres(state, environ={})
            redis = servers.start_redis(state, environ={})
            urls = asyncio.run(_prepare(admin))
            relay = _start_relay(urls, redis, state)
            return report(asyncio.run(_measure(urls, options.rounds, options.seconds)))
        finally:
            if relay is not None:
                programs.stop(relay)
            servers.stop_redis(state)
            servers.stop_postgres(state)


async def _prepare(admin: str) -> Urls:
    connection: Connection = await asyncpg.connect(admin)
    try:
        await connection.execute(f"ALTER SYSTEM SET commit_delay = {FLUSH_US}")
        await connection.execute("ALTER SYSTEM SET commit_siblings = 0")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
    return (await prepare_database(admin, "bench_events")).urls


def _start_relay(urls: Urls, redis: str, state: Path) -> programs.RunningProgram:
    program = programs.Program("relay", ("relay",), find_free_port())
    environ = {
        "PORTAL_PROFILE": Profile.DEMO.value,
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis,
        "PORTAL_METRICS_PORT": str(program.metrics_port),
    }
    running = programs.start(program, programs.build_environ(environ), state / "logs")
    programs.wait_until_ready(running)
    return running


async def _measure(urls: Urls, rounds: int, seconds: float) -> list[Row]:
    database = await Database.open(urls.app, size=WRITERS, name="bench", actor=identify_operator())
    try:
        workspaces = [await _create_workspace(database, index) for index in range(WORKSPACES)]
        numbers, ratios = count(), []
        await _run_writers(database, workspaces, numbers, 1.0, events=True)
        for index in range(rounds):
            without = await _run_writers(database, workspaces, numbers, seconds, events=False)
            with_events = await _run_writers(database, workspaces, numbers, seconds, events=True)
            ratios.append(with_events / without)
            print(
                f"Round {index + 1} of {rounds}: {without:.0f}/s without, {with_events:.0f}/s with events",
                flush=True,
            )
        await _wait_until_placed(urls)
        faults = 0
        for workspace_id in workspaces:
            async with database.scope(workspace_id, read_only=True):
                faults += len(await verify())
    finally:
        await database.close()
    return [
        Row("writers with events against without", statistics.median(ratios), 0.80),
        Row("faults in the logs", float(faults), 0.0, at_most=True),
    ]


async def _create_workspace(database: Database, index: int) -> WorkspaceId:
    workspace_id = WorkspaceId(new_id())
    async with database.scope(workspace_id):
        await create_workspace(
            NewWorkspace(f"bench-{index}", f"Bench {index}"),
            base_domain="localhost",
            reserved_hosts=(),
            sealer=Sealer((("demo", DEMO_SECRET),)),
            clock=SystemClock(),
        )
    return workspace_id


async def _run_writers(
    database: Database, workspaces: list[WorkspaceId], numbers: Iterator[int], seconds: float, *, events: bool
) -> float:
    """Write with all writers for so long; returns transactions a second."""
    started = perf_counter()
    written = 0

    async def write(workspace_id: WorkspaceId) -> None:
        nonlocal written
        while perf_counter() - started < seconds:
            async with database.scope(workspace_id):
                customer_id, number = new_id(), next(numbers)
                await execute(_WRITE, workspace_id, customer_id, str(number))
                if events:
                    await emit(RowWritten(number=number))
            written += 1

    await asyncio.gather(*(write(workspaces[index % WORKSPACES]) for index in range(WRITERS)))
    return written / (perf_counter() - started)


async def _wait_until_placed(urls: Urls) -> None:
    database = await Database.open(urls.svc, size=1, name="bench svc")
    deadline = perf_counter() + _DRAIN_TIMEOUT_S
    try:
        while perf_counter() < deadline:
            async with database.unbound(read_only=True):
                if not await fetch_value("SELECT EXISTS (SELECT FROM event_draft)"):
                    return
            await asyncio.sleep(0.1)
    finally:
        await database.close()
    message = f"The relay did not place all events within {_DRAIN_TIMEOUT_S:.0f} s."
    raise TimeoutError(message)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
