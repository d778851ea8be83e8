"""Businesses for the tests of tenants: each test has workspaces of its own, in one shared database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from tests.fakes.businesses import Business, open_business
from tests.fakes.crowds import crowd

NewBusiness = Callable[..., Awaitable[Business]]


@pytest.fixture
def sealer(settings: Settings) -> Sealer:
    """The keys of the process under test."""
    return Sealer(settings.secret_keys)


@pytest.fixture
def new_business(database: Database, sealer: Sealer) -> NewBusiness:
    """Make one more business; its clock is the machine's, because links are held against the database's."""
    return partial(open_business, database, sealer, SystemClock())


@pytest.fixture
async def acme(new_business: NewBusiness) -> Business:
    """The business most tests are about."""
    return await new_business()


@pytest.fixture
async def rival(new_business: NewBusiness) -> Business:
    """Another one, which must never see anything of the first."""
    return await new_business()


@pytest.fixture
async def crowded(acme: Business, owner_url: str) -> Business:
    """The same business with thousands of invoices, links, customers and contacts."""
    await crowd(acme, owner_url)
    return acme
