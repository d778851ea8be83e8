"""Counts events that readers lose, see twice or out of order while hubs, Redis, Postgres and sockets break.

Run it as `ops/bench/chaos`. Each seed is a run of its own over the same servers: two hubs and a gateway. Readers change
between socket and long poll as they like; at the end each one's events are compared with the log in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from ops.bench.chaos_run import Outcome, run_chaos
from ops.bench.live_comparison import Faults
from ops.bench.live_installation import open_installation
from ops.bench.result import Row, report

SEEDS, SECONDS = 20, 60.0
#: Each kind must strike at least once in a run; a shorter one has no time for an outage of Redis.
KINDS = (
    "hub killed",
    "hub stopped",
    "redis stopped",
    "postgres restarted",
    "epoch changed",
    "database rewound",
    "reader cut off",
    "publish lost",
    "publish doubled",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print a line for each and the RESULT line; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="ops/bench/chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"number of runs ({SEEDS})")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"length of a run ({SECONDS:.0f})")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    with open_installation(name="bench_chaos") as installation:
        for seed in range(options.first, options.first + options.seeds):
            outcomes.append(asyncio.run(run_chaos(installation, seed=seed, seconds=options.seconds)))
            print(describe(seed, outcomes[-1]), flush=True)
    return report(build_rows(outcomes))


def describe(seed: int, outcome: Outcome) -> str:
    """Return what a run has shown, in some lines."""
    settled = f"all read {outcome.settled_after_s:.1f} s after the last fault"
    lines = [
        f"Seed {seed}: {outcome.faults}; without the gate {outcome.faults_without_gate}; {settled}.",
        "  " + ", ".join(f"{name} {number}" for name, number in sorted(outcome.strikes.items())),
        "  " + ", ".join(f"{name} {number}" for name, number in sorted(outcome.counts.items())),
        *(f"  LATE {each}" for each in outcome.late),
    ]
    return "\n".join(lines)


def build_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return the rows of the runs together."""
    faults = sum((outcome.faults for outcome in outcomes), Faults())
    strikes = sum((outcome.strikes for outcome in outcomes), Counter[str]())
    rows = [
        Row("events lost", float(faults.lost), 0, at_most=True),
        Row("events doubled", float(faults.doubled), 0, at_most=True),
        Row("events reordered", float(faults.reordered), 0, at_most=True),
        Row("events of another log", float(faults.foreign), 0, at_most=True),
        Row("readers late at the end", float(sum(len(each.late) for each in outcomes)), 0, at_most=True),
        Row(
            "processes that hear no wake-up at the end",
            float(sum(len(each.deaf) for each in outcomes)),
            0,
            at_most=True,
        ),
        Row(
            "readers refused for good",
            float(sum(each.counts["end final"] for each in outcomes)),
            0,
            at_most=True,
        ),
        # The runs would show nothing if a reader without the gate passed them as well.
        Row("least faults of a run without the gate", float(min(_count_naive(each) for each in outcomes)), 1),
    ]
    return rows + [Row(kind, float(strikes[kind]), len(outcomes)) for kind in KINDS]


def _count_naive(outcome: Outcome) -> int:
    return outcome.faults_without_gate.total


if __name__ == "__main__":
    sys.exit(main())
