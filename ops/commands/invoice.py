"""portal invoice: sends invoices and changes their settings."""

from typing import Any

import click

from ops.command_context import CommandContext, run_command
from ops.commands.links import find_contact
from ops.commands.options import (
    as_json_option,
    describe_write_authority,
    read_write_authority,
    workspace_option,
    write_authority_options,
)
from ops.commands.output import print_fields
from tenants.invoices import actions, queries


@click.group()
def invoice() -> None:
    """Invoices by their numbers: send them, change who may write."""


@invoice.command(name="set")
@click.argument("number")
@workspace_option
@write_authority_options
@click.option(
    "--inherit-writing", is_flag=True, help="Who may write is what the customer or the workspace says."
)
@as_json_option
def set_(number: str, workspace: str, *, inherit_writing: bool, as_json: bool, **options: Any) -> None:
    """Change who may write comments on the invoice NUMBER, and print what holds then."""
    if inherit_writing and any(value is not None for value in options.values()):
        message = "Give either --inherit-writing or the other options."
        raise click.UsageError(message)

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            found = await queries.load_invoice_by_number(number)
            current = await queries.load_effective_authority(found.invoice_id)
            wanted = read_write_authority(current, **options)
            if inherit_writing or wanted is not None:
                await actions.set_write_authority(found.invoice_id, wanted)
            effective = await queries.load_effective_authority(found.invoice_id)
            return {"number": found.number} | describe_write_authority(effective)

    print_fields(run_command(work), as_json=as_json)


@invoice.command()
@click.argument("number")
@workspace_option
@click.option("--contact", required=True, metavar="EMAIL", help="The contact of the customer that gets it.")
@as_json_option
def send(number: str, workspace: str, contact: str, *, as_json: bool) -> None:
    """Mail the invoice NUMBER, with a link of its own, to a contact; a worker sends it."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            found = await queries.load_invoice_by_number(number)
            contact_id = await find_contact(found.customer_id, contact)
            link_id = await actions.send_invoice(
                found.invoice_id, contact_id, sealer=context.sealer, clock=context.clock
            )
        return {"link_id": link_id, "contact_id": contact_id}

    print_fields(run_command(work), as_json=as_json)
