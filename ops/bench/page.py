"""Measures the invoice page against a bare Litestar route that does one asyncpg point select.

Run it as `ops/bench/page`. All servers run on one processor, the clients on another where there are two; rounds
are interleaved, so that a change of the machine's speed affects every subject alike. Ratios are medians of rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernel.settings import Profile
from ops.bench import conversation, installation
from ops.bench.installation import Installation, PageAddress
from ops.bench.load import LoadResult, RepeatedRequest, measure
from ops.bench.result import Row, report
from ops.dev import programs, servers
from ops.ports import find_free_port

LINES = (10, 40)
COPIES, INVOICES_PER_COPY = 9_990, 21
WARM_UP_S = 1.0
# Before each measurement: the caches of the processor still hold what was measured before, which would cost the subject
# after the reference, another program, some per cent.
SETTLE_S = 0.3
# The headers of browsers: of a first view, and of later ones with the anonymous session cookie.
FIRST_VIEW_HEADERS = ("Accept-Encoding: gzip, deflate, br, zstd",)
REPEAT_VIEW_HEADERS = (*FIRST_VIEW_HEADERS, f"Cookie: session=a{'0' * 43}")


@dataclass(frozen=True, slots=True)
class Subject:
    """Requests that are measured under one name, repeated in turn."""

    name: str
    requests: tuple[RepeatedRequest, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the RESULT line; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="ops/bench/page", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of every subject (7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (2)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        running: list[programs.RunningProgram] = []
        try:
            subjects = _prepare(state, running)
            results = _measure(subjects, options.rounds, options.seconds)
        finally:
            for each in reversed(running):
                programs.stop(each)
            servers.stop_redis(state)
            servers.stop_postgres(state)
    _print_table(results)
    return report(_build_rows(results))


def _prepare(state: Path, running: list[programs.RunningProgram]) -> list[Subject]:
    admin = servers.start_postgres(state, environ={})
    redis = servers.start_redis(state, environ={})
    print("Filling 10 workspaces …", flush=True)
    small = installation.create_installation_sync(admin, "bench_small", lines=LINES)
    print(
        f"Filling {COPIES + 10:,} workspaces with {COPIES * INVOICES_PER_COPY + 20:,} invoices …", flush=True
    )
    talk = conversation.create_conversation(small.urls)
    large = installation.create_installation_sync(
        admin, "bench_large", lines=LINES, copies=COPIES, invoices_per_copy=INVOICES_PER_COPY
    )
    reference_port = _start(state, running, "reference", small, redis)
    small_gateway = _start(state, running, "gateway", small, redis)
    large_gateway = _start(state, running, "gateway", large, redis)
    signed_in = (*FIRST_VIEW_HEADERS, f"Cookie: session={talk.session}")
    return [
        Subject("reference", (RepeatedRequest(reference_port, f"127.0.0.1:{reference_port}", "/"),)),
        Subject("page, 10 lines", _build_requests(small_gateway, small.pages[10][:1], REPEAT_VIEW_HEADERS)),
        Subject("first visit", _build_requests(small_gateway, small.pages[10][:1], FIRST_VIEW_HEADERS)),
        Subject("page, 40 lines", _build_requests(small_gateway, small.pages[40][:1], REPEAT_VIEW_HEADERS)),
        Subject("10 comments", _build_requests(small_gateway, [talk.page], REPEAT_VIEW_HEADERS)),
        Subject("signed in", _build_requests(small_gateway, [talk.page], signed_in)),
        Subject("10 workspaces", _build_requests(small_gateway, small.pages[10], REPEAT_VIEW_HEADERS)),
        Subject("10,000 workspaces", _build_requests(large_gateway, large.pages[10], REPEAT_VIEW_HEADERS)),
    ]


def _start(
    state: Path, running: list[programs.RunningProgram], kind: str, database: Installation, redis: str
) -> int:
    """Start a server on the first processor; returns its port."""
    port, metrics_port = find_free_port(), find_free_port()
    environ = {
        "PORTAL_PROFILE": Profile.DEMO.value,
        "PORTAL_DATABASE_URL": database.urls.app,
        "PORTAL_REDIS_URL": redis,
        "PORTAL_PUBLIC_SCHEME": "http",
        "PORTAL_PORT": str(port),
        "PORTAL_METRICS_PORT": str(metrics_port),
        # All requests come from one address.
        "PORTAL_PAGE_LIMIT_PER_MINUTE": "1000000",
    }
    name = f"{kind}-{port}"
    if kind == "reference":
        # It has one port, which also answers the probe.
        program = programs.Program(name, (str(port),), port, "ops.bench.reference")
    else:
        program = programs.Program(name, ("gateway",), metrics_port)
    started = programs.start(program, programs.build_environ(environ), state / "logs")
    running.append(started)
    programs.wait_until_ready(started)
    _bind_to_processor(started.process.pid, 0)
    return port


def _bind_to_processor(pid: int, processor: int) -> None:
    """Keep a process on one processor, where the system can and there are two."""
    if hasattr(os, "sched_setaffinity") and {0, 1} <= os.sched_getaffinity(0):
        os.sched_setaffinity(pid, {processor})


def _build_requests(
    port: int, pages: Sequence[PageAddress], headers: tuple[str, ...]
) -> tuple[RepeatedRequest, ...]:
    return tuple(RepeatedRequest(port, f"{page.host}:{port}", page.path, headers) for page in pages)


def _measure(subjects: Sequence[Subject], rounds: int, seconds: float) -> dict[str, list[LoadResult]]:
    for subject in subjects:
        measure(subject.requests, seconds=WARM_UP_S)
    results: dict[str, list[LoadResult]] = {subject.name: [] for subject in subjects}
    for index in range(rounds):
        print(f"Round {index + 1} of {rounds} …", flush=True)
        for subject in subjects:
            measure(subject.requests, seconds=SETTLE_S)
            results[subject.name].append(measure(subject.requests, seconds=seconds))
    return results


def _print_table(results: dict[str, list[LoadResult]]) -> None:
    print(f"\n{'subject':<18} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'bytes':>8}")
    for name, runs in results.items():
        rate = statistics.median(run.rate for run in runs)
        middle = statistics.median(run.percentile(0.5) for run in runs) * 1000
        slow = statistics.median(run.percentile(0.99) for run in runs) * 1000
        size = runs[0].received / runs[0].responses
        print(f"{name:<18} {rate:>10.0f} {middle:>8.2f} {slow:>8.2f} {size:>8.0f}")
    print()


def _build_rows(results: dict[str, list[LoadResult]]) -> list[Row]:
    def ratio(of: str, to: str) -> float:
        return statistics.median(a.rate / b.rate for a, b in zip(results[of], results[to], strict=True))

    return [
        Row("page of 10 lines / bare route", ratio("page, 10 lines", "reference"), 0.38),
        Row("first visit / bare route", ratio("first visit", "reference"), 0.34),
        Row("page of 40 lines / bare route", ratio("page, 40 lines", "reference"), 0.35),
        Row("10 comments / bare route", ratio("10 comments", "reference"), 0.35),
        Row("10 comments, signed in / bare route", ratio("signed in", "reference"), 0.32),
        Row("10,000 workspaces / 10", ratio("10,000 workspaces", "10 workspaces"), 0.90),
    ]


if __name__ == "__main__":
    sys.exit(main())
