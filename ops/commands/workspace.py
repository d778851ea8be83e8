"""portal workspace: creates, changes and shows workspaces."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import click
import msgspec

from kernel.ids import WorkspaceId, new_id
from kernel.store.roles import SVC
from ops.command_context import CommandContext, open_database, read_file, read_settings, run_command
from ops.commands.options import (
    as_json_option,
    describe_write_authority,
    read_write_authority,
    write_authority_options,
)
from ops.commands.output import print_fields, print_table, read_fields
from tenants.workspaces import actions, queries
from tenants.workspaces.logo import MAX_UPLOAD_BYTES, reencode
from tenants.workspaces.profile import BankDetails, NewWorkspace, WorkspaceProfile


@click.group()
def workspace() -> None:
    """Workspaces: each is one business with its own hosts, brand, customers and invoice numbers."""


@workspace.command()
@click.argument("slug")
@click.option("--name", help="Name of the business (default: the slug).")
@click.option("--locale", default="en-US", show_default=True, help="BCP 47 tag, such as de-DE.")
@click.option("--time-zone", default="UTC", show_default=True, help="IANA name, such as Europe/Berlin.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217 code.")
@click.option("--colour", help="Brand colour, #rrggbb.")
@click.option("--contact-line", default="", help="One line that says how to reach the business.")
@click.option("--logo", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An image file.")
@click.option("--logo-url", metavar="URL", help="An image that a worker fetches.")
@as_json_option
def create(
    slug: str, colour: str | None, logo: Path | None, logo_url: str | None, *, as_json: bool, **values: Any
) -> None:
    """Create a workspace; its pages are served at SLUG.<base domain>."""
    _refuse_two_logos(logo, logo_url)
    values["name"] = values["name"] or slug
    if colour is not None:
        values["brand_colour"] = colour
    image = reencode(read_file(logo, MAX_UPLOAD_BYTES)) if logo else None

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.database.scope(WorkspaceId(new_id())):
            await actions.create_workspace(
                NewWorkspace(slug=slug, **values),
                base_domain=context.settings.base_domain,
                reserved_hosts=context.settings.reserved_hosts,
                sealer=context.sealer,
                clock=context.clock,
            )
            if image is not None:
                await actions.set_logo(image, clock=context.clock)
            if logo_url is not None:
                await actions.request_logo_fetch(logo_url)
            return await _describe(await queries.load_profile())

    print_fields(run_command(work), as_json=as_json)


@workspace.command(name="set")
@click.argument("slug")
@click.option("--name")
@click.option("--colour", help="Brand colour, #rrggbb.")
@click.option("--contact-line")
@click.option("--locale")
@click.option("--time-zone")
@click.option("--currency")
@click.option("--email", help="Receives mails about new comments, and replies to mails; empty for none.")
@click.option("--payment-days", type=int, help="Days after its issue that an invoice is due.")
@click.option("--link-days", type=int, help="Days after the due date that links still work.")
@click.option("--logo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--logo-url", metavar="URL", help="An image that a worker fetches.")
@click.option("--no-logo", is_flag=True, help="Show the name instead of a logo.")
@click.option(
    "--live-mode/--test-mode",
    "is_live",
    default=None,
    help="Whether card payments are real ones; Stripe's key and account must be of the same mode.",
)
@click.option(
    "--part-payments/--no-part-payments",
    "takes_parts",
    default=None,
    help="Whether customers may pay invoices in parts.",
)
@click.option("--bank-account", help="IBAN or account number to transfer to; empty for none.")
@click.option("--bank-holder", help="Holder of the account.")
@click.option("--bank-bic", help="BIC of the bank.")
@click.option("--bank-name", help="Name of the bank.")
@write_authority_options
@as_json_option
def set_(
    slug: str, logo: Path | None, logo_url: str | None, *, no_logo: bool, as_json: bool, **values: Any
) -> None:
    """Change the given settings."""
    _refuse_two_logos(logo, logo_url, no_logo)
    image = reencode(read_file(logo, MAX_UPLOAD_BYTES)) if logo else None

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(slug):
            await actions.set_brand(**{key: values[key] for key in ("name", "colour", "contact_line")})
            await actions.set_region(**{key: values[key] for key in ("locale", "time_zone", "currency")})
            await actions.set_terms(**{key: values[key] for key in ("payment_days", "link_days")})
            await _set_write_authority(values)
            await actions.set_payment_settings(is_live=values["is_live"], takes_parts=values["takes_parts"])
            await _set_bank_details(values)
            if values["email"] is not None:
                await actions.set_contact_email(values["email"])
            if no_logo:
                await actions.remove_logo()
            elif image is not None:
                await actions.set_logo(image, clock=context.clock)
            if logo_url is not None:
                await actions.request_logo_fetch(logo_url)
            return await _describe(await queries.load_profile())

    print_fields(run_command(work), as_json=as_json)


@workspace.command(name="show")
@click.argument("slug")
@as_json_option
def show_(slug: str, *, as_json: bool) -> None:
    """Print a workspace's settings and hosts."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(slug, read_only=True):
            return await _describe(await queries.load_profile())

    print_fields(run_command(work), as_json=as_json)


@workspace.command(name="list")
@as_json_option
def list_(*, as_json: bool) -> None:
    """Print all workspaces; needs PORTAL_DATABASE_SVC_URL, which sees all of them."""
    rows = _list_workspaces()
    print_table([read_fields(row) for row in rows], as_json=as_json, empty="There is no workspace yet.")


async def _set_write_authority(values: dict[str, Any]) -> None:
    wanted = read_write_authority(
        await queries.load_write_authority(),
        values["write_mode"],
        values["otp_policy"],
        write_totp=values["write_totp"],
    )
    if wanted is not None:
        await actions.set_write_authority(wanted)


async def _set_bank_details(values: dict[str, Any]) -> None:
    given = {
        field: values[option]
        for field, option in (
            ("holder", "bank_holder"),
            ("account", "bank_account"),
            ("bic", "bank_bic"),
            ("bank", "bank_name"),
        )
        if values[option] is not None
    }
    if given == {"account": ""}:
        await actions.set_bank_details(BankDetails())
    elif given:
        current = (await queries.load_payment_settings()).bank
        await actions.set_bank_details(dataclasses.replace(current, **given))


def _refuse_two_logos(*options: object) -> None:
    if sum(map(bool, options)) > 1:
        message = "Give only one of --logo, --logo-url and --no-logo."
        raise click.UsageError(message)


def _list_workspaces() -> tuple[queries.WorkspaceSummary, ...]:
    async def read() -> tuple[queries.WorkspaceSummary, ...]:
        settings = read_settings()
        async with open_database(settings, settings.require_svc_url()) as database:
            await database.require_role(SVC)
            async with database.unbound(read_only=True):
                return await queries.list_workspaces(limit=10_000)

    return asyncio.run(read())


async def _describe(profile: WorkspaceProfile) -> dict[str, object]:
    fields = msgspec.structs.asdict(profile)
    fields["logo"] = f"{profile.logo.width} x {profile.logo.height}" if profile.logo else "none"
    hosts = [f"{domain.host} ({domain.state.value})" for domain in await queries.list_domains()]
    authority = describe_write_authority(await queries.load_write_authority())
    email = {"email": await queries.load_contact_email()}
    settings = await queries.load_payment_settings()
    payments = {
        "payment_mode": "live" if settings.is_live else "test",
        "part_payments": settings.takes_parts,
        "bank": ", ".join(filter(None, dataclasses.astuple(settings.bank))),
    }
    return fields | email | authority | payments | {"hosts": ", ".join(hosts)}
