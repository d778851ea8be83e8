"""Deletes expired records of released domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.workspaces import actions

if TYPE_CHECKING:
    from tenants.workspaces.jobs import PurgeReleasedDomains
    from workers.actors.attempt import Attempt


async def purge_released_domains(_job: PurgeReleasedDomains, attempt: Attempt) -> None:
    """Delete the records of domains whose quarantine has ended."""
    async with attempt.effect():
        await actions.purge_released_domains(clock=attempt.clock)
