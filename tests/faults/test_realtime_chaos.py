"""Readers over both transports while hubs, Redis, Postgres, sockets, epochs and publishes break: nothing is lost."""

from __future__ import annotations

import asyncio

from ops.bench.chaos import KINDS, describe
from ops.bench.chaos_run import run_chaos
from ops.bench.live_comparison import Faults
from ops.bench.live_installation import open_installation

SEED, SECONDS = 1, 30.0


def test_readers_apply_every_event_once_and_in_order_whatever_breaks() -> None:
    with open_installation(name="chaos") as installation:
        outcome = asyncio.run(run_chaos(installation, seed=SEED, seconds=SECONDS, threads=1))
    story = describe(SEED, outcome)
    assert outcome.faults == Faults(), story
    assert (outcome.late, outcome.deaf) == ((), ()), story
    assert outcome.counts["end final"] == 0, story
    # Without these the run would have shown nothing.
    assert set(KINDS) <= {kind for kind, number in outcome.strikes.items() if number}, story
    assert outcome.faults_without_gate.total > 0, story
    assert {"socket opened", "poll 200", "poll 409", "close 1006"} <= outcome.counts.keys(), story
