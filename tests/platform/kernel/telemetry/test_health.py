"""Readiness asks each check once for all who ask, in time, and says what is wrong."""

import asyncio
from dataclasses import dataclass, field

import pytest

from kernel.telemetry.health import Check, Failure, Health, Probe


@dataclass
class Recorded:
    """A check that counts how often it ran and answers as told."""

    name: str = "database"
    answer: str | None = None
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def failure(self) -> str | None:
        self.asked += 1
        await self.gate.wait()
        return self.answer


@dataclass
class Hands:
    now: float = 50.0

    def __call__(self) -> float:
        return self.now


async def test_a_process_whose_checks_pass_is_ready_and_live() -> None:
    check: Check = Recorded()
    health = Health([check, Probe("schema", Recorded().failure)])
    assert await health.ready() == []
    assert health.live()


async def test_what_is_wrong_is_named_in_the_order_of_the_checks() -> None:
    async def broken() -> str | None:
        raise ConnectionRefusedError("no route")

    health = Health(
        [Recorded("schema", "is at 3, this program needs 4"), Recorded("fine"), Probe("database", broken)]
    )
    assert await health.ready() == [
        Failure("schema", "is at 3, this program needs 4"),
        Failure("database", "ConnectionRefusedError: no route"),
    ]
    assert health.live()


async def test_a_check_that_hangs_is_a_failure_at_its_deadline() -> None:
    stuck = Recorded()
    stuck.gate.clear()
    health = Health([stuck], deadline_s=0.05)
    assert await health.ready() == [Failure("database", "no answer within 0.05 s")]


async def test_an_answer_is_kept_for_a_moment_and_then_asked_again() -> None:
    hands, check = Hands(), Recorded()
    health = Health([check], cache_s=1, monotonic=hands)
    assert (await health.ready(), await health.ready(), check.asked) == ([], [], 1)
    check.answer = "is away"
    hands.now += 0.9
    assert (await health.ready(), check.asked) == ([], 1)
    hands.now += 0.2
    assert (await health.ready(), check.asked) == ([Failure("database", "is away")], 2)
    check.answer = None
    hands.now += 1.1
    assert (await health.ready(), check.asked) == ([], 3)


async def test_many_who_ask_at_once_share_one_check() -> None:
    check = Recorded()
    check.gate.clear()
    health = Health([check])
    waiting = [asyncio.create_task(health.ready()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    check.gate.set()
    assert await asyncio.gather(*waiting) == [[]] * 50
    assert check.asked == 1


async def test_who_hangs_up_does_not_take_the_answer_from_the_others() -> None:
    check = Recorded(answer="is away")
    check.gate.clear()
    health = Health([check])
    first, second = (asyncio.create_task(health.ready()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    check.gate.set()
    assert await second == [Failure("database", "is away")]
    assert check.asked == 1


async def test_what_one_caller_does_with_the_answer_is_not_seen_by_the_next() -> None:
    health = Health([Recorded(answer="is away")])
    (await health.ready()).clear()
    assert await health.ready() == [Failure("database", "is away")]


async def test_a_draining_process_is_live_but_not_ready_at_once() -> None:
    check = Recorded()
    health = Health([check])
    assert await health.ready() == []
    health.drain()
    assert await health.ready() == [Failure("process", "is stopping")]
    assert (health.live(), check.asked) == (True, 1)
