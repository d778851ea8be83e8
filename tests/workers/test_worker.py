"""The composition root, and the product's own jobs run through it."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict
from kernel.ids import WorkspaceId
from kernel.jobs import Job
from kernel.seals import Sealer
from kernel.store import execute, fetch
from tenants.workspaces.actions import claim_domain
from tenants.workspaces.jobs import PurgeReleasedDomains
from tests.fakes.jobs import SampleJob, run_sample_job
from tests.fakes.sample_workspaces import create_sample_workspace
from workers.handlers import Handlers
from workers.worker import create_handlers


def find_subclasses(job_type: type[Job]) -> list[type[Job]]:
    return [below for each in job_type.__subclasses__() for below in (each, *find_subclasses(each))]


def test_every_kind_of_job_of_the_product_has_a_handler_and_a_unique_name() -> None:
    declared = [each for each in find_subclasses(Job) if each.__module__.startswith("tenants.")]
    assert len(declared) >= 2
    assert len({each.kind for each in declared}) == len(declared)
    handlers = create_handlers()
    for job_type in declared:
        handler = handlers.find(job_type.kind)
        assert handler is not None, job_type
        assert handler.job_type is job_type
        assert job_type.queue in handlers.queues


def test_a_kind_has_one_function_and_may_wait_in_a_second_queue_of_low_priority() -> None:
    handlers = Handlers()
    handlers.register(SampleJob, run_sample_job, queue="bulk")
    assert handlers.queues == ("default", "bulk")
    assert handlers.low_priority_queues == {"bulk"}
    with pytest.raises(Conflict, match=r"test\.sample"):
        handlers.register(SampleJob, run_sample_job)
    assert handlers.find("test.other") is None


async def test_expired_records_of_released_domains_are_deleted_in_the_own_workspace_only(
    harness: Any,
) -> None:
    sealer = Sealer((("test", bytes(range(32))),))
    owners = [await create_sample_workspace(harness.database, sealer, SystemClock()) for _ in range(2)]
    for owner in owners:
        async with harness.database.scope(owner.workspace_id):
            await claim_domain(
                f"{owner.slug}.example.com", base_domain="localhost", reserved_hosts=(), clock=SystemClock()
            )
            await execute(
                "UPDATE portal_domain SET state = 'released', verified_at = now() - interval '40 days',"
                " released_at = now() - interval '31 days' WHERE host LIKE '%.example.com'"
            )
    harness.workspace_id, harness.handlers = owners[0].workspace_id, create_handlers()
    await harness.create_runner().run(harness.workspace_id, await harness.enqueue_job(PurgeReleasedDomains()))
    left = []
    for owner in owners:
        async with harness.database.scope(WorkspaceId(owner.workspace_id)):
            left.append(len(await fetch("SELECT 1 FROM portal_domain WHERE released_at IS NOT NULL")))
    assert left == [0, 1]
