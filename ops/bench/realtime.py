"""Measures the hub and the long poll: fan-out beside other websocket servers, memory, pauses, queries, and delays.

Run it as `ops/bench/realtime`, on Linux. The hub and the servers it is compared with run on one processor, readers and
writers on another where there are two; rounds are interleaved. Rates count the processor time of the server alone, so
that other load of the machine does not count. The C loop needs a C compiler.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ops.bench.fan_out import (
    READERS,
    THREADS,
    FanOutResult,
    find_percentile,
    measure_fan_out,
    measure_stuck_reader,
)
from ops.bench.live_costs import (
    IDLE,
    STORM,
    IdleResult,
    measure_idle,
    measure_parked_polls,
    measure_storm,
    measure_without_redis,
)
from ops.bench.live_installation import LiveInstallation, open_installation
from ops.bench.live_stage import bind_to_processor, open_stage, say
from ops.bench.reference_sockets import C_LOOP
from ops.bench.result import Row, report


@dataclass(frozen=True, slots=True)
class Measurements:
    """All figures."""

    fan_out: FanOutResult
    stuck_ratio: float
    idle: IdleResult
    poll_kib: float
    storm_queries: int
    outage_ratio: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the RESULT line; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="ops/bench/realtime", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of every server (9)")
    parser.add_argument("--events", type=int, default=25, help="events in a round (25)")
    options = parser.parse_args(arguments)
    with open_installation(
        hubs=1, hub_module="ops.bench.hub_with_probe", durable=True, name="bench_realtime"
    ) as installation:
        bind_to_processor(installation.hubs[0].process.pid, 0)
        measured = asyncio.run(_measure(installation, options.rounds, options.events))
    pause_ms = measured.idle.full_pause_ms
    print(
        f"\nA full collection, which the hub does not get to, takes {pause_ms:.0f} ms at {IDLE:,} connections.\n"
    )
    return report(_build_rows(measured))


async def _measure(installation: LiveInstallation, rounds: int, events: int) -> Measurements:
    async with open_stage(installation) as stage:
        fan_out = await measure_fan_out(stage, rounds=rounds, events=events)
        _print_table(fan_out)
        say("A reader that does not read …")
        stuck_ratio = await measure_stuck_reader(stage, rounds=rounds, events=4 * events)
        say(f"{IDLE:,} idle readers …")
        idle = await measure_idle(stage)
        say("Parked polls …")
        poll_kib = await measure_parked_polls(stage)
        say("Redis stopped …")
        outage_ratio = await measure_without_redis(stage)
        say(f"{STORM:,} readers at once …")
        storm_queries = await measure_storm(stage)
    return Measurements(fan_out, stuck_ratio, idle, poll_kib, storm_queries, outage_ratio)


def _print_table(fan_out: FanOutResult) -> None:
    print(f"\n{'fan-out to ' + str(READERS):<18} {'frames/CPU s':>12}")
    for subject in fan_out.subjects.values():
        rate = sorted(subject.frames_per_second)[len(subject.frames_per_second) // 2]
        print(f"{subject.name:<18} {rate:>12,.0f}")
    print()


def _build_rows(measured: Measurements) -> list[Row]:
    fan_out, idle = measured.fan_out, measured.idle
    hub, comments = fan_out.subjects["hub"], fan_out.comments
    one, many = f"{READERS:,} readers of one thread", f"{THREADS:,} threads"
    c_cost: float | None = None
    if C_LOOP in fan_out.subjects:
        c_cost = 1 / fan_out.compare_rates(C_LOOP)
    return [
        Row("frames/s, hub / broadcast()", fan_out.compare_rates("broadcast"), 1.8),
        Row("frames/s, hub / picows", fan_out.compare_rates("picows"), 0.8),
        Row("frames/s, hub / bare Litestar sockets", fan_out.compare_rates("litestar"), 1.8),
        Row("CPU a frame, hub / C send loop", c_cost, 1.5, at_most=True, reason="there is no C compiler"),
        Row(f"post to seen, {one}, p50 ms", hub.percentile_ms(0.5), 25, at_most=True),
        Row(f"post to seen, {one}, p99 ms", hub.percentile_ms(0.99), 50, at_most=True),
        Row(f"post to seen, {many}, p50 ms", fan_out.threads.percentile_ms(0.5), 10, at_most=True),
        Row(f"post to seen, {many}, p99 ms", fan_out.threads.percentile_ms(0.99), 25, at_most=True),
        Row(f"comment to seen, {one}, p50 ms", find_percentile(comments, 0.5) * 1000, 60, at_most=True),
        Row(f"comment to seen, {one}, p99 ms", find_percentile(comments, 0.99) * 1000, 120, at_most=True),
        Row("p99 beside a stuck reader / without", measured.stuck_ratio, 1.10, at_most=True),
        Row("KiB an idle connection", idle.kib, 16, at_most=True),
        Row("KiB a parked long poll", measured.poll_kib, 19.2, at_most=True),
        Row("memory, parked long poll / idle connection", measured.poll_kib / idle.kib, 1.2, at_most=True),
        Row(f"longest collection at {IDLE:,} connections, ms", idle.longest_pause_ms, 20, at_most=True),
        Row(f"queries when {STORM:,} readers come at once", float(measured.storm_queries), 2, at_most=True),
        Row("added delay without Redis / reconcile pause", measured.outage_ratio, 1.5, at_most=True),
    ]


if __name__ == "__main__":
    sys.exit(main())
