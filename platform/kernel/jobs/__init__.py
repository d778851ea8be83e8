"""What must happen later: rows written with the business's own, run once each, whatever dies meanwhile."""

from kernel.jobs.job import Job
from kernel.jobs.outbox import Enqueued, enqueue, enqueue_many

__all__ = ["Enqueued", "Job", "enqueue", "enqueue_many"]
