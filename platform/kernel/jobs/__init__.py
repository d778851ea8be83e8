"""Background jobs: rows written in the transaction that needs them, each with one effect whatever process dies."""

from kernel.jobs.job import Job
from kernel.jobs.outbox import EnqueuedJob, enqueue, enqueue_many

__all__ = ["EnqueuedJob", "Job", "enqueue", "enqueue_many"]
