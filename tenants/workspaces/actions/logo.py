"""Set the workspace's logo, from a file or from a URL that a job fetches."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from piccolo.columns import Column

from kernel.addresses import normalize_url
from kernel.clock import Clock
from kernel.jobs import EnqueuedJob, enqueue
from kernel.store import current_workspace, execute
from tenants.activity.actions import emit
from tenants.workspaces import queries
from tenants.workspaces.actions.rows import lock_workspace
from tenants.workspaces.events import LogoChanged, LogoFetchRequested
from tenants.workspaces.jobs import FetchLogo
from tenants.workspaces.profile import LogoImage, LogoRef, WorkspaceProfile
from tenants.workspaces.tables import Workspace

_INSERT_ASSET: Final = """
INSERT INTO brand_asset (workspace_id, sha256, content_type, width, height, data, created_at)
VALUES ($1, $2, 'image/png', $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""


async def set_logo(image: LogoImage, *, clock: Clock) -> LogoRef:
    """Make an image that `logo.reencode` returned the workspace's logo.

    Earlier logos stay: pages that are still open refer to them. Missing("workspace.not_found").
    """
    row, workspace_id = await lock_workspace(), current_workspace()
    await execute(
        _INSERT_ASSET, workspace_id, image.sha256, image.width, image.height, image.png, clock.now()
    )
    await _set_logo_hash(row, image.sha256)
    return LogoRef(image.sha256, image.width, image.height)


async def request_logo_fetch(url: str) -> EnqueuedJob:
    """Enqueue a job that fetches the picture of a URL and makes it the logo; Invalid("url.refused").

    Until then the logo does not change; the job fails if the URL returns no picture.
    A logo that is set or removed after this call supersedes the picture. Missing("workspace.not_found").
    """
    # Locks the job's row before the workspace's, in the order in which the job locks them.
    await queries.load_profile()
    added = await enqueue(FetchLogo(url=normalize_url(url)))
    row = await lock_workspace()
    if row["awaited_logo"] != added.job_id:
        await _update({"awaited_logo": added.job_id})
        await emit(LogoFetchRequested(job_id=added.job_id))
    return added


async def set_fetched_logo(image: LogoImage, job_id: UUID, *, clock: Clock) -> LogoRef | None:
    """Make the picture that a job has fetched the logo; None if a later call superseded it.

    Missing("workspace.not_found").
    """
    row = await lock_workspace()
    if row["awaited_logo"] != job_id:
        return None
    return await set_logo(image, clock=clock)


async def remove_logo() -> WorkspaceProfile:
    """Show the workspace's name instead of a logo; Missing("workspace.not_found")."""
    await _set_logo_hash(await lock_workspace(), None)
    return await queries.load_profile()


async def _set_logo_hash(row: dict[str, Any], sha256: str | None) -> None:
    # Nothing changes if the logo is the same and no job is to replace it.
    if (row["logo_sha256"], row["awaited_logo"]) != (sha256, None):
        await _update({"logo_sha256": sha256, "awaited_logo": None})
        await emit(LogoChanged(before=row["logo_sha256"], after=sha256))


async def _update(values: dict[Column | str, Any]) -> None:
    await Workspace.update(values).where(Workspace.workspace_id == current_workspace())
