"""Change how a workspace is paid: real or test payments, in parts or not, and its bank account."""

from __future__ import annotations

from typing import Any

from kernel.store import current_workspace
from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.workspaces.actions.rows import lock_workspace
from tenants.workspaces.events import BankDetailsChanged, PaymentSettingsChanged
from tenants.workspaces.profile import BankDetails, check_bank_details
from tenants.workspaces.tables import Workspace


async def set_payment_settings(*, is_live: bool | None = None, takes_parts: bool | None = None) -> None:
    """Change whether payments are real ones, and whether invoices may be paid in parts; None changes nothing.

    Payments that are under way are not affected. Missing("workspace.not_found").
    """
    wanted = {"livemode": is_live, "takes_part_payments": takes_parts}
    row = await lock_workspace()
    changed = find_changes(row, {column: value for column, value in wanted.items() if value is not None})
    if changed:
        await Workspace.update({column: change.after for column, change in changed.items()}).where(
            Workspace.workspace_id == current_workspace()
        )
        await emit(PaymentSettingsChanged(changes=changed))


async def set_bank_details(details: BankDetails) -> None:
    """Change the account that invoices name which are issued from now on without one; empty for no account.

    Invalid (`bank.account`, `bank.bic`, `bank.incomplete`, `bank.text`), Missing("workspace.not_found").
    """
    checked = check_bank_details(details)
    columns: dict[Any, Any] = {
        "bank_holder": checked.holder,
        "bank_account": checked.account,
        "bank_bic": checked.bic,
        "bank_name": checked.bank,
    }
    if find_changes(await lock_workspace(), columns):
        await Workspace.update(columns).where(Workspace.workspace_id == current_workspace())
        await emit(BankDetailsChanged(is_set=checked.account != ""))
