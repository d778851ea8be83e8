"""Messages through a real Redis; a Redis that is away or hangs is said within seconds."""

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
from kernel.jobs import bell
from kernel.jobs.dispatch import Due
from ops.dev import servers


def due(queue: str = "default") -> Due:
    now = datetime.now(UTC)
    return Due(WorkspaceId(new_id()), new_id(), queue, now, now)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    yield servers.start_redis(tmp_path, environ={})
    servers.stop_redis(tmp_path)


def test_each_bell_is_answered_once_by_a_thread_of_its_queue(own_redis: str) -> None:
    answered: list[tuple[UUID, UUID]] = []
    heard = threading.Event()

    def answer(workspace_id: UUID, job_id: UUID) -> None:
        answered.append((workspace_id, job_id))
        if len(answered) == 3:
            heard.set()

    worker = bell.listen(bell.open_broker(own_redis), answer, queues=["default", "pdf"], threads=2)
    assert worker.queue_prefetch == 2
    worker.start()
    rung = [due(), due("pdf"), due()]
    bell.ring(bell.open_broker(own_redis), [*rung, due("nobody-listens")])
    assert heard.wait(10)
    worker.stop()
    assert sorted(answered) == sorted((one.workspace_id, one.job_id) for one in rung)


def test_a_queue_is_full_when_its_window_is(own_redis: str) -> None:
    broker = bell.open_broker(own_redis)
    bell.ring(broker, [due() for _ in range(bell.WINDOW + 5)])
    assert bell.room(broker, ["default", "pdf"]) == {"default": 0, "pdf": bell.WINDOW}


def test_without_redis_it_is_said_at_once() -> None:
    broker = bell.open_broker("redis://127.0.0.1:1/0")
    for ask in (lambda: bell.ring(broker, [due()]), lambda: bell.room(broker, ["default"])):
        with pytest.raises(Unavailable) as refused:
            ask()
        assert refused.value.code == "jobs.redis"


def test_a_redis_that_hangs_is_given_up_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        broker = bell.open_broker(f"redis://127.0.0.1:{hanging.getsockname()[1]}/0")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            bell.ring(broker, [due() for _ in range(50)])
        assert time.monotonic() - began < 6
        broker.client.close()
