"""portal link: the links of invoices."""

from uuid import UUID

import click

from kernel.errors import Missing
from kernel.identifiers import check_email
from ops.command_context import CommandContext, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_fields, print_table, read_fields
from tenants.customers import queries as customers
from tenants.ids import ContactId, CustomerId, LinkId
from tenants.invoices import actions, queries
from tenants.invoices.values import LinkWithToken
from tenants.workspaces import queries as workspaces


@click.group()
def link() -> None:
    """Links to invoices: issue, show, rotate, revoke."""


@link.command()
@click.argument("number")
@workspace_option
@click.option("--contact", metavar="EMAIL", help="The contact of the customer that it is for.")
@as_json_option
def issue(number: str, workspace: str, contact: str | None, *, as_json: bool) -> None:
    """Issue a link to the invoice NUMBER and print it; earlier links stay valid."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            invoice = await queries.load_invoice_by_number(number)
            contact_id = await find_contact(invoice.customer_id, contact) if contact else None
            shown = await actions.issue_link(
                invoice.invoice_id, contact_id=contact_id, sealer=context.sealer, clock=context.clock
            )
            return await _describe(context, shown)

    print_fields(run_command(work), as_json=as_json)


@link.command(name="list")
@click.argument("number")
@workspace_option
@as_json_option
def list_(number: str, workspace: str, *, as_json: bool) -> None:
    """Print the links of the invoice NUMBER, without their tokens."""

    async def work(context: CommandContext) -> list[dict[str, object]]:
        async with context.scope(workspace, read_only=True):
            invoice = await queries.load_invoice_by_number(number)
            return [read_fields(line) for line in await queries.list_links(invoice.invoice_id)]

    columns = ("link_id", "state", "recipient", "created_at", "expires_at", "last_shown_at")
    rows = run_command(work)
    print_table(
        rows if as_json else [{name: row[name] for name in columns} for row in rows],
        as_json=as_json,
        empty="There is no link to this invoice.",
    )


@link.command(name="show")
@click.argument("link_id", type=click.UUID)
@workspace_option
@as_json_option
def show_(link_id: UUID, workspace: str, *, as_json: bool) -> None:
    """Print a link again; it stays valid for at least ten days."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            shown = await actions.show_link(LinkId(link_id), sealer=context.sealer, clock=context.clock)
            return await _describe(context, shown)

    print_fields(run_command(work), as_json=as_json)


@link.command()
@click.argument("link_id", type=click.UUID)
@workspace_option
def revoke(link_id: UUID, workspace: str) -> None:
    """Revoke a link at once."""

    async def work(context: CommandContext) -> None:
        async with context.scope(workspace):
            await actions.revoke_link(LinkId(link_id), clock=context.clock)

    run_command(work)
    click.echo("Revoked.")


@link.command()
@click.argument("link_id", type=click.UUID)
@workspace_option
@as_json_option
def rotate(link_id: UUID, workspace: str, *, as_json: bool) -> None:
    """Revoke a link and print a new one for the same recipient."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            shown = await actions.rotate_link(LinkId(link_id), sealer=context.sealer, clock=context.clock)
            return await _describe(context, shown)

    print_fields(run_command(work), as_json=as_json)


async def _describe(context: CommandContext, shown: LinkWithToken) -> dict[str, object]:
    url = context.settings.build_public_url(await workspaces.load_primary_host(), f"/i/{shown.token}")
    return {"link_id": shown.link_id, "url": url, "expires_at": shown.expires_at}


async def find_contact(customer_id: CustomerId, email: str) -> ContactId:
    """Return a customer's contact by address; Missing("contact.not_found")."""
    address = check_email(email)
    for contact in await customers.list_contacts(customer_id):
        if contact.email == address:
            return contact.contact_id
    raise Missing("contact.not_found", f"The customer of this invoice has no contact {email}.", email=email)
