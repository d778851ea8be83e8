"""portal link: the links through which customers reach an invoice."""

from uuid import UUID

import click

from kernel.errors import Missing
from kernel.ids import ContactId, CustomerId, LinkId
from ops.commands.printing import as_json_option, flat, show, table
from ops.session import Session, run
from tenants.customers import queries as customers
from tenants.invoices import actions, queries
from tenants.invoices.values import ShownLink
from tenants.workspaces import queries as workspaces

in_workspace = click.option(
    "--workspace", required=True, metavar="SLUG", help="Slug or host of the workspace."
)


@click.group()
def link() -> None:
    """Links to invoices: made for a recipient, shown again, renewed, ended."""


@link.command()
@click.argument("number")
@in_workspace
@click.option("--contact", metavar="EMAIL", help="The contact of the customer that it is for.")
@as_json_option
def issue(number: str, workspace: str, contact: str | None, *, as_json: bool) -> None:
    """Make a link to the invoice NUMBER and print it; earlier links keep working."""

    async def work(session: Session) -> dict[str, object]:
        async with session.inside(workspace):
            invoice = await queries.invoice_by_number(number)
            contact_id = await _contact(invoice.customer_id, contact) if contact else None
            shown = await actions.issue_link(
                invoice.invoice_id, contact_id=contact_id, sealer=session.sealer, clock=session.clock
            )
            return await _described(session, shown)

    show(run(work), as_json=as_json)


@link.command(name="list")
@click.argument("number")
@in_workspace
@as_json_option
def list_(number: str, workspace: str, *, as_json: bool) -> None:
    """Print the links of the invoice NUMBER, without their tokens."""

    async def work(session: Session) -> list[dict[str, object]]:
        async with session.inside(workspace, read_only=True):
            invoice = await queries.invoice_by_number(number)
            return [flat(line) for line in await queries.links(invoice.invoice_id)]

    shown = ("link_id", "state", "recipient", "created_at", "expires_at", "last_shown_at")
    rows = run(work)
    table(
        rows if as_json else [{name: row[name] for name in shown} for row in rows],
        as_json=as_json,
        empty="There is no link to this invoice.",
    )


@link.command(name="show")
@click.argument("link_id", type=click.UUID)
@in_workspace
@as_json_option
def show_(link_id: UUID, workspace: str, *, as_json: bool) -> None:
    """Print a link once more; from now on it lives at least ten days."""

    async def work(session: Session) -> dict[str, object]:
        async with session.inside(workspace):
            shown = await actions.show_link(LinkId(link_id), sealer=session.sealer, clock=session.clock)
            return await _described(session, shown)

    show(run(work), as_json=as_json)


@link.command()
@click.argument("link_id", type=click.UUID)
@in_workspace
def revoke(link_id: UUID, workspace: str) -> None:
    """End a link at once."""

    async def work(session: Session) -> None:
        async with session.inside(workspace):
            await actions.revoke_link(LinkId(link_id), clock=session.clock)

    run(work)
    click.echo("Revoked.")


@link.command()
@click.argument("link_id", type=click.UUID)
@in_workspace
@as_json_option
def rotate(link_id: UUID, workspace: str, *, as_json: bool) -> None:
    """End a link and print a new one for the same recipient."""

    async def work(session: Session) -> dict[str, object]:
        async with session.inside(workspace):
            shown = await actions.rotate_link(LinkId(link_id), sealer=session.sealer, clock=session.clock)
            return await _described(session, shown)

    show(run(work), as_json=as_json)


async def _described(session: Session, shown: ShownLink) -> dict[str, object]:
    url = session.settings.public_url(await workspaces.primary_host(), f"/i/{shown.token}")
    return {"link_id": shown.link_id, "url": url, "expires_at": shown.expires_at}


async def _contact(customer_id: CustomerId, email: str) -> ContactId:
    for contact in await customers.contacts(customer_id):
        if contact.email.lower() == email.lower():
            return contact.contact_id
    raise Missing("contact.not_found", f"The customer of this invoice has no contact {email}.", email=email)
