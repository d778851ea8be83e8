"""Keeps the domains of a workspace in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.workspaces import actions

if TYPE_CHECKING:
    from tenants.workspaces.jobs import ForgetReleasedDomains
    from workers.actors.attempt import Attempt


async def forget_released(_job: ForgetReleasedDomains, attempt: Attempt) -> None:
    """Delete the tombstones whose time is over."""
    async with attempt.effect():
        await actions.purge_released_domains(clock=attempt.clock)
