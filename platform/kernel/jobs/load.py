"""The load of a queue over all workspaces: its length, the duration of its jobs, and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

from kernel.store import current_workspace, execute, fetch_one

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

#: `portal_queue_load` ignores a worker whose registration is older than 20 seconds.
REGISTRATION_INTERVAL_S: Final = 5.0
#: Limit of the jobs that are counted.
_MAX_DEPTH: Final = 10_000
# Used while no job has ended.
_DEFAULT_SERVICE_S: Final = 1.0

# Round-robin over the workspaces: a new job waits for the n due jobs of its workspace, and n + 1 jobs of each other.
_LOAD: Final = """
SELECT depth, service_s, slots FROM portal_queue_load($1, $2, (
    SELECT count(*)::integer + 1 FROM job
    WHERE workspace_id = $3 AND queue = $1 AND state = 'queued' AND dispatched_at IS NULL AND run_at <= now()
), $4)
"""
_REGISTER: Final = """
WITH expired AS (DELETE FROM job_worker WHERE seen_at < now() - interval '1 hour' AND worker_id <> $1)
INSERT INTO job_worker (worker_id, queues, slots) VALUES ($1, $2, $3)
ON CONFLICT (worker_id) DO UPDATE SET queues = excluded.queues, slots = excluded.slots, seen_at = now()
"""
_UNREGISTER: Final = "DELETE FROM job_worker WHERE worker_id = $1"


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a queue: jobs ahead of a new one of the workspace, mean seconds of a job, and concurrent jobs."""

    depth: int
    service_s: float
    slots: int

    @property
    def wait_s(self) -> int | None:
        """Whole seconds until a job that is enqueued now is done; None without a worker of the queue."""
        if not self.slots:
            return None
        # At least one, so that clients do not poll without a pause.
        return max(1, ceil((self.depth / self.slots + 1) * self.service_s))


async def measure_load(queue: str, kind: str) -> Load:
    """Measure a queue by the jobs of one kind, for the bound workspace; raises NoWorkspace without one."""
    row = await fetch_one(_LOAD, queue, kind, current_workspace(), _MAX_DEPTH)
    return Load(
        row["depth"], _DEFAULT_SERVICE_S if row["service_s"] is None else row["service_s"], row["slots"]
    )


async def register_worker(worker_id: UUID, queues: Iterable[str], *, slots: int) -> None:
    """Store or refresh which queues a worker serves now, and how many jobs it runs at a time."""
    await execute(_REGISTER, worker_id, list(queues), slots)


async def unregister_worker(worker_id: UUID) -> None:
    """Remove the registration of a worker that begins no more jobs."""
    await execute(_UNREGISTER, worker_id)
