"""Readiness runs each check once for all callers, within its deadline, and names the failures."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from kernel.telemetry.health import Check, Failure, Health


@dataclass
class RecordingCheck:
    """Counts its runs and has the result that the test sets."""

    name: str = "database"
    result: str | None = None
    runs: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def find_failure(self) -> str | None:
        self.runs += 1
        await self.gate.wait()
        return self.result

    def health(self, **options: Any) -> Health:
        return Health([self.check()], **options)

    def check(self) -> Check:
        return Check(self.name, self.find_failure)


@dataclass
class ManualClock:
    now: float = 50.0

    def __call__(self) -> float:
        return self.now


async def test_a_process_whose_checks_pass_is_ready_and_live() -> None:
    health = Health([RecordingCheck().check(), RecordingCheck("schema").check()])
    assert await health.find_failures() == []
    assert health.is_live()


async def test_failures_are_named_in_the_order_of_the_checks() -> None:
    async def broken() -> str | None:
        raise ConnectionRefusedError("no route")

    health = Health(
        [
            RecordingCheck("schema", "is at 3, this program needs 4").check(),
            RecordingCheck("fine").check(),
            Check("database", broken),
        ]
    )
    assert await health.find_failures() == [
        Failure("schema", "is at 3, this program needs 4"),
        Failure("database", "ConnectionRefusedError: no route"),
    ]
    assert health.is_live()


async def test_a_check_that_hangs_is_a_failure_at_its_deadline() -> None:
    stuck = RecordingCheck()
    stuck.gate.clear()
    health = stuck.health(deadline_s=0.05)
    assert await health.find_failures() == [Failure("database", "no result within 0.05 s")]


async def test_a_result_is_cached_for_a_second() -> None:
    clock, check = ManualClock(), RecordingCheck()
    health = check.health(cache_s=1, monotonic=clock)
    assert (await health.find_failures(), await health.find_failures(), check.runs) == ([], [], 1)
    check.result = "is down"
    clock.now += 0.9
    assert (await health.find_failures(), check.runs) == ([], 1)
    clock.now += 0.2
    assert (await health.find_failures(), check.runs) == ([Failure("database", "is down")], 2)
    check.result = None
    clock.now += 1.1
    assert (await health.find_failures(), check.runs) == ([], 3)


async def test_concurrent_callers_share_one_run() -> None:
    check = RecordingCheck()
    check.gate.clear()
    health = check.health()
    waiting = [asyncio.create_task(health.find_failures()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    check.gate.set()
    assert await asyncio.gather(*waiting) == [[]] * 50
    assert check.runs == 1


async def test_a_cancelled_caller_does_not_cancel_the_run_of_the_others() -> None:
    check = RecordingCheck(result="is down")
    check.gate.clear()
    health = check.health()
    first, second = (asyncio.create_task(health.find_failures()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    check.gate.set()
    assert await second == [Failure("database", "is down")]
    assert check.runs == 1


async def test_a_caller_that_changes_the_result_does_not_change_the_next_one() -> None:
    health = RecordingCheck(result="is down").health()
    (await health.find_failures()).clear()
    assert await health.find_failures() == [Failure("database", "is down")]


async def test_a_draining_process_is_live_but_not_ready_at_once() -> None:
    check = RecordingCheck()
    health = check.health()
    assert await health.find_failures() == []
    health.drain()
    assert await health.find_failures() == [Failure("process", "is stopping")]
    assert (health.is_live(), check.runs) == (True, 1)
