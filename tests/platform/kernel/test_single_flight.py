"""Concurrent callers of one key share one call."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from kernel.single_flight import SingleFlight

BOTH = pytest.mark.parametrize("cancel_abandoned", [True, False])


class Work:
    """A coroutine function that records its calls and waits until it is released."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.released = asyncio.Event()
        self.running = asyncio.Event()
        self.started = 0
        self.ended = 0
        self.cancelled = 0

    async def __call__(self) -> str:
        self.started += 1
        self.running.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.ended += 1
        if self.error is not None:
            raise self.error
        return f"result {self.started}"


async def start_callers(flight: SingleFlight[str, str], work: Work, count: int) -> list[asyncio.Task[str]]:
    callers = [asyncio.create_task(flight.run("a", work)) for _ in range(count)]
    await work.running.wait()
    return callers


async def cancel(*callers: asyncio.Task[str]) -> None:
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert all(caller.cancelled() for caller in callers)


@BOTH
async def test_concurrent_callers_share_one_call(*, cancel_abandoned: bool) -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=cancel_abandoned), Work()
    callers = await start_callers(flight, work, 20)
    assert ("a" in flight, "b" in flight, len(flight)) == (True, False, 1)
    work.released.set()
    assert await asyncio.gather(*callers) == ["result 1"] * 20
    assert ("a" in flight, len(flight)) == (False, 0)


async def test_other_keys_and_later_callers_have_calls_of_their_own() -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=True), Work()
    work.released.set()
    assert await flight.run("a", work) == "result 1"
    assert await flight.run("a", work) == "result 2"
    first, second = Work(), Work()
    callers = asyncio.gather(flight.run("a", first), flight.run("b", second))
    await asyncio.sleep(0)
    assert len(flight) == 2
    first.released.set()
    second.released.set()
    assert list(await callers) == ["result 1", "result 1"]


@BOTH
async def test_a_cancelled_caller_does_not_cancel_the_others(*, cancel_abandoned: bool) -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=cancel_abandoned), Work()
    first, second, third = await start_callers(flight, work, 3)
    await cancel(first, third)
    work.released.set()
    assert await second == "result 1"
    assert work.cancelled == 0


async def test_a_call_is_cancelled_when_its_last_caller_leaves() -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=True), Work()
    await cancel(*await start_callers(flight, work, 3))
    await asyncio.sleep(0)
    assert (work.cancelled, work.ended, len(flight)) == (1, 0, 0)


async def test_a_caller_that_follows_an_abandoned_call_starts_its_own() -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=True), Work()
    (caller,) = await start_callers(flight, work, 1)
    caller.cancel()
    follower = Work()
    follower.released.set()
    async with asyncio.TaskGroup() as group:
        # It comes after the cancellation, and before the cancelled call has ended.
        second = group.create_task(flight.run("a", follower))
    assert second.result() == "result 1"
    assert (work.cancelled, len(flight)) == (1, 0)


async def test_a_call_may_end_without_callers() -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=False), Work()
    await cancel(*await start_callers(flight, work, 2))
    assert len(flight) == 1
    joined = asyncio.create_task(flight.run("a", work))
    await asyncio.sleep(0)
    work.released.set()
    assert await joined == "result 1"
    assert (work.cancelled, work.ended, len(flight)) == (0, 1, 0)


@BOTH
async def test_an_exception_reaches_all_callers_and_is_not_cached(*, cancel_abandoned: bool) -> None:
    flight, work = SingleFlight[str, str](cancel_abandoned=cancel_abandoned), Work(ValueError("wrong"))
    callers = await start_callers(flight, work, 3)
    work.released.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [repr(result) for result in results] == ["ValueError('wrong')"] * 3
    work.error = None
    assert await flight.run("a", work) == "result 2"


@BOTH
async def test_an_exception_that_no_caller_waits_for_is_not_reported(*, cancel_abandoned: bool) -> None:
    reports: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, report: reports.append(report))
    try:
        flight, work = SingleFlight[str, str](cancel_abandoned=cancel_abandoned), Work(ValueError("wrong"))
        callers = await start_callers(flight, work, 2)
        work.released.set()
        await cancel(*callers)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(flight) == 0
        del flight, work, callers
        gc.collect()
    finally:
        loop.set_exception_handler(handler)
    assert reports == []
