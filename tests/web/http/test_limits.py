"""Limits: a person never costs a trip to Redis; who asks for more is counted for all processes together."""

import secrets
from datetime import timedelta

from kernel.clock import FixedClock, SystemClock
from kernel.limits import Limiter
from kernel.telemetry.metrics import Metrics
from web.http.access_log import AccessLog
from web.http.limits import CAPACITY, MISSES_BURST, MissLimit, RequestLimit


def access_log() -> AccessLog:
    return AccessLog(Metrics(), SystemClock(), level="error")


def count_shared(counted: AccessLog) -> float:
    samples = [metric.samples for metric in counted.metrics.rate_limit_verdicts.collect()]
    return sum(sample.value for each in samples for sample in each if sample.name.endswith("_total"))


def name() -> str:
    return f"limits-{secrets.token_hex(8)}"


async def test_a_quarter_of_the_limit_is_counted_without_redis(limiter: Limiter, clock: FixedClock) -> None:
    counted, client = access_log(), name()
    limit = RequestLimit(limiter, clock, counted, 12, name="page")
    assert [await limit.count_request(client) for _ in range(3)] == [0, 0, 0]
    assert count_shared(counted) == 0
    waits = [await limit.count_request(client) for _ in range(10)]
    assert waits[:9] == [0] * 9
    assert 1 <= waits[9] <= 60
    assert count_shared(counted) == 10


async def test_two_processes_share_all_but_the_quarter(limiter: Limiter, clock: FixedClock) -> None:
    client = name()
    one, other = [RequestLimit(limiter, clock, access_log(), 8, name="page") for _ in range(2)]
    for _ in range(2):
        assert [await one.count_request(client), await other.count_request(client)] == [0, 0]
    waits = [await process.count_request(client) for process in (one, other) for _ in range(4)]
    assert [wait == 0 for wait in waits] == [True] * 6 + [False] * 2


async def test_the_next_minute_begins_anew(limiter: Limiter, clock: FixedClock) -> None:
    counted, client = access_log(), name()
    limit = RequestLimit(limiter, clock, counted, 4, name="page")
    await limit.count_request(client)
    clock.advance(timedelta(minutes=1))
    await limit.count_request(client)
    assert count_shared(counted) == 0


async def test_a_flood_of_addresses_does_not_grow_the_process(limiter: Limiter, clock: FixedClock) -> None:
    limit = RequestLimit(limiter, clock, access_log(), 400, name="page")
    for number in range(CAPACITY + 10):
        await limit.count_request(f"flood-{number}")
    assert len(limit._counts) <= CAPACITY


async def test_misses_are_allowed_until_there_are_too_many(limiter: Limiter, clock: FixedClock) -> None:
    client = name()
    limit = MissLimit(limiter, clock, access_log(), subject="image")
    for _ in range(MISSES_BURST):
        await limit.count(client)
    assert not limit.is_reached(client)
    await limit.count(client)
    assert limit.is_reached(client)
    assert not limit.is_reached(name())
    clock.advance(timedelta(minutes=10))
    assert not limit.is_reached(client)


async def test_each_limit_counts_for_itself(limiter: Limiter, clock: FixedClock) -> None:
    counted, client = access_log(), name()
    pages, hooks = [RequestLimit(limiter, clock, counted, 4, name=each) for each in ("page", "hooks")]
    assert [await pages.count_request(client) == 0 for _ in range(5)] == [True] * 4 + [False]
    assert [await hooks.count_request(client) == 0 for _ in range(5)] == [True] * 4 + [False]
    refused = [
        counted.metrics.registry.get_sample_value(
            "portal_rate_limit_verdicts_total",
            {"limit": limit, "verdict": "refused", "source": "redis"},
        )
        for limit in ("page", "hooks")
    ]
    assert refused == [1, 1]


async def test_misses_that_are_refused_are_counted_by_their_subject(
    limiter: Limiter, clock: FixedClock
) -> None:
    counted, client = access_log(), name()
    images = MissLimit(limiter, clock, counted, subject="image")
    for _ in range(MISSES_BURST + 1):
        await images.count(client)
    refused = {"limit": "image_misses", "verdict": "refused", "source": "redis"}
    assert counted.metrics.registry.get_sample_value("portal_rate_limit_verdicts_total", refused) == 1


async def test_two_addresses_of_one_network_share_their_misses(limiter: Limiter, clock: FixedClock) -> None:
    limit, network = (
        MissLimit(limiter, clock, access_log(), subject="image"),
        f"2001:db8:{secrets.token_hex(2)}:1",
    )
    for number in range(MISSES_BURST + 1):
        await limit.count(f"{network}::{number}")
    assert limit.is_reached(f"{network}::ffff")


async def test_a_flood_of_misses_does_not_grow_the_process(clock: FixedClock) -> None:
    lonely = Limiter("redis://127.0.0.1:1/0")
    limit = MissLimit(lonely, clock, access_log(), subject="image")
    limit._until = dict.fromkeys(map(str, range(CAPACITY + 1)), clock.now().timestamp() + 600)
    for _ in range(MISSES_BURST + 1):
        await limit.count("one-more")
    assert limit.is_reached("one-more")
    assert len(limit._until) <= CAPACITY
    await lonely.close()


async def test_without_redis_each_process_counts_its_share(clock: FixedClock) -> None:
    lonely = Limiter("redis://127.0.0.1:1/0")
    limit = RequestLimit(lonely, clock, access_log(), 16, name="page")
    client = name()
    waits = [await limit.count_request(client) for _ in range(9)]
    # 4 are free; of the shared 12, a process that is alone allows itself a quarter.
    assert [wait == 0 for wait in waits] == [True] * 7 + [False] * 2
    await lonely.close()
