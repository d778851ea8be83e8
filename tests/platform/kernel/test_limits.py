"""Limits hold across processes on a real Redis, and pages are served when it is slow, gone or back."""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from kernel.limits import DEADLINE_S, MAX_LOCAL_KEYS, CircuitBreaker, Limiter, LocalCounter, Source, Verdict
from ops.dev.servers import find_pid, start_redis, stop_redis

YES, LOCAL_YES = Verdict(True, 0, Source.REDIS), Verdict(True, 0, Source.LOCAL)


@dataclass
class ManualClock:
    """A monotonic clock that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def key() -> str:
    return f"test:{uuid4()}"


@pytest.fixture
async def limiters(redis_url: str) -> AsyncIterator[Callable[..., Limiter]]:
    made: list[Limiter] = []

    # What is counted must not depend on how busy this machine is; the stories about time take the real deadline.
    def make(url: str = redis_url, *, deadline_s: float = 5, processes: int = 4) -> Limiter:
        made.append(Limiter(url, deadline_s=deadline_s, processes=processes))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.close()


@pytest.fixture
def own_redis() -> Iterator[Path]:
    """The state folder of a Redis that this test may freeze and kill; a short path, which holds the socket."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        state = Path(folder)
        yield state
        pid = find_pid(state, "redis")
        if pid is not None:
            os.kill(pid, signal.SIGCONT)
        stop_redis(state)


def redis_pid(state: Path) -> int:
    pid = find_pid(state, "redis")
    assert pid is not None
    return pid


async def hit_until(limiter: Limiter, source: Source, *, within_s: float) -> Verdict:
    """Hit until the given counter is used."""
    deadline = time.monotonic() + within_s
    while True:
        verdict = await limiter.hit(f"test:{uuid4()}", period_s=60, limit=60, burst=60)
        if verdict.source is source:
            return verdict
        assert time.monotonic() < deadline, f"{source} did not answer within {within_s} s"
        await asyncio.sleep(0.02)


async def test_a_burst_passes_and_the_next_is_told_when_to_come_back(
    limiters: Callable[..., Limiter], key: str
) -> None:
    limiter = limiters()
    verdicts = [await limiter.hit(key, period_s=60, limit=6, burst=4) for _ in range(5)]
    assert verdicts == [YES] * 4 + [Verdict(False, 10, Source.REDIS)]


async def test_a_refused_request_costs_nothing_and_time_gives_back(
    limiters: Callable[..., Limiter], key: str
) -> None:
    limiter = limiters()
    assert (await limiter.hit(key, period_s=0.4, limit=1, burst=1)).allowed
    refused = [await limiter.hit(key, period_s=0.4, limit=1, burst=1) for _ in range(20)]
    assert {verdict.allowed for verdict in refused} == {False}
    await asyncio.sleep(0.45)
    assert (await limiter.hit(key, period_s=0.4, limit=1, burst=1)).allowed


async def test_two_hundred_at_once_over_four_processes_get_exactly_the_burst(
    limiters: Callable[..., Limiter], key: str
) -> None:
    pods = [limiters() for _ in range(4)]
    for pod in pods:
        await hit_until(pod, Source.REDIS, within_s=10)
    verdicts = await asyncio.gather(
        *(pod.hit(key, period_s=3600, limit=25, burst=25) for pod in pods for _ in range(50))
    )
    assert {verdict.source for verdict in verdicts} == {Source.REDIS}
    assert sum(verdict.allowed for verdict in verdicts) == 25


async def test_keys_do_not_share_and_are_forgotten_in_time(
    limiters: Callable[..., Limiter], redis_url: str, key: str
) -> None:
    limiter = limiters()
    assert await limiter.hit(key, period_s=5, limit=1, burst=1) == YES
    assert await limiter.hit(key + ":other", period_s=5, limit=1, burst=1) == YES
    async with Redis.from_url(redis_url) as redis:
        left_ms = await redis.pttl(f"limit:{key}")
    assert 3000 < left_ms <= 6000


async def test_a_time_far_ahead_in_redis_locks_nobody_out_for_longer_than_a_burst(
    limiters: Callable[..., Limiter], redis_url: str, key: str
) -> None:
    limiter = limiters()
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"limit:{key}", str(10**17), px=60_000)
    verdict = await limiter.hit(key, period_s=60, limit=60, burst=5)
    assert verdict == Verdict(False, 1, Source.REDIS)


async def test_a_flushed_redis_forgets_the_script_and_is_still_asked(
    limiters: Callable[..., Limiter], own_redis: Path, key: str
) -> None:
    url = start_redis(own_redis, environ={})
    limiter = limiters(url)
    await hit_until(limiter, Source.REDIS, within_s=10)
    async with Redis.from_url(url) as redis:
        await redis.flushall()
        await redis.script_flush()
    assert (await hit_until(limiter, Source.REDIS, within_s=10)).allowed


async def test_without_redis_each_process_gives_out_its_share(
    limiters: Callable[..., Limiter], key: str
) -> None:
    limiter = limiters("redis://127.0.0.1:1/0", processes=4)
    verdicts = [await limiter.hit(key, period_s=60, limit=120, burst=20) for _ in range(6)]
    assert verdicts == [LOCAL_YES] * 5 + [Verdict(False, 2, Source.LOCAL)]


async def test_a_share_is_never_nothing(limiters: Callable[..., Limiter], key: str) -> None:
    limiter = limiters("redis://127.0.0.1:1/0", processes=50)
    assert await limiter.hit(key, period_s=60, limit=2, burst=1) == LOCAL_YES
    assert await limiter.hit(key, period_s=60, limit=2, burst=1) == Verdict(False, 60, Source.LOCAL)


async def test_a_frozen_redis_costs_one_deadline_and_then_nothing(
    limiters: Callable[..., Limiter], own_redis: Path, key: str
) -> None:
    limiter = limiters(start_redis(own_redis, environ={}), deadline_s=DEADLINE_S)
    await hit_until(limiter, Source.REDIS, within_s=10)
    os.kill(redis_pid(own_redis), signal.SIGSTOP)
    started = time.monotonic()
    first = await limiter.hit(key, period_s=60, limit=400, burst=400)
    waited = time.monotonic() - started
    assert first == LOCAL_YES
    assert 0.04 < waited < 1
    started = time.monotonic()
    rest = [await limiter.hit(key, period_s=60, limit=400, burst=400) for _ in range(50)]
    assert rest == [LOCAL_YES] * 50
    # Had each of them waited for Redis, it would be two and a half seconds.
    assert time.monotonic() - started < 1


async def test_a_slow_redis_is_given_one_deadline_and_not_one_for_each_step(
    limiters: Callable[..., Limiter], key: str
) -> None:
    """Connecting alone takes several answers; each of them in time is not all of them in time."""

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                await asyncio.sleep(0.8)
                writer.write(b"+OK\r\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(hesitate, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limiter = limiters(f"redis://127.0.0.1:{port}/0", deadline_s=1)
    started = time.monotonic()
    assert await limiter.hit(key, period_s=60, limit=60, burst=60) == LOCAL_YES
    assert 0.9 < time.monotonic() - started < 1.5
    server.close()


async def test_answers_stay_with_their_questions_after_a_freeze(
    limiters: Callable[..., Limiter], own_redis: Path, key: str
) -> None:
    """A reply that comes after its deadline must not be read as the answer to the next question."""
    limiter = limiters(start_redis(own_redis, environ={}), deadline_s=0.3, processes=1)
    await hit_until(limiter, Source.REDIS, within_s=10)
    pid = redis_pid(own_redis)
    os.kill(pid, signal.SIGSTOP)
    frozen = await asyncio.gather(
        *(limiter.hit(f"{key}:{n}", period_s=3600, limit=40, burst=40) for n in range(10))
    )
    assert {verdict.source for verdict in frozen} == {Source.LOCAL}
    os.kill(pid, signal.SIGCONT)
    await hit_until(limiter, Source.REDIS, within_s=20)
    for n in range(20):
        spent, fresh = f"{key}:spent:{n}", f"{key}:fresh:{n}"
        verdicts = [
            await limiter.hit(each, period_s=3600, limit=4, burst=4)
            for each in (spent, spent, spent, spent, spent, fresh)
        ]
        assert [verdict.allowed for verdict in verdicts] == [True] * 4 + [False, True]


async def test_a_killed_redis_is_used_again_when_it_is_back(
    limiters: Callable[..., Limiter], own_redis: Path, key: str
) -> None:
    url = start_redis(own_redis, environ={})
    limiter = limiters(url, deadline_s=DEADLINE_S)
    await hit_until(limiter, Source.REDIS, within_s=10)
    os.kill(redis_pid(own_redis), signal.SIGKILL)
    stop_redis(own_redis)
    while_away = [await limiter.hit(key, period_s=60, limit=60, burst=16) for _ in range(5)]
    assert while_away == [LOCAL_YES] * 4 + [Verdict(False, 4, Source.LOCAL)]
    assert start_redis(own_redis, environ={}) == url
    assert (await hit_until(limiter, Source.REDIS, within_s=20)).allowed


async def test_a_cancelled_caller_does_not_open_the_breaker(
    limiters: Callable[..., Limiter], own_redis: Path, key: str
) -> None:
    limiter = limiters(start_redis(own_redis, environ={}))
    await hit_until(limiter, Source.REDIS, within_s=10)
    os.kill(redis_pid(own_redis), signal.SIGSTOP)
    hit = asyncio.create_task(limiter.hit(key, period_s=60, limit=60, burst=60))
    await asyncio.sleep(0.005)
    hit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hit
    os.kill(redis_pid(own_redis), signal.SIGCONT)
    assert (await limiter.hit(key, period_s=60, limit=60, burst=60)).source is Source.REDIS


@pytest.mark.parametrize(
    ("period_s", "limit", "burst"), [(0, 1, 1), (-1, 1, 1), (1, 0, 1), (1, 1, 0), (1, -5, 1)]
)
async def test_an_invalid_limit_is_a_value_error(
    limiters: Callable[..., Limiter], key: str, period_s: float, limit: int, burst: int
) -> None:
    with pytest.raises(ValueError, match="positive period"):
        await limiters().hit(key, period_s=period_s, limit=limit, burst=burst)


def test_the_local_counter_is_bounded_and_evicts_the_least_recently_used_key() -> None:
    counter = LocalCounter(ManualClock())
    second = 1_000_000
    for name in ("idle", "busy"):
        assert counter.hit(name, second, 2 * second) == 0
    for n in range(MAX_LOCAL_KEYS - 2):
        assert counter.hit(f"flood {n}", second, 2 * second) == 0
    assert counter.hit("busy", second, 2 * second) == 0
    assert len(counter) == MAX_LOCAL_KEYS
    assert counter.hit("one more", second, 2 * second) == 0
    assert counter.hit("two more", second, 2 * second) == 0
    assert len(counter) == MAX_LOCAL_KEYS
    # Busy is remembered and has used up its two; idle begins again.
    assert counter.hit("busy", second, 2 * second) == second
    assert [counter.hit("idle", second, 2 * second) for _ in range(2)] == [0, 0]


def test_a_key_that_is_refused_counts_as_used() -> None:
    counter = LocalCounter(ManualClock())
    second = 1_000_000
    for name in ("busy", "idle"):
        assert counter.hit(name, second, second) == 0
    for n in range(MAX_LOCAL_KEYS - 2):
        assert counter.hit(f"flood {n}", second, second) == 0
    assert counter.hit("busy", second, second) == second
    assert counter.hit("one more", second, second) == 0
    assert counter.hit("busy", second, second) == second


def test_the_local_count_gives_back_with_time() -> None:
    clock = ManualClock()
    counter = LocalCounter(clock)
    assert [counter.hit("a", 1_000_000, 2_000_000) for _ in range(3)] == [0, 0, 1_000_000]
    clock.now += 0.4
    assert counter.hit("a", 1_000_000, 2_000_000) == 600_000
    clock.now += 0.6
    assert [counter.hit("a", 1_000_000, 2_000_000) for _ in range(2)] == [0, 1_000_000]


def test_the_breaker_waits_longer_each_time_and_allows_one_trial() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(clock)
    assert (breaker.allows_request(), breaker.allows_request()) == (True, True)
    breaker.record_failure()
    for pause in (0.5, 1.0, 2.0, 4.0, 8.0, 8.0):
        clock.now += pause - 0.01
        assert not breaker.allows_request()
        clock.now += 0.01
        assert (breaker.allows_request(), breaker.allows_request()) == (True, False)
        breaker.record_failure()
    clock.now += 8
    assert breaker.allows_request()
    breaker.record_success()
    assert (breaker.allows_request(), breaker.allows_request()) == (True, True)
    breaker.record_failure()
    clock.now += 0.5
    assert breaker.allows_request()


def test_many_failures_at_once_count_as_one() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(clock)
    for _ in range(50):
        breaker.record_failure()
    clock.now += 0.5
    assert breaker.allows_request()


def test_a_trial_that_nobody_waited_for_allows_another_one() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(clock)
    breaker.record_failure()
    clock.now += 0.5
    assert (breaker.allows_request(), breaker.allows_request()) == (True, False)
    breaker.record_cancellation()
    assert breaker.allows_request()
