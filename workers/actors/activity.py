"""Prunes the event logs of workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.telemetry import logs
from tenants.activity import actions

if TYPE_CHECKING:
    from tenants.activity.jobs import PruneEvents
    from workers.actors.attempt import Attempt

_log: Final = logs.get_logger("workers.activity")


async def prune_events(_job: PruneEvents, attempt: Attempt) -> None:
    """Remove events that are older than the retention."""
    async with attempt.effect():
        count = await actions.prune_events(clock=attempt.clock)
    _log.info("events pruned", count=count)
