"""portal realtime: makes readers start anew after a restore."""

import asyncio

import click

from kernel.store.roles import SVC
from ops.command_context import CommandContext, open_database, read_settings, run_command
from tenants.workspaces import actions, queries


@click.group()
def realtime() -> None:
    """What customers and staff see while it happens."""


@realtime.command(name="new-epoch")
@click.option("--workspace", metavar="SLUG", help="Slug or host of the workspace.")
@click.option("--all", "is_for_all", is_flag=True, help="Every workspace (needs PORTAL_DATABASE_SVC_URL).")
@click.option("--yes", is_flag=True, help="Required: every open page loads its conversation again.")
def new_epoch(workspace: str | None, *, is_for_all: bool, yes: bool) -> None:
    """Make all readers start anew: once after a restore to an earlier moment, before the pages are served again.

    Not after a fail-over that lost nothing.
    """
    if (workspace is None) is not is_for_all:
        message = "Name a workspace with --workspace, or give --all."
        raise click.UsageError(message)
    if not yes:
        message = "Every open page will load its conversation again. Confirm with --yes."
        raise click.UsageError(message)
    slugs = _list_slugs() if workspace is None else [workspace]

    async def work(context: CommandContext) -> None:
        for slug in slugs:
            async with context.scope(slug):
                count = await actions.reset_streams()
            click.echo(f"{slug}: {count} {'stream' if count == 1 else 'streams'}")

    run_command(work)


def _list_slugs() -> list[str]:
    async def read() -> list[str]:
        settings = read_settings()
        async with open_database(settings, settings.require_svc_url()) as database:
            await database.require_role(SVC)
            async with database.unbound(read_only=True):
                return [each.slug for each in await queries.list_workspaces(limit=10_000)]

    return asyncio.run(read())
