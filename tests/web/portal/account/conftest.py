"""Browsers with cookies, and people who sign in with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kernel.seals import Sealer
from kernel.store import Database
from tests.fakes.account_browser import AccountBrowser, AccountPeople


@pytest.fixture
def people(database: Database, sealer: Sealer) -> AccountPeople:
    """Contacts, and the codes that are mailed to them."""
    return AccountPeople(database, sealer)


@pytest.fixture
def make_browser(portal: Any) -> Callable[[Any], AccountBrowser]:
    """Return a new browser on the host of a tenant: `make_browser(tenant)`."""
    return lambda tenant: AccountBrowser(portal.visitor(), tenant.host)


@pytest.fixture
def browser(make_browser: Any, acme: Any) -> AccountBrowser:
    """A browser on the host of the first tenant."""
    made: AccountBrowser = make_browser(acme)
    return made
