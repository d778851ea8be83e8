"""portal customer: the customers of a workspace and the contacts who receive their invoices."""

import dataclasses
from typing import Any
from uuid import UUID

import click

from ops.command_context import CommandContext, run_command
from ops.commands.options import (
    as_json_option,
    describe_write_authority,
    read_write_authority,
    workspace_option,
    write_authority_options,
)
from ops.commands.output import print_fields, print_table, read_fields
from tenants.customers import actions, queries
from tenants.customers.values import Customer, CustomerDetails
from tenants.ids import ContactId, CustomerId
from tenants.workspaces import queries as workspaces


@click.group()
def customer() -> None:
    """Customers of a workspace and their contacts."""


@customer.command()
@click.argument("name")
@workspace_option
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
def create(workspace: str, *, as_json: bool, **details: Any) -> None:
    """Add a customer."""

    async def work(context: CommandContext) -> Customer:
        async with context.scope(workspace):
            return await actions.create_customer(CustomerDetails(**details), clock=context.clock)

    print_fields(_describe(run_command(work)), as_json=as_json)


@customer.command(name="list")
@workspace_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--after", type=click.UUID, help="Continue after this customer's id.")
@as_json_option
def list_(workspace: str, limit: int, after: UUID | None, *, as_json: bool) -> None:
    """Print customers by name."""

    async def work(context: CommandContext) -> tuple[Customer, ...]:
        async with context.scope(workspace, read_only=True):
            return await queries.list_customers(limit=limit, after=CustomerId(after) if after else None)

    rows = [
        {
            "customer_id": row.customer_id,
            "name": row.details.name,
            "city": row.details.city,
            "email": row.details.email,
        }
        for row in run_command(work)
    ]
    print_table(rows, as_json=as_json, empty="There is no customer yet.")


@customer.command(name="show")
@click.argument("customer_id", type=click.UUID)
@workspace_option
@as_json_option
def show_(customer_id: UUID, workspace: str, *, as_json: bool) -> None:
    """Print a customer and its contacts."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace, read_only=True):
            found = await queries.load_customer(CustomerId(customer_id))
            contacts = await queries.list_contacts(found.customer_id)
            shown = (
                [read_fields(each) for each in contacts] if as_json else ", ".join(c.email for c in contacts)
            )
            own = await queries.load_write_authority(found.customer_id)
            authority = {} if own is None else describe_write_authority(own)
            return _describe(found) | authority | {"contacts": shown}

    print_fields(run_command(work), as_json=as_json)


@customer.command(name="set")
@click.argument("customer_id", type=click.UUID)
@workspace_option
@write_authority_options
@click.option("--inherit-writing", is_flag=True, help="Who may write is what the workspace says.")
@as_json_option
def set_(customer_id: UUID, workspace: str, *, inherit_writing: bool, as_json: bool, **options: Any) -> None:
    """Change who may write comments on a customer's invoices, and print what holds then."""
    if inherit_writing and any(value is not None for value in options.values()):
        message = "Give either --inherit-writing or the other options."
        raise click.UsageError(message)

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            changed = CustomerId(customer_id)
            default = await workspaces.load_write_authority()
            current = await queries.load_write_authority(changed) or default
            wanted = read_write_authority(current, **options)
            if inherit_writing or wanted is not None:
                await actions.set_write_authority(changed, wanted)
            effective = await queries.load_write_authority(changed) or default
            return {"customer_id": customer_id} | describe_write_authority(effective)

    print_fields(run_command(work), as_json=as_json)


@customer.group()
def contact() -> None:
    """The contacts of a customer; links are issued for them."""


@contact.command()
@click.argument("customer_id", type=click.UUID)
@click.argument("email")
@workspace_option
@click.option("--name", default="")
@click.option("--locale")
@as_json_option
def add(
    customer_id: UUID, email: str, workspace: str, name: str, locale: str | None, *, as_json: bool
) -> None:
    """Add a person to a customer."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            added = await actions.add_contact(
                CustomerId(customer_id), email=email, name=name, locale=locale, clock=context.clock
            )
            return read_fields(added)

    print_fields(run_command(work), as_json=as_json)


@contact.command()
@click.argument("contact_id", type=click.UUID)
@workspace_option
def remove(contact_id: UUID, workspace: str) -> None:
    """Remove a person who has no links."""

    async def work(context: CommandContext) -> None:
        async with context.scope(workspace):
            await actions.remove_contact(ContactId(contact_id))

    run_command(work)
    click.echo("Removed.")


def _describe(found: Customer) -> dict[str, object]:
    return {"customer_id": found.customer_id, **dataclasses.asdict(found.details)}
