"""Deletes codes, sessions and enrolments that nobody can use any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.store import current_workspace, execute
from tenants.access.values import IDLE_LIMIT

# In one call; the next day's call removes the rest.
_MAX_ROWS: Final = 10_000
# The limit of codes a day counts those of the last day.
_DELETE_CODES: Final = """
DELETE FROM one_time_code WHERE workspace_id = $1 AND code_id IN (
    SELECT code_id FROM one_time_code WHERE workspace_id = $1 AND created_at < now() - interval '1 day' LIMIT $2)
"""
_DELETE_SESSIONS: Final = """
DELETE FROM session WHERE workspace_id = $1 AND session_id IN (
    SELECT session_id FROM session
    WHERE workspace_id = $1 AND least(revoked_at, expires_at, used_at + $3::interval) < now() - interval '30 days'
    LIMIT $2)
"""
_DELETE_ENROLMENTS: Final = """
DELETE FROM authenticator WHERE workspace_id = $1 AND confirmed_at IS NULL AND created_at < now() - interval '1 day'
"""


@dataclass(frozen=True, slots=True)
class PurgedProofs:
    """How many rows were deleted."""

    codes: int
    sessions: int
    enrolments: int


async def purge_proofs() -> PurgedProofs:
    """Delete codes a day after they were asked for, sessions 30 days after their end, unconfirmed authenticators."""
    workspace_id = current_workspace()
    codes = await execute(_DELETE_CODES, workspace_id, _MAX_ROWS)
    sessions = await execute(_DELETE_SESSIONS, workspace_id, _MAX_ROWS, IDLE_LIMIT)
    enrolments = await execute(_DELETE_ENROLMENTS, workspace_id)
    return PurgedProofs(_count(codes), _count(sessions), _count(enrolments))


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
