"""The row of the bound workspace, locked."""

from __future__ import annotations

from typing import Any

from kernel.store import current_workspace
from tenants.workspaces.queries import missing_workspace
from tenants.workspaces.tables import Workspace


async def lock_workspace() -> dict[str, Any]:
    """Lock the bound workspace's row and return it without its data key; Missing("workspace.not_found")."""
    row = (
        await Workspace.select(*Workspace.all_columns(exclude=[Workspace.data_key]))
        .where(Workspace.workspace_id == current_workspace())
        .lock_rows("UPDATE")
        .first()
    )
    if row is None:
        raise missing_workspace()
    return row
