"""portal jobs: lists, replays and discards jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import click

from kernel.jobs import admin
from kernel.store import Database
from ops.command_context import read_settings
from ops.commands.options import as_json_option
from ops.commands.output import print_table, read_fields
from tenants.workspaces import queries as workspaces

_T = TypeVar("_T")


@click.group()
def jobs() -> None:
    """Jobs of all workspaces (as PORTAL_DATABASE_SVC_URL)."""


@jobs.command(name="list")
@click.option("--state", type=click.Choice(admin.STATES), help="Only jobs in this state.")
@click.option("--kind", metavar="KIND", help="Only jobs of this kind, such as invoices.render_pdf.")
@click.option("--workspace", metavar="SLUG", help="Only jobs of this workspace.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json_option
def list_(state: str | None, kind: str | None, workspace: str | None, limit: int, *, as_json: bool) -> None:
    """Print jobs, the newest first."""

    async def work() -> list[dict[str, object]]:
        workspace_id = None if workspace is None else await workspaces.find_workspace_by_slug(workspace)
        found = await admin.list_jobs(state=state, kind=kind, workspace_id=workspace_id, limit=limit)
        return [read_fields(line) for line in found]

    rows = _run_as_svc(work)
    columns = ("job_id", "kind", "state", "attempts", "run_at", "error")
    print_table(
        rows if as_json else [{name: row[name] for name in columns} for row in rows],
        as_json=as_json,
        empty="There is no such job.",
    )


@jobs.command()
@click.argument("job_id", type=click.UUID)
def replay(job_id: UUID) -> None:
    """Run a dead job again, from its first attempt."""

    async def work() -> None:
        await admin.replay(job_id)

    _run_as_svc(work)
    click.echo("Replayed.")


@jobs.command()
@click.argument("job_id", type=click.UUID)
def discard(job_id: UUID) -> None:
    """Discard a dead or queued job."""

    async def work() -> None:
        await admin.discard(job_id)

    _run_as_svc(work)
    click.echo("Discarded.")


def _run_as_svc(work: Callable[[], Awaitable[_T]]) -> _T:
    async def open_and_run() -> _T:
        settings = read_settings()
        database = await Database.open(
            settings.require_svc_url(), size=1, name="portal jobs", prepared=settings.database_prepared
        )
        try:
            async with database.unbound():
                return await work()
        finally:
            await database.close()

    return asyncio.run(open_and_run())
