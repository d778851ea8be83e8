"""Sessions: begun with a code, elevated with an authenticator, ended."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from kernel import live
from kernel.errors import Missing
from kernel.ids import new_id, new_secret
from kernel.seals import Sealer
from kernel.store import current_workspace, execute, fetch, fetch_one
from tenants.access.actions.codes import expired_code
from tenants.access.events import SessionRevoked
from tenants.access.values import (
    ABSOLUTE_LIMIT,
    IDLE_LIMIT,
    RENEWAL_INTERVAL,
    SESSION_PURPOSE,
    NewSession,
    Subject,
    SubjectKind,
)
from tenants.activity.actions import emit
from tenants.ids import CodeId, SessionId

_MAX_USER_AGENT: Final = 500

_CONSUME_CODE: Final = """
UPDATE one_time_code SET used_at = now()
WHERE workspace_id = $1 AND code_id = $2 AND code_hash IS NOT NULL AND used_at IS NULL AND expires_at > now()
RETURNING target, browser_hash
"""
# A browser has one session: the earlier one's cookie is replaced.
_END_EARLIER: Final = """
UPDATE session SET revoked_at = now() WHERE workspace_id = $1 AND browser_hash = $2 AND revoked_at IS NULL
RETURNING session_id, subject_kind, subject_id
"""
_INSERT: Final = """
INSERT INTO session (workspace_id, session_id, reference_hash, subject_kind, subject_id, browser_hash, email_proven_at,
                     created_at, used_at, expires_at, user_agent, address_prefix)
VALUES ($1, $2, $3, $4, $5, $6, now(), now(), now(), now() + $7, $8, $9)
"""
_IS_OPEN: Final = "revoked_at IS NULL AND expires_at > now() AND used_at > now() - $3::interval"
_ELEVATE: Final = f"""
UPDATE session SET reference_hash = $4, totp_proven_at = now(), used_at = now()
WHERE workspace_id = $1 AND session_id = $2 AND {_IS_OPEN} AND EXISTS (
    SELECT FROM authenticator a
    WHERE a.workspace_id = $1 AND a.subject_kind = session.subject_kind AND a.subject_id = session.subject_id
      AND a.confirmed_at IS NOT NULL)
RETURNING session_id
"""  # noqa: S608
_RENEW: Final = f"""
UPDATE session SET used_at = now()
WHERE workspace_id = $1 AND session_id = $2 AND {_IS_OPEN} AND used_at <= now() - $4::interval
"""  # noqa: S608
_END: Final = """
UPDATE session SET revoked_at = now() WHERE workspace_id = $1 AND session_id = $2 AND revoked_at IS NULL
"""
# Those that the session has replaced in its browser, while tickets of theirs may be valid.
_FIND_REPLACED: Final = """
SELECT earlier.session_id
FROM session ended JOIN session earlier
  ON earlier.workspace_id = $1 AND earlier.subject_kind = ended.subject_kind AND earlier.subject_id = ended.subject_id
WHERE ended.workspace_id = $1 AND ended.session_id = $2 AND earlier.session_id <> $2
  AND earlier.browser_hash = ended.browser_hash AND earlier.revoked_at > now() - $3::interval
"""
_REVOKE: Final = """
UPDATE session SET revoked_at = now()
WHERE workspace_id = $1 AND session_id = $2 AND subject_kind = $3 AND subject_id = $4 AND revoked_at IS NULL
RETURNING session_id
"""
_REVOKE_OTHERS: Final = """
UPDATE session SET revoked_at = now()
WHERE workspace_id = $1 AND session_id IS DISTINCT FROM $2 AND subject_kind = $3 AND subject_id = $4
  AND revoked_at IS NULL AND expires_at > now() AND used_at > now() - $5::interval
RETURNING session_id
"""


async def create_session(
    code_id: CodeId,
    *,
    sealer: Sealer,
    subject: Subject | None = None,
    user_agent: str = "",
    address_prefix: IPv4Network | IPv6Network | None = None,
) -> NewSession:
    """Use up a code that was right, and begin a session that proves its address.

    Its subject is the address, or the member whose address it is. An earlier session of the same browser ends.
    Denied("code.expired") if the code was used or has expired meanwhile.
    """
    workspace_id = current_workspace()
    row = await fetch_one(_CONSUME_CODE, workspace_id, code_id)
    if row is None:
        raise expired_code()
    owner = subject or Subject(SubjectKind.ADDRESS, row["target"])
    for earlier in await fetch(_END_EARLIER, workspace_id, row["browser_hash"]):
        # What the same person follows in this browser goes on: the page gets its next ticket by the new session.
        if Subject(SubjectKind(earlier["subject_kind"]), earlier["subject_id"]) != owner:
            live.revoke_after_commit(earlier["session_id"])
    session = NewSession(SessionId(new_id()), _make_value())
    await execute(
        _INSERT,
        workspace_id,
        session.session_id,
        _hash_value(sealer, session),
        owner.kind.value,
        owner.id,
        row["browser_hash"],
        ABSOLUTE_LIMIT,
        user_agent[:_MAX_USER_AGENT],
        address_prefix,
    )
    return session


async def prove_totp(session_id: SessionId, *, sealer: Sealer) -> NewSession:
    """Note that the session's subject has used the authenticator (`check_totp`, `confirm_enrolment`).

    The session gets a new reference, and the old one opens nothing. Missing("session.not_found") if it has ended.
    """
    session = NewSession(session_id, _make_value())
    row = await fetch_one(_ELEVATE, current_workspace(), session_id, IDLE_LIMIT, _hash_value(sealer, session))
    if row is None:
        raise missing_session()
    return session


async def renew_session(session_id: SessionId) -> None:
    """Store that an open session is used, hourly at most: see `Session.needs_renewal`."""
    await execute(_RENEW, current_workspace(), session_id, IDLE_LIMIT, RENEWAL_INTERVAL)


async def end_session(session_id: SessionId) -> None:
    """End one's own session (sign-out); nothing happens to one that has ended."""
    await execute(_END, current_workspace(), session_id)
    await _end_readers(session_id)


async def revoke_session(session_id: SessionId, subject: Subject) -> None:
    """End a session of a subject from another one; Missing("session.not_found"), if it was revoked before too."""
    row = await fetch_one(_REVOKE, current_workspace(), session_id, subject.kind.value, subject.id)
    if row is None:
        raise missing_session()
    await _end_readers(session_id)
    await emit(SessionRevoked(session_id=session_id))


async def revoke_other_sessions(subject: Subject, *, keep: SessionId | None) -> int:
    """End all open sessions of a subject but one, or all; returns how many."""
    rows = await fetch(_REVOKE_OTHERS, current_workspace(), keep, subject.kind.value, subject.id, IDLE_LIMIT)
    for row in rows:
        await _end_readers(SessionId(row["session_id"]))
        await emit(SessionRevoked(session_id=row["session_id"]))
    return len(rows)


def missing_session() -> Missing:
    """Return the error for a session that does not exist, has ended or is another subject's."""
    return Missing("session.not_found", "There is no such session.")


async def _end_readers(session_id: SessionId) -> None:
    """End those that follow an invoice by a session, or still by one of the same person that it has replaced."""
    live.revoke_after_commit(session_id)
    for row in await fetch(_FIND_REPLACED, current_workspace(), session_id, live.TICKET_LIFE):
        live.revoke_after_commit(row["session_id"])


def _make_value() -> str:
    """Return the value of a cookie: 256 bits after the letter of sessions that have a row."""
    return "s" + urlsafe_b64encode(new_secret()).rstrip(b"=").decode()


def _hash_value(sealer: Sealer, session: NewSession) -> bytes:
    return sealer.compute_hash(SESSION_PURPOSE, session.value.encode())
