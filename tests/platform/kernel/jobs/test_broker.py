"""Notifications through a real Redis; a Redis that is down or hangs is an error within seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from kernel.errors import Unavailable
from kernel.ids import WorkspaceId, new_id
from kernel.jobs.broker import MAX_QUEUED, create_worker, measure_capacity, notify, open_broker
from kernel.jobs.dispatch import DueJob
from ops.dev import servers


def due_job(queue: str = "default") -> DueJob:
    now = datetime.now(UTC)
    return DueJob(WorkspaceId(new_id()), new_id(), queue, now, now)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    yield servers.start_redis(tmp_path, environ={})
    servers.stop_redis(tmp_path)


def test_each_notification_is_handled_once_by_a_thread_of_its_queue(own_redis: str) -> None:
    handled: list[tuple[UUID, UUID]] = []
    is_complete = threading.Event()

    def handle(workspace_id: UUID, job_id: UUID) -> None:
        handled.append((workspace_id, job_id))
        if len(handled) == 3:
            is_complete.set()

    worker = create_worker(open_broker(own_redis), handle, queues=["default", "pdf"], threads=2)
    assert worker.queue_prefetch == 2
    worker.start()
    sent = [due_job(), due_job("pdf"), due_job()]
    notify(open_broker(own_redis), [*sent, due_job("no-worker")])
    assert is_complete.wait(10)
    worker.stop()
    assert sorted(handled) == sorted((job.workspace_id, job.job_id) for job in sent)


def test_a_queue_takes_a_bounded_number_of_notifications(own_redis: str) -> None:
    broker = open_broker(own_redis)
    notify(broker, [due_job() for _ in range(MAX_QUEUED + 5)])
    assert measure_capacity(broker, ["default", "pdf"]) == {"default": 0, "pdf": MAX_QUEUED}


def test_without_redis_the_error_comes_at_once() -> None:
    broker = open_broker("redis://127.0.0.1:1/0")
    for call in (lambda: notify(broker, [due_job()]), lambda: measure_capacity(broker, ["default"])):
        with pytest.raises(Unavailable) as refused:
            call()
        assert refused.value.code == "jobs.redis"


def test_a_redis_that_hangs_is_an_error_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        broker = open_broker(f"redis://127.0.0.1:{hanging.getsockname()[1]}/0")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            notify(broker, [due_job() for _ in range(50)])
        assert time.monotonic() - began < 6
        broker.client.close()
