"""Background jobs: rows of a table, added in the transaction that needs them and executed by workers under a lease."""

from kernel.jobs.job import Job
from kernel.jobs.outbox import EnqueuedJob, enqueue, enqueue_many

__all__ = ["EnqueuedJob", "Job", "enqueue", "enqueue_many"]
