"""The command line `portal`: commands, loaded when they are called, and errors as text."""

import asyncio
import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from kernel.errors import PortalError

# Command -> module and name in it; imported only when it is called.
LAZY_COMMANDS: Mapping[str, tuple[str, str]] = {
    "workspace": ("ops.commands.workspace", "workspace"),
    "customer": ("ops.commands.customer", "customer"),
    "invoice": ("ops.commands.invoice", "invoice"),
    "import-ubl": ("ops.commands.invoices", "import_ubl"),
    "link": ("ops.commands.links", "link"),
    "payment": ("ops.commands.payment", "payment"),
    "connect": ("ops.commands.connect", "connect"),
    "thread": ("ops.commands.thread", "thread"),
    "series": ("ops.commands.series", "series"),
    "realtime": ("ops.commands.realtime", "realtime"),
    "audit": ("ops.commands.audit", "audit"),
    "events": ("ops.commands.audit", "events"),
    "jobs": ("ops.commands.jobs", "jobs"),
    "hub": ("ops.commands.hub", "hub"),
    "worker": ("ops.commands.processes", "worker"),
    "relay": ("ops.commands.processes", "relay"),
    "scheduler": ("ops.commands.processes", "scheduler"),
}


class _Portal(click.Group):
    """Loads commands from other modules; prints errors as text and exits with code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LAZY_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = LAZY_COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PortalError as error:
            click.echo(f"{error.message} [{error.code}]", err=True)
            for name, value in error.data.items():
                click.echo(f"  {name}: {value}", err=True)
            ctx.exit(1)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from ops.error_text import describe_error

            text = describe_error(error)
            if text is None:
                raise
            click.echo(text, err=True)
            ctx.exit(1)


@click.group(cls=_Portal, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def portal() -> None:
    """Run and administer an Invoice Portal. Settings come from PORTAL_ variables; `portal doctor` checks them."""


@portal.command()
@click.option(
    "--admin-url",
    envvar="ADMIN_DATABASE_URL",
    help="First create roles and database, as this role (or ADMIN_DATABASE_URL); once per installation.",
)
def migrate(admin_url: str | None) -> None:
    """Bring the database to this release (as PORTAL_DATABASE_OWNER_URL); safe to repeat and to run twice at once."""
    from ops.command_context import read_settings
    from ops.migrate import create_roles
    from tenants import schema

    settings = read_settings()
    if admin_url:
        asyncio.run(create_roles(admin_url, settings))
    applied = asyncio.run(schema.migrate(settings.require_owner_url()))
    for migration in applied:
        click.echo(f"{migration.number:04} {migration.name}")
    click.echo(f"The database is at {schema.version():04}; {len(applied)} applied now.")


@portal.command()
def seed() -> None:
    """Write the demo's workspaces and invoices; only under the profiles demo and test."""
    from kernel.errors import Denied
    from kernel.settings import Profile
    from ops.command_context import open_database, read_settings

    async def work() -> None:
        settings = read_settings()
        if settings.profile is Profile.PRODUCTION:
            raise Denied(
                "seed.production",
                "Sample invoices are not written into a production database: PORTAL_PROFILE.",
            )
        from ops.seed import seed as write

        async with open_database(settings, settings.database_url, size=10, name="portal seed") as database:
            seeded = await write(database, settings, click.echo)
        for invoice in seeded.invoices:
            click.echo(f"{invoice['workspace']} {invoice['number']} {invoice['url']}")

    asyncio.run(work())


@portal.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--no-chromium", is_flag=True, help="Do not look for a Chromium: this machine only serves pages."
)
def doctor(*, as_json: bool, no_chromium: bool) -> None:
    """Examine settings, database, jobs, Redis, Stripe, blobs, fonts, Chromium; each finding says how to correct it.

    Exit code 1 if there is one.
    """
    import dataclasses
    import os

    from kernel.telemetry import logs
    from ops.commands.output import print_table
    from ops.doctor.installation import examine

    def report_passed(text: str) -> None:
        if not as_json:
            click.echo(f"✓ {text}")

    # Log lines of the renderer do not belong between the findings.
    logs.configure(level="error", process="doctor", stream=sys.stderr)
    findings = asyncio.run(examine(os.environ, check_chromium=not no_chromium, report_passed=report_passed))
    if as_json:
        print_table([dataclasses.asdict(finding) for finding in findings], as_json=True, empty="")
    else:
        for finding in findings:
            click.echo(f"✗ {finding.problem}\n  → {finding.remedy}")
        if not findings:
            click.echo("No problem was found.")
    sys.exit(1 if findings else 0)


@portal.command()
def gateway() -> None:
    """Serve the pages until SIGTERM; running requests are finished first."""
    from ops.command_context import read_settings
    from ops.ports import can_listen
    from web.gateway import serve

    settings = read_settings()
    for variable, host, port in (
        ("PORTAL_PORT", settings.host, settings.port),
        ("PORTAL_METRICS_PORT", settings.metrics_host, settings.metrics_port),
    ):
        if not can_listen(host, port):
            message = f"The gateway cannot listen on {host}, port {port}: is it in use? Choose another with {variable}."
            raise click.ClickException(message)
    serve(settings)


def main() -> None:
    """Run the command line."""
    portal(prog_name="portal")


if __name__ == "__main__":
    main()
