"""The rooms of a process as its transports use them: woken through Redis, and compared with Postgres now and then."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from kernel.clock import Clock, SystemClock
from kernel.errors import Unavailable
from kernel.ids import choose_between
from kernel.live.reader import DatabaseReader
from kernel.live.room_set import RoomSet
from kernel.live.wake import CHANNELS
from kernel.telemetry import logs
from kernel.wakeup import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics

#: A wake that was lost is made up for within so many seconds; processes must not do it in step.
RECONCILE_S: Final = (2.0, 5.0)

_log: Final = logs.get_logger("kernel.live")


def _keep_json(event_json: bytes) -> bytes:
    return event_json


class Rooms(RoomSet):
    """All rooms of a process. `run` is a task of the process, and `find_failure` its condition of readiness."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        redis_url: str,
        encode_frame: Callable[[bytes], bytes] = _keep_json,
        keep: int = 256,
        clock: Clock | None = None,
        reconcile_s: tuple[float, float] = RECONCILE_S,
    ) -> None:
        """Connect to Redis when `run` begins. `reconcile_s` are the shortest and the longest pause."""
        super().__init__(
            DatabaseReader(database), metrics, clock or SystemClock(), encode_frame=encode_frame, keep=keep
        )
        self._subscriber = Subscriber(redis_url, CHANNELS)
        self._reconcile_s = reconcile_s
        self._reconcile_now = asyncio.Event()
        self._is_running = False

    async def run(self) -> None:
        """Listen and reconcile until cancelled; connects again whenever Redis was away."""
        self._is_running = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._subscriber.listen(self.receive, self._report_connected))
                group.create_task(self._reconcile_often())
        finally:
            self._is_running = False
            self._metrics.live_listener_connected.set(0)

    async def find_failure(self) -> str | None:
        """Return what is wrong if `run` has ended; not while it connects to Redis again."""
        return None if self._is_running else "nothing listens for events"

    def _report_connected(self, is_connected: bool) -> None:  # noqa: FBT001  -- a callback
        self._metrics.live_listener_connected.set(int(is_connected))
        if is_connected:
            # What was published in the meantime was lost.
            self._reconcile_now.set()
        else:
            _log.warning("live listener lost Redis")

    async def _reconcile_often(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(choose_between(*self._reconcile_s)):
                    await self._reconcile_now.wait()
            self._reconcile_now.clear()
            try:
                await self.reconcile()
            except Unavailable as error:
                _log.warning("live streams not reconciled", code=error.code, cause=error.data.get("cause"))
