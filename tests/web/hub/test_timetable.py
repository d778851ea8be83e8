from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.web.hub.conftest import TIMEOUT_S
from web.hub.timetable import Timetable


class Item:
    """What is called back."""

    def __init__(self, timetable: Timetable, *, error: Exception | None = None) -> None:
        self.due = 0
        self.called_at: list[float] = []
        self.called = asyncio.Event()
        self._timetable = timetable
        self._error = error

    def check(self) -> None:
        self.called_at.append(now())
        self.called.set()
        if self._error is not None:
            raise self._error


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
async def timetable() -> AsyncIterator[Timetable]:
    """A timetable that runs."""
    made = Timetable(0.01)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def wait(item: Item) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await item.called.wait()


async def test_an_item_is_called_once_and_not_before_its_time(timetable: Timetable) -> None:
    item, last = Item(timetable), Item(timetable)
    at = now() + 0.05
    timetable.schedule(item, at)
    timetable.schedule(last, at + 0.1)
    await wait(last)
    assert len(item.called_at) == 1
    assert item.called_at[0] >= at
    assert timetable._due == {}


async def test_a_new_time_replaces_the_old_one_and_a_removed_item_is_not_called(timetable: Timetable) -> None:
    moved, removed, last = Item(timetable), Item(timetable), Item(timetable)
    for item in (moved, removed):
        timetable.schedule(item, now() + 0.02)
    later = now() + 0.1
    timetable.schedule(moved, later)
    timetable.remove(removed)
    timetable.remove(removed)
    timetable.schedule(last, later + 0.02)
    await wait(last)
    assert removed.called_at == []
    assert len(moved.called_at) == 1
    assert moved.called_at[0] >= later


async def test_an_item_that_fails_takes_none_of_the_others_with_it(timetable: Timetable) -> None:
    items = [Item(timetable, error=RuntimeError("broken") if number % 2 else None) for number in range(200)]
    for item in items:
        timetable.schedule(item, now() + 0.01)
    for item in items:
        await wait(item)
