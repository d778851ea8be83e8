"""Calls back at set times: one timer for all connections."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import Final, Protocol

from kernel.telemetry import logs

# Between two of so many calls other callbacks of the event loop run.
_BATCH: Final = 64

_log: Final = logs.get_logger("hub.timetable")


class Scheduled(Protocol):
    """What can be called back, at one time at most."""

    due: int
    """The tick of the call; belongs to the timetable. 0: none."""

    def check(self) -> None:
        """Do what is due."""


class Timetable:
    """Calls back at the tick after the time that was asked for.

    A timer of the event loop for each connection would cost memory and a sorted heap; a set for each tick does not.
    """

    def __init__(self, tick_s: float = 1.0) -> None:
        """Call back every `tick_s` seconds."""
        self._tick_s = tick_s
        self._due: dict[int, set[Scheduled]] = {}

    def schedule(self, item: Scheduled, at: float) -> None:
        """Call back at a time of the event loop, instead of the time that was set before."""
        self.remove(item)
        item.due = ceil(at / self._tick_s)
        self._due.setdefault(item.due, set()).add(item)

    def remove(self, item: Scheduled) -> None:
        """Do not call back."""
        if items := self._due.get(item.due):
            items.discard(item)
            if not items:
                del self._due[item.due]
        item.due = 0

    async def run(self) -> None:
        """Call back until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._tick_s)
            now = int(loop.time() / self._tick_s)
            for tick in sorted(tick for tick in self._due if tick <= now):
                await self._call(tick)

    async def _call(self, tick: int) -> None:
        calls = 0
        while items := self._due.get(tick):
            item = next(iter(items))
            self.remove(item)
            try:
                item.check()
            except Exception as error:  # noqa: BLE001  -- the others are called all the same
                _log.error("connection not checked", exc_info=error)
            calls += 1
            if calls % _BATCH == 0:
                await asyncio.sleep(0)
