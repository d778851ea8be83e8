"""Customers and contacts: checked, found again, and never mixed up."""

from __future__ import annotations

import asyncio

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_id
from tenants.customers import actions, queries
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId
from tenants.invoices.actions import issue_link
from tests.fakes.sample_workspaces import SampleWorkspace

CLOCK = SystemClock()
BUYER = CustomerDetails(name="Wren Coffee", city="Bath", postal_code="BA1 5LE", country="GB")


async def test_a_customer_is_kept_as_it_was_given_but_tidy(acme: SampleWorkspace) -> None:
    given = CustomerDetails(
        name="  Wren\tCoffee\n Roasters ", country="gb", email="Priya@Wren.Example", locale="en-GB"
    )
    async with acme.database.scope(acme.workspace_id):
        made = await actions.create_customer(given, clock=CLOCK)
        assert await queries.load_customer(made.customer_id) == made
    assert made.details == CustomerDetails(
        name="Wren Coffee Roasters", country="GB", email="priya@wren.example", locale="en-GB"
    )


@pytest.mark.parametrize(
    ("details", "code"),
    [
        (CustomerDetails(name=" \n "), "customer.name"),
        (CustomerDetails(name="x" * 501), "customer.name"),
        (CustomerDetails(name="W", country="GBR"), "country.invalid"),
        (CustomerDetails(name="W", email="not an address"), "email.invalid"),
        (CustomerDetails(name="W", locale="english"), "locale.unknown"),
    ],
)
async def test_what_cannot_be_a_customer_is_refused(
    acme: SampleWorkspace, details: CustomerDetails, code: str
) -> None:
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Invalid) as caught:
            await actions.create_customer(details, clock=CLOCK)
        assert await queries.list_customers() == ()
    assert caught.value.code == code


async def test_a_changed_customer_is_found_by_what_it_is_now(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        made = await actions.create_customer(BUYER, clock=CLOCK)
        moved = CustomerDetails(name="Wren Coffee", vat_id="GB 123 456 789")
        assert (await actions.update_customer(made.customer_id, moved)).details == moved
        asked = CustomerDetails(name="Another Name", vat_id="gb123456789")
        assert await actions.find_or_create_customer(asked, clock=CLOCK) == made.customer_id
        assert await actions.find_or_create_customer(BUYER, clock=CLOCK) != made.customer_id


async def test_the_buyer_of_a_document_is_found_again_and_left_as_it_is(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        made = await actions.create_customer(BUYER, clock=CLOCK)
        written_otherwise = CustomerDetails(
            name="WREN  coffee", postal_code="ba15le", country="gb", city="Bristol"
        )
        assert await actions.find_or_create_customer(written_otherwise, clock=CLOCK) == made.customer_id
        assert (await queries.load_customer(made.customer_id)).details == BUYER
        elsewhere = CustomerDetails(name="Wren Coffee", postal_code="E1 6AN", country="GB")
        assert await actions.find_or_create_customer(elsewhere, clock=CLOCK) != made.customer_id


async def test_of_two_alike_the_older_one_is_meant(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        older = await actions.create_customer(BUYER, clock=CLOCK)
        await actions.create_customer(BUYER, clock=CLOCK)
        assert await actions.find_or_create_customer(BUYER, clock=CLOCK) == older.customer_id


async def test_what_is_doubtful_in_a_foreign_document_is_left_out(acme: SampleWorkspace) -> None:
    doubtful = CustomerDetails(name="Wren", email="see website", country="United Kingdom")
    async with acme.database.scope(acme.workspace_id):
        customer_id = await actions.find_or_create_customer(doubtful, clock=CLOCK)
        assert (await queries.load_customer(customer_id)).details == CustomerDetails(name="Wren")


async def test_one_unknown_buyer_met_ten_times_at_once_is_one_customer(acme: SampleWorkspace) -> None:
    async def import_buyer() -> CustomerId:
        async with acme.database.scope(acme.workspace_id):
            return await actions.find_or_create_customer(BUYER, clock=CLOCK)

    found = await asyncio.gather(*(import_buyer() for _ in range(10)))
    assert len(set(found)) == 1
    async with acme.database.scope(acme.workspace_id):
        assert [one.customer_id for one in await queries.list_customers()] == [found[0]]


async def test_a_contact_has_an_address_once_per_customer(acme: SampleWorkspace) -> None:
    first, second = await acme.create_customer("One"), await acme.create_customer("Two")
    async with acme.database.scope(acme.workspace_id):
        made = await actions.add_contact(first, email="Ana@Buyer.Example", name=" Ana  Silva ", clock=CLOCK)
        await actions.add_contact(second, email="ana@buyer.example", clock=CLOCK)
        with pytest.raises(Conflict) as caught:
            await actions.add_contact(first, email="ana@buyer.example", clock=CLOCK)
        assert await queries.list_contacts(first) == (made,)
    assert (made.email, made.name, made.locale) == ("ana@buyer.example", "Ana Silva", None)
    assert caught.value.code == "contact.exists"


async def test_a_contact_belongs_to_a_customer_there_is(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Missing) as caught:
            await actions.add_contact(CustomerId(new_id()), email="a@b.example", clock=CLOCK)
    assert caught.value.code == "customer.not_found"


async def test_the_contact_a_document_names_is_added_once_if_it_can_be_one(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    async with acme.database.scope(acme.workspace_id):
        for email in ("Ap@Buyer.Example", "ap@buyer.example", "", "n/a"):
            await actions.add_missing_contact(customer_id, email=email, name="Accounts", clock=CLOCK)
        assert [person.email for person in await queries.list_contacts(customer_id)] == ["ap@buyer.example"]


async def test_a_contact_with_links_stays_and_one_without_goes(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    invoice_id = await acme.issue_invoice(customer_id)
    async with acme.database.scope(acme.workspace_id):
        linked = await actions.add_contact(customer_id, email="linked@buyer.example", clock=CLOCK)
        loose = await actions.add_contact(customer_id, email="loose@buyer.example", clock=CLOCK)
        await issue_link(invoice_id, contact_id=linked.contact_id, sealer=acme.sealer, clock=CLOCK)
        with pytest.raises(Conflict) as caught:
            await actions.remove_contact(linked.contact_id)
        await actions.remove_contact(loose.contact_id)
        with pytest.raises(Missing):
            await actions.remove_contact(loose.contact_id)
        assert await queries.list_contacts(customer_id) == (linked,)
    assert caught.value.code == "contact.has_links"


async def test_customers_are_listed_by_name_page_by_page(acme: SampleWorkspace) -> None:
    for name in ("Delta", "Alpha", "Charlie", "Bravo", "Alpha"):
        await acme.create_customer(name)
    async with acme.database.scope(acme.workspace_id):
        whole = await queries.list_customers()
        first = await queries.list_customers(limit=2)
        rest = await queries.list_customers(after=first[-1].customer_id)
    assert [one.details.name for one in whole] == ["Alpha", "Alpha", "Bravo", "Charlie", "Delta"]
    assert first + rest == whole
