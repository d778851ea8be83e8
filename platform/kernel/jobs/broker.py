"""Notifications of workers: Dramatiq messages on Redis with (workspace, job) from the relay, which may be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from redis.backoff import NoBackoff
from redis.retry import Retry

from kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from kernel.jobs.dispatch import DueJob

#: Limit of the notifications in one queue. They are served in order: more would not make workers faster, and the
#: jobs of one workspace would delay those of others for longer.
MAX_QUEUED: Final = 100
_CONNECT_TIMEOUT_S: Final = 1.0
_RESPONSE_TIMEOUT_S: Final = 2.0
# Maintenance requeues the messages of a worker that died; by default it would take many minutes.
_MAINTENANCE_PER_MILLION: Final = 50_000
_HEARTBEAT_MS: Final = 15_000
_IDLE_MS: Final = 200
_NAMESPACE: Final = "jobs"


def open_broker(url: str) -> RedisBroker:
    """Return a broker without Dramatiq's retries, delays and metrics: the table of jobs has attempts and times.

    It connects on first use. Redis has one second to accept a connection and two to answer.
    """
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        socket_timeout=_RESPONSE_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[],
        namespace=_NAMESPACE,
        maintenance_chance=_MAINTENANCE_PER_MILLION,
        heartbeat_timeout=_HEARTBEAT_MS,
    )


def create_worker(
    broker: RedisBroker,
    handle: Callable[[UUID, UUID], None],
    *,
    queues: Iterable[str],
    threads: int,
    low_priority_queues: Collection[str] = (),
) -> dramatiq.Worker:
    """Return a worker, not started, whose threads call `handle(workspace, job)` for each notification.

    Those of `low_priority_queues` are handled while this worker has none of another queue.
    """

    def handle_message(workspace_id: str, job_id: str) -> None:
        handle(UUID(workspace_id), UUID(job_id))

    for queue in queues:
        priority = int(queue in low_priority_queues)
        dramatiq.actor(actor_name=_actor_name(queue), queue_name=queue, broker=broker, priority=priority)(
            handle_message
        )
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=_IDLE_MS)
    # A prefetched message waits for a thread of this worker while another worker may be idle.
    worker.queue_prefetch = threads
    return worker


def notify(broker: RedisBroker, jobs: Sequence[DueJob]) -> None:
    """Send a notification for each job; blocks, a few seconds at most. Raises Unavailable("jobs.redis")."""
    try:
        for job in jobs:
            arguments = (str(job.workspace_id), str(job.job_id))
            broker.enqueue(
                dramatiq.Message(
                    queue_name=job.queue,
                    actor_name=_actor_name(job.queue),
                    args=arguments,
                    kwargs={},
                    options={},
                )
            )
    except redis.RedisError as error:
        raise Unavailable("jobs.redis", "Redis is not available.", cause=type(error).__name__) from error


def measure_capacity(broker: RedisBroker, queues: Iterable[str]) -> dict[str, int]:
    """Return how many more notifications each queue may take; blocks. Raises Unavailable("jobs.redis")."""
    try:
        return {queue: max(0, MAX_QUEUED - _count_queued(broker, queue)) for queue in queues}
    except redis.RedisError as error:
        raise Unavailable("jobs.redis", "Redis is not available.", cause=type(error).__name__) from error


def _count_queued(broker: RedisBroker, queue: str) -> int:
    return int(cast("int", broker.client.llen(f"{_NAMESPACE}:{queue}")))


def _actor_name(queue: str) -> str:
    return f"job.{queue}"
