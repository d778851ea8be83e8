"""portal series: the series of invoice numbers of a workspace."""

import click

from ops.command_context import CommandContext, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_fields, print_table
from tenants.invoices import actions, queries
from tenants.invoices.numbering import DEFAULT_SERIES, Series, SeriesStatus


@click.group()
def series() -> None:
    """Series of invoice numbers: a prefix and a sequence number without gaps."""


@series.command(name="list")
@workspace_option
@as_json_option
def list_(workspace: str, *, as_json: bool) -> None:
    """Print the series, each with the number of its next invoice."""

    async def work(context: CommandContext) -> tuple[SeriesStatus, ...]:
        async with context.scope(workspace, read_only=True):
            return await queries.list_series()

    print_table(
        [_describe(status) for status in run_command(work)], as_json=as_json, empty="There is no series yet."
    )


@series.command(name="set")
@click.argument("name", default=DEFAULT_SERIES.name)
@workspace_option
@click.option("--prefix", help=f"Text before the sequence number (of a new series: {DEFAULT_SERIES.prefix}).")
@click.option("--digits", type=int, help="The sequence number is padded with zeros to this many digits.")
@click.option(
    "--next", "next_sequence", type=int, metavar="N", help="The next sequence number, such as 5001."
)
@as_json_option
def set_(
    name: str,
    workspace: str,
    prefix: str | None,
    digits: int | None,
    next_sequence: int | None,
    *,
    as_json: bool,
) -> None:
    """Change the series NAME (default: invoices), or add it, and print the number of its next invoice.

    A next number is refused if an invoice has it, or if the series has issued a later one.
    """

    async def work(context: CommandContext) -> SeriesStatus:
        async with context.scope(workspace):
            existing = {status.series.name: status.series for status in await queries.list_series()}
            current = existing.get(name, DEFAULT_SERIES)
            changed = Series(
                name,
                current.prefix if prefix is None else prefix,
                current.digits if digits is None else digits,
            )
            await actions.set_series(changed, next_sequence=next_sequence)
            return next(status for status in await queries.list_series() if status.series.name == name)

    print_fields(_describe(run_command(work)), as_json=as_json)


def _describe(status: SeriesStatus) -> dict[str, object]:
    return {
        "series": status.series.name,
        "prefix": status.series.prefix,
        "digits": status.series.digits,
        "next_number": status.next_number,
    }
