"""Businesses for the tests of tenants: each test has workspaces of its own, in one shared database."""

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

NewBusiness = Callable[..., Awaitable[SampleWorkspace]]


@pytest.fixture
def sealer(settings: Settings) -> Sealer:
    """The keys of the process under test."""
    return Sealer(settings.secret_keys)


@pytest.fixture
def new_business(database: Database, sealer: Sealer) -> NewBusiness:
    """Make one more workspace; its clock is the machine's, because links are held against the database's."""
    return partial(create_sample_workspace, database, sealer, SystemClock())


@pytest.fixture
async def acme(new_business: NewBusiness) -> SampleWorkspace:
    """The workspace most tests are about."""
    return await new_business()


@pytest.fixture
async def rival(new_business: NewBusiness) -> SampleWorkspace:
    """Another one, which must never see anything of the first."""
    return await new_business()


@pytest.fixture
async def crowded(acme: SampleWorkspace, owner_url: str) -> SampleWorkspace:
    """The same workspace with thousands of invoices, links, customers and contacts."""
    await fill_workspace(acme, owner_url)
    return acme
