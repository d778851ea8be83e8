"""portal import-ubl: take over invoices that were written elsewhere."""

import asyncio
import sys
from pathlib import Path

import click

from kernel.errors import PortalError
from kernel.money import Money
from ops.commands.printing import table
from ops.session import Session, read_at_most, run
from tenants.invoices import actions
from tenants.invoices.ubl import MAX_BYTES, read_ubl
from tenants.workspaces import queries as workspaces


@click.command(name="import-ubl")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--workspace", required=True, metavar="SLUG", help="Slug or host of the workspace.")
@click.option("--link", is_flag=True, help="Make a link to each imported invoice and print it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_ubl(files: tuple[Path, ...], workspace: str, *, link: bool, as_json: bool) -> None:
    """Import UBL 2.1 invoices as issued, under their own numbers.

    Each file stands alone: one that does not add up is refused with the rule it breaks, nothing of it is stored, and
    the others are imported all the same. Exit code 1 if any was refused.
    """

    async def work(session: Session) -> list[dict[str, object]]:
        return [await _one(session, workspace, file, link=link) for file in files]

    rows = run(work)
    if as_json:
        table(rows, as_json=True, empty="")
    for row in rows if not as_json else []:
        click.echo(
            f"{row['file']}: {row['number']}, {row['total']}"
            if row["ok"]
            else f"{row['file']}: {row['refused']}"
        )
        if row.get("url"):
            click.echo(f"  {row['url']}")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


async def _one(session: Session, workspace: str, file: Path, *, link: bool) -> dict[str, object]:
    name, document = str(file), read_at_most(file, MAX_BYTES)

    async def work() -> dict[str, object]:
        made = await actions.import_invoice(checked, clock=session.clock)
        row: dict[str, object] = {
            "file": name,
            "ok": True,
            "number": made.number,
            "total": _amount(made.total),
            "invoice_id": made.invoice_id,
        }
        if link:
            shown = await actions.issue_link(made.invoice_id, sealer=session.sealer, clock=session.clock)
            row["url"] = session.settings.public_url(await workspaces.primary_host(), f"/i/{shown.token}")
        return row

    try:
        checked = await asyncio.to_thread(read_ubl, document)
        return await session.write(workspace, work)
    except PortalError as error:
        if error.code == "workspace.not_found":
            raise
        rule = f"{error.data['rule']}: " if "rule" in error.data else ""
        refused = f"refused. {rule}{error.message} [{error.code}]"
        return {"file": name, "ok": False, "refused": refused, "rule": error.data.get("rule")}


def _amount(total: Money) -> str:
    return f"{total.amount} {total.currency.code}"
