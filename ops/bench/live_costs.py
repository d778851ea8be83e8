"""What readers of the hub and of the long poll cost: memory, pauses, queries, and the delay while Redis is away."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from time import perf_counter

import asyncpg

from kernel.live.rooms import RECONCILE_S
from ops.bench.hub_with_probe import read_pauses
from ops.bench.live_installation import read_metric
from ops.bench.live_stage import Stage
from ops.bench.resource_usage import read_private_bytes
from ops.bench.socket_readers import SocketReaders
from ops.dev import programs

IDLE = 5000
#: Fewer than a gateway lets wait at once.
POLLS = 200
_FIRST_POLLS = 50
STORM = 1000
#: Open before memory is measured, so that what a process allocates once is not counted.
_WARM_UP = 200
_READERS_PER_THREAD = 10
_EVENTS = 50
_SETTLE_S = 1.0
_POSTS = 24
# Statements on the log; the reconciler asks for heads by a function of its own.
_READS_LOG = re.compile(rb"FROM (?:live_stream|live_event)\b")
_LOG_ENTRY = re.compile(rb"^(?=\[)", re.MULTILINE)
#: Posts are spread over this time, longer than the longest pause of the reconciler.
_OUTAGE_S = 7.0
_LONGEST_DELAY_S = 20.0


@dataclass(frozen=True, slots=True)
class IdleResult:
    """KiB for each idle connection, and pauses by the garbage collector in milliseconds."""

    kib: float
    longest_pause_ms: float
    """Of those that happened while thousands connected and events went out; 0 without any."""
    full_pause_ms: float
    """Of a full collection with all connections open."""


async def measure_idle(stage: Stage) -> IdleResult:
    """Open thousands of readers of some hundred threads, write to them, and have everything collected once."""
    # A new one: what another has freed would be used again, and not be counted.
    hub = await stage.restart_hub()
    started = hub.log.stat().st_size
    threads = await stage.create_streams((IDLE + _WARM_UP) // _READERS_PER_THREAD)
    streams = [each for each in threads for _ in range(_READERS_PER_THREAD)]
    warm_up, readers = await stage.open_readers(streams[:_WARM_UP]), SocketReaders()
    try:
        await asyncio.sleep(_SETTLE_S)
        before = read_private_bytes([hub.process.pid])
        readers = await stage.open_readers(streams[_WARM_UP:])
        await asyncio.sleep(_SETTLE_S)
        kib = (read_private_bytes([hub.process.pid]) - before) / len(readers) / 1024
        for thread in threads[-_EVENTS:]:
            await stage.post(thread)
            readers.read(_READERS_PER_THREAD)
        own, logged = read_pauses(hub.log, started), hub.log.stat().st_size
        hub.process.send_signal(signal.SIGUSR2)
        await asyncio.sleep(_SETTLE_S)
        full = read_pauses(hub.log, logged)
    finally:
        warm_up.close()
        readers.close()
    if not full:
        raise RuntimeError("The hub has not printed the pause of its full collection.")
    return IdleResult(kib, max(own, default=0.0), max(full))


async def measure_parked_polls(stage: Stage) -> float:
    """Return the KiB that a parked long poll takes in the gateway."""
    pid = stage.installation.gateway.process.pid
    place = await stage.thread.fetch_place()
    path = f"/i/{stage.thread.token}/events?since={place['head']}&epoch={place['epoch']}&wait=25"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {stage.thread.authority}\r\nX-Forwarded-For: 10.1.{{}}.{{}}\r\n\r\n"
    )
    sockets: list[socket.socket] = []

    async def park(count: int) -> None:
        for _ in range(count):
            number = len(sockets)
            sockets.append(socket.create_connection(("127.0.0.1", stage.thread.port)))
            sockets[-1].sendall(request.format(number >> 8, number & 255).encode())
        await _wait_for_metric(stage.installation.gateway, "portal_polls_parked_count", len(sockets))

    try:
        await park(_FIRST_POLLS)
        before = read_private_bytes([pid])
        await park(POLLS)
        return (read_private_bytes([pid]) - before) / POLLS / 1024
    finally:
        for each in sockets:
            each.close()


async def measure_storm(stage: Stage) -> int:
    """Return how many queries of the log a hub makes that has just started when all readers of a thread come at once.

    They come from the log's beginning, which the hub must read.
    """
    (stream,) = await stage.create_streams(1)
    for _ in range(_EVENTS):
        await stage.post(stream)
    await stage.restart_hub()
    log = stage.installation.state / "postgres.log"
    readers = SocketReaders()
    async with _log_statements(stage.installation.admin_url):
        logged = log.stat().st_size
        try:
            readers.open(stage.list_requests([replace(stream, head=0)] * STORM), in_flight=STORM)
            readers.drain(_SETTLE_S)
        finally:
            readers.close()
        entries = _LOG_ENTRY.split(log.read_bytes()[logged:])
    if readers.events != STORM * _EVENTS:
        message = f"{STORM} readers got {readers.events} events instead of {STORM * _EVENTS}"
        raise RuntimeError(message)
    return sum(1 for entry in entries if entry.startswith(b"[portal hub]") and _READS_LOG.search(entry))


async def measure_without_redis(stage: Stage) -> float:
    """Return the longest added delay while Redis is away, divided by the mean pause of the reconciler."""
    streams = await stage.create_streams(_POSTS)
    readers = [await stage.open_readers([stream]) for stream in streams]
    random = Random(1)
    begun: dict[int, float] = {}
    delays: list[float] = []
    try:
        usual: list[float] = []
        for stream, reader in zip(streams, readers, strict=True):
            started_at = await stage.post(stream)
            usual += [each - started_at for each in reader.read(1)]
        stage.installation.stop_redis()
        due = {index: perf_counter() + random.uniform(1, 1 + _OUTAGE_S) for index in range(_POSTS)}
        while len(delays) < _POSTS:
            for index in [each for each, at in due.items() if at <= perf_counter()]:
                del due[index]
                begun[index] = await stage.post(streams[index])
            for index in list(begun):
                delays += [each - begun.pop(index) for each in readers[index].drain(0)]
            if begun and perf_counter() - min(begun.values()) > _LONGEST_DELAY_S:
                raise TimeoutError("An event did not arrive without Redis.")
            await asyncio.sleep(0.005)
    finally:
        stage.installation.start_redis()
        for reader in readers:
            reader.close()
    return (max(delays) - statistics.median(usual)) / statistics.mean(RECONCILE_S)


async def _wait_for_metric(program: programs.RunningProgram, name: str, value: float) -> None:
    """Wait until a metric without labels has a value."""
    deadline = perf_counter() + _LONGEST_DELAY_S
    while perf_counter() < deadline:
        if await read_metric(program, name) >= value:
            return
        await asyncio.sleep(0.1)
    message = f"{name} did not reach {value}"
    raise TimeoutError(message)


@asynccontextmanager
async def _log_statements(admin_url: str) -> AsyncIterator[None]:
    """Have Postgres log each statement with the name of the process that sent it."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("ALTER SYSTEM SET log_line_prefix = '[%a] '")
        await connection.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(_SETTLE_S)
        yield
        await connection.execute("ALTER SYSTEM RESET log_statement")
        await connection.execute("ALTER SYSTEM RESET log_line_prefix")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
