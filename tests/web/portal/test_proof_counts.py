"""What visitors do with codes is counted, on every page that takes one."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.store import Database
from tenants.customers.actions import add_contact
from tenants.invoices.actions import set_write_authority
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode
from tests.fakes.account_browser import AccountBrowser, AccountPeople
from tests.fakes.browsers import Browser

ANA = "ana@kunde.example"


@pytest.fixture
def people(database: Database, sealer: Sealer) -> AccountPeople:
    """Contacts, and the codes that are mailed to them."""
    return AccountPeople(database, sealer)


def read_counts(portal: Any, name: str, *outcomes: str) -> list[float]:
    return [portal.count(name, outcome=outcome) for outcome in outcomes]


async def test_signing_in_counts_requests_codes_and_authenticators(
    portal: Any, people: AccountPeople, acme: Any
) -> None:
    browser = AccountBrowser(portal.visitor(), acme.host)
    await people.add(acme, ANA)
    await browser.open("/sign-in")
    await browser.send("/sign-in", email=ANA)
    await browser.send("/sign-in/code", code="", again="1")
    await browser.send("/sign-in/code", code="no code")
    code = await people.read_code(acme, ANA)
    assert code is not None
    await browser.send("/sign-in/code", code=code)
    assert read_counts(portal, "portal_code_requests_total", "accepted", "throttled") == [1, 1]
    assert read_counts(portal, "portal_code_checks_total", "right", "wrong") == [1, 1]
    await browser.open("/authenticator")
    await browser.send("/authenticator", code="no code")
    assert browser.page is not None
    assert read_counts(portal, "portal_totp_checks_total", "right", "wrong") == [0, 1]


async def test_writing_counts_requests_and_codes(portal: Any, people: AccountPeople, acme: Any) -> None:
    async with people.database.scope(acme.profile.workspace_id):
        await add_contact(acme.customer_id, email=ANA, clock=SystemClock())
        authority = WriteAuthority.create(WriteMode.OTP, otp_policy=OtpPolicy.CONTACTS)
        await set_write_authority(acme.invoice_id, authority)
    browser = Browser(portal.visitor(), acme.host)
    for code in ("", "no code"):
        await browser.open(acme.path)
        await browser.send(f"{acme.path}/comments", name="Ana", email=ANA, body="When is it due?", code=code)
    assert read_counts(portal, "portal_code_requests_total", "accepted", "throttled") == [1, 0]
    assert read_counts(portal, "portal_code_checks_total", "right", "wrong") == [0, 1]
