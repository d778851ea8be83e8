"""Limits: a person never costs a trip to Redis; who asks for more is counted for all processes together."""

import secrets
from datetime import timedelta

from kernel.clock import FixedClock, SystemClock
from kernel.limits import Limiter
from kernel.telemetry.metrics import Metrics
from web.http.access_log import Traffic
from web.http.limits import CAPACITY, MISSES_BURST, MissLimit, PageLimit


def traffic() -> Traffic:
    return Traffic(Metrics(), SystemClock(), level="error")


def shared(counted: Traffic) -> float:
    samples = [metric.samples for metric in counted.metrics.rate_limit_verdicts.collect()]
    return sum(sample.value for each in samples for sample in each if sample.name.endswith("_total"))


def name() -> str:
    return f"limits-{secrets.token_hex(8)}"


async def test_a_quarter_of_the_limit_is_free_of_any_trip(limiter: Limiter, clock: FixedClock) -> None:
    counted, client = traffic(), name()
    limit = PageLimit(limiter, clock, counted, 12)
    assert [await limit.wait_s(client) for _ in range(3)] == [0, 0, 0]
    assert shared(counted) == 0
    waits = [await limit.wait_s(client) for _ in range(10)]
    assert waits[:9] == [0] * 9
    assert 1 <= waits[9] <= 60
    assert shared(counted) == 10


async def test_two_processes_share_all_but_the_quarter(limiter: Limiter, clock: FixedClock) -> None:
    client = name()
    one, other = [PageLimit(limiter, clock, traffic(), 8) for _ in range(2)]
    for _ in range(2):
        assert [await one.wait_s(client), await other.wait_s(client)] == [0, 0]
    waits = [await process.wait_s(client) for process in (one, other) for _ in range(4)]
    assert [wait == 0 for wait in waits] == [True] * 6 + [False] * 2


async def test_the_next_minute_begins_anew(limiter: Limiter, clock: FixedClock) -> None:
    counted, client = traffic(), name()
    limit = PageLimit(limiter, clock, counted, 4)
    await limit.wait_s(client)
    clock.advance(timedelta(minutes=1))
    await limit.wait_s(client)
    assert shared(counted) == 0


async def test_a_flood_of_addresses_does_not_grow_the_process(limiter: Limiter, clock: FixedClock) -> None:
    limit = PageLimit(limiter, clock, traffic(), 400)
    for number in range(CAPACITY + 10):
        await limit.wait_s(f"flood-{number}")
    assert len(limit._counts) <= CAPACITY


async def test_misses_are_forgiven_until_there_are_too_many(limiter: Limiter, clock: FixedClock) -> None:
    client = name()
    limit = MissLimit(limiter, clock, traffic())
    for _ in range(MISSES_BURST):
        await limit.count(client)
    assert not limit.is_reached(client)
    await limit.count(client)
    assert limit.is_reached(client)
    assert not limit.is_reached(name())
    clock.advance(timedelta(minutes=10))
    assert not limit.is_reached(client)


async def test_without_redis_each_process_counts_its_share(clock: FixedClock) -> None:
    lonely = Limiter("redis://127.0.0.1:1/0")
    limit = PageLimit(lonely, clock, traffic(), 16)
    client = name()
    waits = [await limit.wait_s(client) for _ in range(9)]
    # 4 are free; of the shared 12, a process that is alone allows itself a quarter.
    assert [wait == 0 for wait in waits] == [True] * 7 + [False] * 2
    await lonely.close()
