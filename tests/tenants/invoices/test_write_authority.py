"""Who may write: the invoice's setting, else the customer's, else the workspace's."""

from __future__ import annotations

import pytest

from kernel.errors import Invalid
from tenants.customers import actions as customers
from tenants.customers import queries as customer_queries
from tenants.invoices import actions, portal_access, queries
from tenants.workspaces import actions as workspaces
from tenants.workspaces import queries as workspace_queries
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode
from tests.fakes.sample_workspaces import SampleWorkspace

LINK = WriteAuthority.create(WriteMode.LINK)
CLOSED = WriteAuthority.create(WriteMode.CLOSED)
OTP_WITH_TOTP = WriteAuthority.create(WriteMode.OTP, requires_totp=True)
CUSTOMER_WITH_TOTP = WriteAuthority.create(WriteMode.CUSTOMER, requires_totp=True)


async def test_the_nearest_setting_holds_on_the_page_and_for_the_staff(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    invoice_id = await acme.issue_invoice(customer_id)
    async with acme.database.scope(acme.workspace_id):
        link = await actions.issue_link(invoice_id, sealer=acme.sealer, clock=acme.clock)

    async def load() -> WriteAuthority:
        access = await portal_access.open_link(
            acme.database, acme.workspace_id, link.token, sealer=acme.sealer
        )
        async with acme.database.scope(acme.workspace_id, read_only=True):
            assert await queries.load_effective_authority(invoice_id) == access.authority
        return access.authority

    assert await load() == LINK
    async with acme.database.scope(acme.workspace_id):
        await workspaces.set_write_authority(CLOSED)
    assert await load() == CLOSED
    async with acme.database.scope(acme.workspace_id):
        await customers.set_write_authority(customer_id, CUSTOMER_WITH_TOTP)
    assert await load() == CUSTOMER_WITH_TOTP
    async with acme.database.scope(acme.workspace_id):
        await actions.set_write_authority(invoice_id, OTP_WITH_TOTP)
    assert await load() == OTP_WITH_TOTP
    async with acme.database.scope(acme.workspace_id):
        await customers.set_write_authority(customer_id, None)
        assert await customer_queries.load_write_authority(customer_id) is None
        assert await queries.load_write_authority(invoice_id) == OTP_WITH_TOTP
        await actions.set_write_authority(invoice_id, None)
        assert await queries.load_write_authority(invoice_id) is None
        assert await workspace_queries.load_write_authority() == CLOSED
    assert await load() == CLOSED


def test_with_an_authenticator_codes_go_to_contacts_alone() -> None:
    assert WriteAuthority.create(WriteMode.OTP).otp_policy is OtpPolicy.ANY
    assert OTP_WITH_TOTP.otp_policy is OtpPolicy.CONTACTS
    with pytest.raises(Invalid, match=r"write_authority\.totp"):
        WriteAuthority.create(WriteMode.OTP, requires_totp=True, otp_policy=OtpPolicy.ANY)
