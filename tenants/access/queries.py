"""Reads of sessions and authenticators."""

from __future__ import annotations

from typing import Final

from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from kernel.store import Database, current_workspace, fetch, fetch_one
from tenants.access.values import (
    IDLE_LIMIT,
    SESSION_PURPOSE,
    AuthenticatorState,
    Session,
    SessionSummary,
    Subject,
    SubjectKind,
)
from tenants.ids import AuthenticatorId, SessionId

_FIND_SESSION: Final = "SELECT * FROM open_session($1, $2, $3)"
_LIST_SESSIONS: Final = """
SELECT session_id, created_at, used_at, user_agent, address_prefix::text AS address_prefix,
       totp_proven_at IS NOT NULL AS has_totp
FROM session
WHERE workspace_id = $1 AND subject_kind = $2 AND subject_id = $3
  AND revoked_at IS NULL AND expires_at > now() AND used_at > now() - $4::interval
ORDER BY used_at DESC, session_id
"""
_FIND_AUTHENTICATOR: Final = """
SELECT authenticator_id, confirmed_at,
       (SELECT count(*) FROM recovery_code r
        WHERE r.workspace_id = a.workspace_id AND r.authenticator_id = a.authenticator_id AND r.used_at IS NULL)
       AS recovery_codes_left
FROM authenticator a
WHERE workspace_id = $1 AND subject_kind = $2 AND subject_id = $3 AND confirmed_at IS NOT NULL
"""


async def find_session(
    database: Database, workspace_id: WorkspaceId, value: str, sealer: Sealer
) -> Session | None:
    """Return the open session of a cookie's value in a workspace, in one round trip and outside any unit of work.

    None whatever is wrong: unknown, ended, another workspace's. Raises Unavailable as `Database.fetch_autocommit` does.
    """
    hashes = sealer.compute_hashes(SESSION_PURPOSE, value.encode())
    row = await database.fetch_autocommit(_FIND_SESSION, workspace_id, hashes, IDLE_LIMIT)
    if row is None:
        return None
    return Session(
        session_id=SessionId(row["session_id"]),
        subject=Subject(SubjectKind(row["subject_kind"]), row["subject_id"]),
        browser_hash=bytes(row["browser_hash"]),
        email_proven_at=row["email_proven_at"],
        totp_proven_at=row["totp_proven_at"],
        used_at=row["used_at"],
        has_authenticator=row["has_authenticator"],
    )


async def list_sessions(subject: Subject) -> tuple[SessionSummary, ...]:
    """Return the open sessions of a subject, the last used one first."""
    rows = await fetch(_LIST_SESSIONS, current_workspace(), subject.kind.value, subject.id, IDLE_LIMIT)
    return tuple(
        SessionSummary(
            session_id=SessionId(row["session_id"]),
            created_at=row["created_at"],
            used_at=row["used_at"],
            user_agent=row["user_agent"],
            address_prefix=row["address_prefix"] or "",
            has_totp=row["has_totp"],
        )
        for row in rows
    )


async def find_authenticator(subject: Subject) -> AuthenticatorState | None:
    """Return the confirmed authenticator of a subject, or None."""
    row = await fetch_one(_FIND_AUTHENTICATOR, current_workspace(), subject.kind.value, subject.id)
    if row is None:
        return None
    return AuthenticatorState(
        AuthenticatorId(row["authenticator_id"]), row["confirmed_at"], row["recovery_codes_left"]
    )
