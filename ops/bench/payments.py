"""Measures what a payment costs here: a delivery of Stripe, verified and stored, and the transactions of `begin`."""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import uvloop

from kernel.store import Database
from ops.bench.deliveries import CONCURRENCY, measure_deliveries, prepare_deliveries
from ops.bench.payment_stage import create_stage
from ops.bench.payment_steps import measure_begin
from ops.bench.result import Row, report
from ops.command_context import identify_operator
from ops.dev import servers
from ops.migrate import prepare_database


def main(arguments: list[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="ops/bench/payments", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison")
    parser.add_argument("--deliveries", type=int, default=1000, help="deliveries of a round")
    parser.add_argument("--payments", type=int, default=200, help="payments that are measured")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        try:
            admin = servers.start_postgres(state, environ={})
            # Like the gateway.
            return report(uvloop.run(_measure(admin, options)))
        finally:
            servers.stop_postgres(state)


async def _measure(admin: str, options: argparse.Namespace) -> list[Row]:
    urls = (await prepare_database(admin, "bench_payments")).urls
    database = await Database.open(urls.app, size=CONCURRENCY, name="bench", actor=identify_operator())
    try:
        stage = await create_stage(database, "acct_bench")
        await measure_deliveries(stage, await prepare_deliveries(stage, 100))
        costs = []
        for index in range(options.rounds):
            cost = await measure_deliveries(stage, await prepare_deliveries(stage, options.deliveries))
            costs.append(cost)
            print(
                f"Round {index + 1} of {options.rounds}: the SDK checks a signature in {cost.bare:.0f} µs"
                f" and makes an event in {cost.sdk:.0f} µs; verified and stored in {cost.stored:.0f} µs",
                flush=True,
            )
    finally:
        await database.close()
    ours, bare = await measure_begin(urls, options.payments)
    print(f"A payment takes {ours:.2f} ms without the provider, its statements alone {bare:.2f} ms")
    return [
        Row(
            "delivery stored against the SDK's bare check",
            statistics.median(cost.stored / cost.bare for cost in costs),
            20.0,
            at_most=True,
        ),
        Row("payment without the provider's time against its statements", ours / bare, 2.0, at_most=True),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
