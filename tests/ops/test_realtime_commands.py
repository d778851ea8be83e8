"""portal realtime: after a restore the operator makes all readers start anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from kernel import live
from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from ops.cli import portal
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace

Portal = Callable[..., Awaitable[Result]]


@pytest.fixture
async def acme(database: Database, settings: Settings) -> SampleWorkspace:
    return await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())


@pytest.fixture
async def other(database: Database, settings: Settings) -> SampleWorkspace:
    return await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())


@pytest.fixture
def run_portal(urls: Urls, redis_url: str) -> Portal:
    environ = {
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis_url,
    }

    async def invoke(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, portal, ["realtime", *words], env=environ)

    return invoke


async def load_heads(workspace: SampleWorkspace, invoice_id: UUID) -> live.Heads:
    async with workspace.database.scope(workspace.workspace_id, read_only=True):
        heads = await live.load_heads(invoice_id)
    assert heads is not None
    return heads


async def test_a_new_epoch_is_for_one_workspace_or_for_all(
    run_portal: Portal, acme: SampleWorkspace, other: SampleWorkspace
) -> None:
    ours, theirs = await acme.issue_invoice(), await other.issue_invoice()
    first, foreign = await load_heads(acme, ours), await load_heads(other, theirs)
    done = await run_portal("new-epoch", "--workspace", acme.slug, "--yes")
    assert (done.exit_code, done.stdout) == (0, f"{acme.slug}: 1 stream\n")
    second = await load_heads(acme, ours)
    assert second.epoch != first.epoch
    assert (second.staff, second.public) == (first.staff, first.public)
    assert await load_heads(other, theirs) == foreign
    done = await run_portal("new-epoch", "--all", "--yes")
    assert f"{other.slug}: 1 stream\n" in done.stdout
    assert (await load_heads(acme, ours)).epoch != second.epoch
    assert (await load_heads(other, theirs)).epoch != foreign.epoch


@pytest.mark.parametrize("words", [(), ("--all",), ("--all", "--workspace", "acme", "--yes"), ("--yes",)])
async def test_nothing_changes_without_a_clear_order(run_portal: Portal, words: tuple[str, ...]) -> None:
    refused = await run_portal("new-epoch", *words)
    assert refused.exit_code == 2
