"""An exercise for every action on customers."""

from __future__ import annotations

from tenants.customers import actions as customers
from tenants.customers.values import CustomerDetails
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.tenants.exercises import CLOCK, Call, call, exercise, run

OTP_WITH_TOTP = WriteAuthority.create(WriteMode.OTP, requires_totp=True)


@exercise(customers.create_customer, "customer.created")
async def create_a_customer(_: SampleWorkspace) -> Call:
    return call(CustomerDetails(name="Wren", email="ana@wren.example"), clock=CLOCK)


@exercise(customers.update_customer, "customer.updated", fields=["name", "email"])
async def update_a_customer(workspace: SampleWorkspace) -> Call:
    return call(
        await workspace.create_customer("Wren"), CustomerDetails(name="Lark", email="ana@lark.example")
    )


@exercise(customers.update_customer)
async def update_a_customer_with_its_own_details(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_customer("Wren"), CustomerDetails(name="Wren"))


@exercise(customers.find_or_create_customer, "customer.created")
async def create_the_customer_of_an_import(_: SampleWorkspace) -> Call:
    return call(CustomerDetails(name="Wren"), clock=CLOCK)


@exercise(customers.find_or_create_customer)
async def find_the_customer_of_an_import(workspace: SampleWorkspace) -> Call:
    await workspace.create_customer("Wren")
    return call(CustomerDetails(name="Wren"), clock=CLOCK)


@exercise(customers.add_contact, "contact.added")
async def add_a_contact(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_customer(), email="ana@buyer.example", name="Ana Silva", clock=CLOCK)


@exercise(customers.add_missing_contact, "contact.added")
async def add_the_contact_of_an_import(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_customer(), email="ana@buyer.example", name="Ana Silva", clock=CLOCK)


@exercise(customers.add_missing_contact)
async def add_a_contact_that_is_not_missing(workspace: SampleWorkspace) -> Call:
    customer_id = await workspace.create_customer()
    await run(workspace, customers.add_contact, customer_id, email="ana@buyer.example", clock=CLOCK)
    return call(customer_id, email="ana@buyer.example", name="Ana Silva", clock=CLOCK)


@exercise(customers.remove_contact, "contact.removed")
async def remove_a_contact(workspace: SampleWorkspace) -> Call:
    customer_id = await workspace.create_customer()
    added = await run(workspace, customers.add_contact, customer_id, email="ana@buyer.example", clock=CLOCK)
    return call(added.contact_id)


@exercise(
    customers.set_write_authority,
    "customer.write_authority_changed",
    changes={
        "write_mode": {"before": None, "after": "otp"},
        "otp_policy": {"before": None, "after": "contacts"},
        "write_totp": {"before": None, "after": True},
    },
)
async def set_who_may_write_on_a_customers_invoices(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_customer(), OTP_WITH_TOTP)


@exercise(customers.set_write_authority)
async def set_who_may_write_on_a_customers_invoices_as_it_is(workspace: SampleWorkspace) -> Call:
    return call(await workspace.create_customer(), None)
