"""portal connect: a workspace's account at Stripe."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from kernel.errors import Invalid
from kernel.settings import Settings
from kernel.stripe_settings import StripeSettings
from ops.command_context import CommandContext, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_fields
from tenants.connect import actions, queries
from tenants.connect.client import StripeApi
from tenants.connect.onboarding import refresh_account, start_onboarding
from tenants.connect.values import Connection, PaymentDomain

_T = TypeVar("_T")


@click.group()
def connect() -> None:
    """A workspace's account at Stripe, to which its customers pay by card."""


@connect.command()
@workspace_option
@click.option(
    "--country", default="", metavar="DE", help="ISO 3166 code of the business (that of its locale)."
)
@click.option("--email", default="", help="Address of the business for Stripe (the workspace's).")
@as_json_option
def start(workspace: str, country: str, email: str, *, as_json: bool) -> None:
    """Print a link to Stripe's pages, where the business sets its account up; give it to nobody else.

    Repeated, it goes on with the same account.
    """

    async def work(context: CommandContext) -> dict[str, object]:
        settings = _require_stripe(context.settings)
        workspace_id = await context.find_workspace_id(workspace)

        async def ask(api: StripeApi) -> str:
            return await start_onboarding(
                context.database,
                api,
                workspace_id,
                is_live=settings.is_live,
                build_console_url=lambda path: context.settings.build_public_url(
                    context.settings.console_host, path
                ),
                sealer=context.sealer,
                country=country,
                email=email,
            )

        return {"url": await _with_api(settings, ask)}

    print_fields(run_command(work), as_json=as_json)


@connect.command()
@workspace_option
@click.option("--stored", is_flag=True, help="Print what is stored; do not ask Stripe.")
@as_json_option
def status(workspace: str, *, stored: bool, as_json: bool) -> None:
    """Read the account at Stripe, and print whether it takes card payments and what Stripe still wants to know."""

    async def work(context: CommandContext) -> dict[str, object]:
        workspace_id = await context.find_workspace_id(workspace)
        async with context.scope(workspace, read_only=True):
            connection = await queries.load_connection()
        if connection.account_id and not stored:

            async def ask(api: StripeApi) -> Connection:
                return await refresh_account(
                    context.database, api, workspace_id, connection.account_id, clock=context.clock
                )

            connection = await _with_api(_require_stripe(context.settings), ask)
        async with context.scope(workspace, read_only=True):
            domains = await queries.list_payment_domains()
        return _describe(connection, domains)

    print_fields(run_command(work), as_json=as_json)


@connect.command()
@workspace_option
@as_json_option
def disconnect(workspace: str, *, as_json: bool) -> None:
    """Take no more card payments to the account; refunds and disputes of earlier payments are still followed."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            found = await actions.disconnect()
        return {"disconnected": found.account_id or "an account that Stripe had not created yet"}

    print_fields(run_command(work), as_json=as_json)


@connect.command()
@workspace_option
@click.argument("basis_points", type=int)
def fee(workspace: str, basis_points: int) -> None:
    """Take BASIS_POINTS hundredths of a percent of each further payment as the platform's fee."""

    async def work(context: CommandContext) -> None:
        async with context.scope(workspace):
            await actions.set_application_fee(basis_points)

    run_command(work)


def _require_stripe(settings: Settings) -> StripeSettings:
    if settings.stripe is None:
        message = "PORTAL_STRIPE_SECRET_KEY is not set: there is no Stripe to connect to."
        raise Invalid("settings.invalid", message, variable="PORTAL_STRIPE_SECRET_KEY")
    return settings.stripe


async def _with_api(settings: StripeSettings, ask: Callable[[StripeApi], Awaitable[_T]]) -> _T:
    api = StripeApi(settings)
    try:
        return await ask(api)
    finally:
        await api.close()


def _describe(connection: Connection, domains: tuple[PaymentDomain, ...]) -> dict[str, object]:
    return {
        "account": connection.account_id,
        "mode": "live" if connection.is_live else "test",
        "state": connection.state.value,
        "card_payments": connection.card_capability.value,
        "requirements": ", ".join(connection.requirements),
        "application_fee_bp": connection.application_fee_bp,
        "checked_at": connection.checked_at,
        "hosts": ", ".join(f"{each.host} ({each.state.value})" for each in domains),
    }
