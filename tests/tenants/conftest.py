"""Workspaces for the tests of tenants: each test has its own, in one shared database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from tests.fakes.large_workspaces import fill_workspace
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace

AddWorkspace = Callable[..., Awaitable[SampleWorkspace]]


@pytest.fixture
def sealer(settings: Settings) -> Sealer:
    """The keys of the process under test."""
    return Sealer(settings.secret_keys)


@pytest.fixture
def add_workspace(database: Database, sealer: Sealer) -> AddWorkspace:
    """Create a workspace with the machine's clock, because the database's clock decides when links expire."""
    return partial(create_sample_workspace, database, sealer, SystemClock())


@pytest.fixture
async def acme(add_workspace: AddWorkspace) -> SampleWorkspace:
    """The workspace that most tests use."""
    return await add_workspace()


@pytest.fixture
async def rival(add_workspace: AddWorkspace) -> SampleWorkspace:
    """Another workspace, which must never see anything of the first."""
    return await add_workspace()


@pytest.fixture
async def large_workspace(acme: SampleWorkspace, owner_url: str) -> SampleWorkspace:
    """The same workspace with thousands of invoices, links, customers and contacts."""
    await fill_workspace(acme, owner_url)
    return acme
