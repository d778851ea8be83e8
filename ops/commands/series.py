"""portal series: how the invoices of a workspace are numbered."""

import click

from ops.commands.printing import as_json_option, show, table
from ops.session import Session, run
from tenants.invoices import actions, queries
from tenants.invoices.numbering import DEFAULT_SERIES, Series, SeriesStatus

in_workspace = click.option(
    "--workspace", required=True, metavar="SLUG", help="Slug or host of the workspace."
)


@click.group()
def series() -> None:
    """Series of invoice numbers: a prefix and a running number without gaps."""


@series.command(name="list")
@in_workspace
@as_json_option
def list_(workspace: str, *, as_json: bool) -> None:
    """Print the series, each with the number that its next invoice will have."""

    async def work(session: Session) -> tuple[SeriesStatus, ...]:
        async with session.inside(workspace, read_only=True):
            return await queries.list_series()

    table([_line(one) for one in run(work)], as_json=as_json, empty="There is no series yet.")


@series.command(name="set")
@click.argument("name", default=DEFAULT_SERIES.name)
@in_workspace
@click.option(
    "--prefix", help=f"What stands before the running number (of a new series: {DEFAULT_SERIES.prefix})."
)
@click.option("--digits", type=int, help="The running number is padded with zeros to this many digits.")
@click.option("--next", "next_running", type=int, metavar="N", help="The next running number, such as 5001.")
@as_json_option
def set_(
    name: str,
    workspace: str,
    prefix: str | None,
    digits: int | None,
    next_running: int | None,
    *,
    as_json: bool,
) -> None:
    """Change the series NAME (default: invoices), or add it, and print the number of its next invoice.

    A next number is refused if an invoice has it, or if the series has issued a later one.
    """

    async def work(session: Session) -> SeriesStatus:
        async with session.inside(workspace):
            found = {one.series.name: one.series for one in await queries.list_series()}
            current = found.get(name, DEFAULT_SERIES)
            changed = Series(
                name,
                current.prefix if prefix is None else prefix,
                current.digits if digits is None else digits,
            )
            await actions.set_series(changed, next_running=next_running)
            return next(one for one in await queries.list_series() if one.series.name == name)

    show(_line(run(work)), as_json=as_json)


def _line(one: SeriesStatus) -> dict[str, object]:
    return {
        "series": one.series.name,
        "prefix": one.series.prefix,
        "digits": one.series.digits,
        "next_number": one.next_number,
    }
