"""How long a queue is, how long a job of it takes, and who works on it: over all workspaces, as numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

from kernel.store import current_workspace, execute, fetch_one

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

#: A worker that was not heard of for 20 seconds does not count (`portal_queue_load`): it says so four times as often.
ANNOUNCED_EVERY_S: Final = 5.0
#: Longer queues are not counted to their end.
_MOST: Final = 10_000
# Where nothing was measured yet.
_USUAL_S: Final = 1.0

# Workspaces take turns: before a new job go those of its own, and of each other workspace one more than that.
_LOAD: Final = """
SELECT depth, service_s, slots FROM portal_queue_load($1, $2, (
    SELECT count(*)::integer + 1 FROM job
    WHERE workspace_id = $3 AND queue = $1 AND state = 'queued' AND dispatched_at IS NULL AND run_at <= now()
), $4)
"""
_ANNOUNCE: Final = """
WITH forgotten AS (DELETE FROM job_worker WHERE seen_at < now() - interval '1 hour' AND worker_id <> $1)
INSERT INTO job_worker (worker_id, queues, slots) VALUES ($1, $2, $3)
ON CONFLICT (worker_id) DO UPDATE SET queues = excluded.queues, slots = excluded.slots, seen_at = now()
"""
_WITHDRAW: Final = "DELETE FROM job_worker WHERE worker_id = $1"


@dataclass(frozen=True, slots=True)
class Load:
    """A queue now: jobs before the next one of a workspace, mean seconds of the last ones, jobs that run at a time."""

    depth: int
    service_s: float
    slots: int

    @property
    def wait_s(self) -> int | None:
        """Whole seconds until a job that is enqueued now is done; None while nobody works on the queue."""
        if not self.slots:
            return None
        # At least one, because who asks again at once only makes it longer.
        return max(1, ceil((self.depth / self.slots + 1) * self.service_s))


async def queue_load(queue: str, kind: str) -> Load:
    """Measure a queue by the jobs of one kind, for the bound workspace. Raises Unbound where none is."""
    row = await fetch_one(_LOAD, queue, kind, current_workspace(), _MOST)
    return Load(row["depth"], _USUAL_S if row["service_s"] is None else row["service_s"], row["slots"])


async def announce(worker_id: UUID, queues: Iterable[str], *, slots: int) -> None:
    """Say that a worker is there, which queues it can serve now, and how many jobs it runs at a time."""
    await execute(_ANNOUNCE, worker_id, list(queues), slots)


async def withdraw(worker_id: UUID) -> None:
    """Say that a worker begins nothing more."""
    await execute(_WITHDRAW, worker_id)
