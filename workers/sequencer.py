"""The sequencer's loop in the relay: places committed events, measures their delay, and logs anchors."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.telemetry import logs
from tenants.activity.queries import list_anchors, measure_draft_age
from tenants.activity.sequencer import BEFORE_FIRST, MAX_WORKSPACES, find_workspaces_with_drafts, place_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from kernel.wakeup import Subscriber

POLL_INTERVAL_S: Final = 0.1
MEASURE_INTERVAL_S: Final = 2.0
ANCHOR_INTERVAL_S: Final = 3600.0
# Between a wake-up and the next batch, so that events of a burst are placed together.
_BATCH_DELAY_S: Final = 0.01
# After a failure.
_RETRY_S: Final = 1.0

_log: Final = logs.get_logger("workers.sequencer")


class Sequencer:
    """Places drafts of all workspaces as role svc. Any number of relays may run one: see `place_events`."""

    def __init__(self, database: Database, metrics: Metrics, subscriber: Subscriber) -> None:
        """Work in `database`, woken by the messages of `subscriber`."""
        self._database = database
        self._metrics = metrics
        self._subscriber = subscriber

    async def run(self) -> None:
        """Place events, measure the delay and log anchors until cancelled."""
        woken = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._subscriber.listen(lambda _message: woken.set()))
            group.create_task(self._place_drafts(woken))
            group.create_task(self._measure_and_anchor())

    async def _place_drafts(self, woken: asyncio.Event) -> None:
        after = BEFORE_FIRST
        while True:
            woken.clear()
            try:
                waiting = await find_workspaces_with_drafts(self._database, after)
                placed = await self._place_batch(waiting) if waiting else 0
            except Unavailable as error:
                _log.warning("events not placed", code=error.code, cause=error.data.get("cause"))
                await asyncio.sleep(_RETRY_S)
                continue
            self._metrics.events_placed.inc(placed)
            after = waiting[-1] if len(waiting) == MAX_WORKSPACES else BEFORE_FIRST
            if placed == 0 and after == BEFORE_FIRST:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await woken.wait()
                        await asyncio.sleep(_BATCH_DELAY_S)

    async def _place_batch(self, workspaces: Sequence[WorkspaceId]) -> int:
        """Place drafts of these workspaces: after an error one by one, so that a broken log stops no other."""
        try:
            return await place_events(self._database, workspaces)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001  -- logged below, with the workspace
            placed = 0
        for workspace_id in workspaces:
            try:
                placed += await place_events(self._database, [workspace_id])
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001  -- such as a row that somebody wrote after the end of the log
                _log.error("events not placed", workspace=str(workspace_id), exc_info=error)
        await asyncio.sleep(_RETRY_S)
        return placed

    async def _measure_and_anchor(self) -> None:
        now = asyncio.get_running_loop().time
        next_anchor = now()
        while True:
            try:
                async with self._database.unbound(read_only=True):
                    self._metrics.event_oldest_draft.set((await measure_draft_age()).total_seconds())
                if now() >= next_anchor:
                    await self._log_anchors()
                    next_anchor = now() + ANCHOR_INTERVAL_S
            except Unavailable as error:
                _log.warning("event delay not measured", code=error.code)
            await asyncio.sleep(MEASURE_INTERVAL_S)

    async def _log_anchors(self) -> None:
        """Log place and hash of the last event of each log that grew: `portal audit verify` compares them."""
        # Twice the interval, so that a restart of the relay leaves no gap.
        async with self._database.unbound(read_only=True):
            heads = await list_anchors(within=timedelta(seconds=2 * ANCHOR_INTERVAL_S))
        for head in heads:
            _log.info("event log anchor", workspace=str(head.workspace_id), place=head.place, hash=head.hash)
