"""portal customer: the customers of a workspace and the people who receive their invoices."""

import dataclasses
from typing import Any
from uuid import UUID

import click

from kernel.ids import ContactId, CustomerId
from ops.commands.printing import as_json_option, flat, show, table
from ops.session import Session, run
from tenants.customers import actions, queries
from tenants.customers.values import Customer, CustomerDetails

in_workspace = click.option(
    "--workspace", required=True, metavar="SLUG", help="Slug or host of the workspace."
)


@click.group()
def customer() -> None:
    """Customers of a workspace and their contacts."""


@customer.command()
@click.argument("name")
@in_workspace
@click.option("--email", default="")
@click.option("--street", default="")
@click.option("--additional", default="")
@click.option("--postal-code", default="")
@click.option("--city", default="")
@click.option("--subdivision", default="", help="State, province or canton.")
@click.option("--country", default="", help="ISO 3166-1 code of two letters.")
@click.option("--vat-id", default="")
@click.option("--identifier", default="", help="The workspace's own number for the customer.")
@click.option("--locale", help="Language of pages and documents (default: the workspace's).")
@as_json_option
def create(workspace: str, *, as_json: bool, **given: Any) -> None:
    """Add a customer."""

    async def work(session: Session) -> Customer:
        async with session.inside(workspace):
            return await actions.create_customer(CustomerDetails(**given), clock=session.clock)

    show(_line(run(work)), as_json=as_json)


@customer.command(name="list")
@in_workspace
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--after", type=click.UUID, help="Continue after this customer's id.")
@as_json_option
def list_(workspace: str, limit: int, after: UUID | None, *, as_json: bool) -> None:
    """Print customers by name."""

    async def work(session: Session) -> tuple[Customer, ...]:
        async with session.inside(workspace, read_only=True):
            return await queries.list_customers(limit=limit, after=CustomerId(after) if after else None)

    rows = [
        {
            "customer_id": one.customer_id,
            "name": one.details.name,
            "city": one.details.city,
            "email": one.details.email,
        }
        for one in run(work)
    ]
    table(rows, as_json=as_json, empty="There is no customer yet.")


@customer.command(name="show")
@click.argument("customer_id", type=click.UUID)
@in_workspace
@as_json_option
def show_(customer_id: UUID, workspace: str, *, as_json: bool) -> None:
    """Print a customer and its contacts."""

    async def work(session: Session) -> dict[str, object]:
        async with session.inside(workspace, read_only=True):
            found = await queries.customer(CustomerId(customer_id))
            people = await queries.contacts(found.customer_id)
            contacts = [flat(person) for person in people]
            return _line(found) | {"contacts": contacts if as_json else ", ".join(c.email for c in people)}

    show(run(work), as_json=as_json)


@customer.group()
def contact() -> None:
    """The people of a customer: links are made for them."""


@contact.command()
@click.argument("customer_id", type=click.UUID)
@click.argument("email")
@in_workspace
@click.option("--name", default="")
@click.option("--locale")
@as_json_option
def add(
    customer_id: UUID, email: str, workspace: str, name: str, locale: str | None, *, as_json: bool
) -> None:
    """Add a person to a customer."""

    async def work(session: Session) -> dict[str, object]:
        async with session.inside(workspace):
            made = await actions.add_contact(
                CustomerId(customer_id), email=email, name=name, locale=locale, clock=session.clock
            )
            return flat(made)

    show(run(work), as_json=as_json)


@contact.command()
@click.argument("contact_id", type=click.UUID)
@in_workspace
def remove(contact_id: UUID, workspace: str) -> None:
    """Remove a person; one whose links exist stays."""

    async def work(session: Session) -> None:
        async with session.inside(workspace):
            await actions.remove_contact(ContactId(contact_id))

    run(work)
    click.echo("Removed.")


def _line(found: Customer) -> dict[str, object]:
    return {"customer_id": found.customer_id, **dataclasses.asdict(found.details)}
