"""portal import-ubl: imports invoices that another program has issued."""

import asyncio
import sys
from pathlib import Path

import click

from kernel.errors import PortalError
from kernel.money import Money
from ops.command_context import CommandContext, read_file, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_table
from tenants.invoices import actions
from tenants.invoices.ubl import MAX_BYTES, read_ubl
from tenants.workspaces import queries as workspaces


@click.command(name="import-ubl")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@workspace_option
@click.option("--link", is_flag=True, help="Issue a link to each imported invoice and print it.")
@as_json_option
def import_ubl(files: tuple[Path, ...], workspace: str, *, link: bool, as_json: bool) -> None:
    """Import UBL 2.1 invoices as issued, under their own numbers.

    Each file is one transaction: one that is not valid is refused with the rule that it breaks, and the others are
    imported. Exit code 1 if any was refused.
    """

    async def work(context: CommandContext) -> list[dict[str, object]]:
        return [await _import_file(context, workspace, file, link=link) for file in files]

    rows = run_command(work)
    if as_json:
        print_table(rows, as_json=True, empty="")
    for row in rows if not as_json else []:
        click.echo(
            f"{row['file']}: {row['number']}, {row['total']}"
            if row["ok"]
            else f"{row['file']}: {row['refused']}"
        )
        if row.get("url"):
            click.echo(f"  {row['url']}")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


async def _import_file(
    context: CommandContext, workspace: str, path: Path, *, link: bool
) -> dict[str, object]:
    name, document = str(path), read_file(path, MAX_BYTES)

    async def work() -> dict[str, object]:
        invoice = await actions.import_invoice(checked, clock=context.clock)
        row: dict[str, object] = {
            "file": name,
            "ok": True,
            "number": invoice.number,
            "total": _format_amount(invoice.total),
            "invoice_id": invoice.invoice_id,
        }
        if link:
            issued = await actions.issue_link(invoice.invoice_id, sealer=context.sealer, clock=context.clock)
            row["url"] = context.settings.build_public_url(
                await workspaces.load_primary_host(), f"/i/{issued.token}"
            )
        return row

    try:
        checked = await asyncio.to_thread(read_ubl, document)
        return await context.run_unit(workspace, work)
    except PortalError as error:
        if error.code == "workspace.not_found":
            raise
        rule = f"{error.data['rule']}: " if "rule" in error.data else ""
        refused = f"refused. {rule}{error.message} [{error.code}]"
        return {"file": name, "ok": False, "refused": refused, "rule": error.data.get("rule")}


def _format_amount(total: Money) -> str:
    return f"{total.amount} {total.currency.code}"
