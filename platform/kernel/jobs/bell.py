"""The doorbell: Dramatiq on Redis carries (workspace, job) from the relay to a worker, and may lose it."""

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

    from kernel.jobs.dispatch import Due

#: Messages that may lie in one queue. What lies there has had its turn, and goes before whoever comes later: more
#: would not make workers faster, and who floods a queue would keep the others waiting for longer.
WINDOW: Final = 100
_CONNECT_S: Final = 1.0
_ANSWER_S: Final = 2.0
# Messages of a worker that died come back by maintenance; by default that would take many minutes.
_MAINTENANCE_PER_MILLION: Final = 50_000
_HEARTBEAT_MS: Final = 15_000
_IDLE_MS: Final = 200
_NAMESPACE: Final = "jobs"


def open_broker(url: str) -> RedisBroker:
    """Return a broker without retries, delays or metrics of its own: attempts and times belong to the table.

    Connects to nothing yet. Redis has a second to accept and two to answer.
    """
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_ANSWER_S,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[],
        namespace=_NAMESPACE,
        maintenance_chance=_MAINTENANCE_PER_MILLION,
        heartbeat_timeout=_HEARTBEAT_MS,
    )


def listen(
    broker: RedisBroker,
    answer: Callable[[UUID, UUID], None],
    *,
    queues: Iterable[str],
    threads: int,
    patient: Collection[str] = (),
) -> dramatiq.Worker:
    """Return a worker, not started, whose threads call `answer(workspace, job)` for each bell.

    Bells of `patient` queues are answered when none of another queue waits here.
    """

    def answered(workspace_id: str, job_id: str) -> None:
        answer(UUID(workspace_id), UUID(job_id))

    for queue in queues:
        priority = int(queue in patient)
        dramatiq.actor(actor_name=_actor(queue), queue_name=queue, broker=broker, priority=priority)(answered)
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=_IDLE_MS)
    # What is prefetched waits for a thread of ours while another worker may be idle.
    worker.queue_prefetch = threads
    return worker


def ring(broker: RedisBroker, due: Sequence[Due]) -> None:
    """Send a message for each job; blocks, a few seconds at most. Raises Unavailable("jobs.redis")."""
    try:
        for one in due:
            arguments = (str(one.workspace_id), str(one.job_id))
            broker.enqueue(
                dramatiq.Message(
                    queue_name=one.queue,
                    actor_name=_actor(one.queue),
                    args=arguments,
                    kwargs={},
                    options={},
                )
            )
    except redis.RedisError as error:
        raise Unavailable("jobs.redis", "Redis is not available.", cause=type(error).__name__) from error


def room(broker: RedisBroker, queues: Iterable[str]) -> dict[str, int]:
    """Return how many more messages each queue should be given; blocks. Raises Unavailable("jobs.redis")."""
    try:
        return {queue: max(0, WINDOW - _length(broker, queue)) for queue in queues}
    except redis.RedisError as error:
        raise Unavailable("jobs.redis", "Redis is not available.", cause=type(error).__name__) from error


def _length(broker: RedisBroker, queue: str) -> int:
    return int(cast("int", broker.client.llen(f"{_NAMESPACE}:{queue}")))


def _actor(queue: str) -> str:
    return f"job.{queue}"
