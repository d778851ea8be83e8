"""Who may write comments on an invoice."""

from __future__ import annotations

from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.ids import InvoiceId
from tenants.invoices.actions.rows import lock_invoice, update_invoice
from tenants.invoices.events import InvoiceWriteAuthorityChanged
from tenants.invoices.queries import load_write_authority
from tenants.workspaces.authority import WriteAuthority, build_columns


async def set_write_authority(invoice_id: InvoiceId, authority: WriteAuthority | None) -> None:
    """Set who may write comments on an invoice; None: as its customer, else as the workspace.

    Missing("invoice.not_found").
    """
    await lock_invoice(invoice_id)
    before = build_columns(await load_write_authority(invoice_id))
    changed = find_changes(before, build_columns(authority))
    if changed:
        await update_invoice(invoice_id, {column: change.after for column, change in changed.items()})
        await emit(InvoiceWriteAuthorityChanged(invoice_id=invoice_id, changes=changed))
