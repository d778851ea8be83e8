"""Deletes what proves nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kernel.telemetry import logs
from tenants.access import actions

if TYPE_CHECKING:
    from tenants.access.jobs import PurgeProofs
    from workers.actors.attempt import Attempt

_log: Final = logs.get_logger("workers.proofs")


async def purge_proofs(_job: PurgeProofs, attempt: Attempt) -> None:
    """Delete expired codes, sessions that ended long ago and authenticators that were never confirmed."""
    async with attempt.effect():
        purged = await actions.purge_proofs()
    _log.info("proofs purged", codes=purged.codes, sessions=purged.sessions, enrolments=purged.enrolments)
