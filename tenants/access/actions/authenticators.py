"""Authenticators: begun, removed; their codes checked once each."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from kernel.errors import Conflict, Denied, Missing
from kernel.ids import WorkspaceId, new_id, new_secret
from kernel.seals import Sealer
from kernel.store import Database, current_workspace, execute, fetch_one
from tenants.access.digits import clean_digits
from tenants.access.events import AuthenticatorRemoved
from tenants.access.recovery import clean_recovery_code, hash_recovery_code
from tenants.access.totp import build_uri, find_steps, make_secret
from tenants.access.values import ATTEMPTS_PERIOD, MAX_TOTP_ATTEMPTS, CheckedFactor, Enrolment, Subject
from tenants.activity.actions import emit
from tenants.ids import AuthenticatorId
from tenants.workspaces import queries as workspaces

_SEALED_TABLE: Final = "authenticator"
_SALT_BYTES: Final = 16

_HAS_SUBJECT: Final = "workspace_id = $1 AND subject_kind = $2 AND subject_id = $3"
_ADD: Final = """
INSERT INTO authenticator (workspace_id, authenticator_id, subject_kind, subject_id, secret_sealed, salt,
                           browser_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, subject_kind, subject_id) DO NOTHING
"""
# A page that is loaded again shows the same key for some minutes, because it may have been scanned.
_LOCK: Final = f"""
SELECT authenticator_id, secret_sealed, confirmed_at,
       created_at <= now() - interval '15 minutes' OR browser_hash <> $4 AS is_to_change
FROM authenticator WHERE {_HAS_SUBJECT} FOR UPDATE
"""  # noqa: S608
_RESET_ENROLMENT: Final = """
UPDATE authenticator SET secret_sealed = $3, browser_hash = $4, last_step = 0, attempts = 0, created_at = now()
WHERE workspace_id = $1 AND authenticator_id = $2
"""
# Counted before the code is compared, in a transaction of its own; a right code is taken off again.
_COUNT_ATTEMPT: Final = f"""
UPDATE authenticator
SET attempts = CASE WHEN attempts_since <= now() - $5::interval THEN 1 ELSE attempts + 1 END,
    attempts_since = CASE WHEN attempts_since <= now() - $5::interval THEN now() ELSE attempts_since END
WHERE {_HAS_SUBJECT} AND (confirmed_at IS NOT NULL) = $4 AND (attempts < $6 OR attempts_since <= now() - $5::interval)
RETURNING authenticator_id, secret_sealed, salt, last_step, floor(extract(epoch FROM now()))::bigint AS now_s
"""  # noqa: S608
_USE_STEP: Final = """
UPDATE authenticator SET last_step = $3, attempts = greatest(attempts - 1, 0)
WHERE workspace_id = $1 AND authenticator_id = $2 AND last_step < $3 AND secret_sealed = $4
RETURNING authenticator_id
"""
_USE_RECOVERY_CODE: Final = """
WITH used AS (
    UPDATE recovery_code SET used_at = now()
    WHERE workspace_id = $1 AND authenticator_id = $2 AND code_hash = $3 AND used_at IS NULL
    RETURNING authenticator_id
)
UPDATE authenticator a SET attempts = greatest(attempts - 1, 0) FROM used
WHERE a.workspace_id = $1 AND a.authenticator_id = used.authenticator_id RETURNING a.authenticator_id
"""
_REMOVE: Final = f"""
DELETE FROM authenticator WHERE {_HAS_SUBJECT} AND confirmed_at IS NOT NULL RETURNING authenticator_id
"""  # noqa: S608
# A new authenticator has to be proven anew in each session.
_FORGET_PROOFS: Final = f"""
UPDATE session SET totp_proven_at = NULL WHERE {_HAS_SUBJECT} AND totp_proven_at IS NOT NULL
"""  # noqa: S608


async def begin_enrolment(subject: Subject, *, sealer: Sealer, browser_hash: bytes = b"") -> Enrolment:
    """Return the key of a new authenticator of a subject; it counts once `confirm_enrolment` has seen a code of it.

    Called again within 15 minutes for the same browser, it returns the same key.
    Conflict("authenticator.exists") if the subject has one.
    """
    workspace_id, profile = current_workspace(), await workspaces.load_profile()
    secret = make_secret()
    new = AuthenticatorId(new_id())
    sealed = await _seal(sealer, new, secret)
    kind, salt = subject.kind.value, new_secret(_SALT_BYTES)
    await execute(_ADD, workspace_id, new, kind, subject.id, sealed, salt, browser_hash)
    row = await fetch_one(_LOCK, workspace_id, kind, subject.id, browser_hash)
    if row["confirmed_at"] is not None:
        raise Conflict("authenticator.exists", "An authenticator is set up already. Remove it first.")
    authenticator_id = AuthenticatorId(row["authenticator_id"])
    if row["is_to_change"]:
        sealed = await _seal(sealer, authenticator_id, secret)
        await execute(_RESET_ENROLMENT, workspace_id, authenticator_id, sealed, browser_hash)
    else:
        secret = await _open(sealer, authenticator_id, row["secret_sealed"])
    uri = build_uri(secret, account=subject.id, issuer=profile.name)
    return Enrolment(authenticator_id, secret, uri)


async def check_totp(
    database: Database, workspace_id: WorkspaceId, subject: Subject, code: str, sealer: Sealer
) -> CheckedFactor:
    """Use up a code of the subject's authenticator, or a recovery code; outside any unit of work.

    Each code is accepted once. Missing("authenticator.not_found"); Denied (`totp.wrong`; `totp.replayed`, the code was
    used before; `totp.attempts`, too many wrong codes).
    """
    digits, recovery_code = clean_digits(code), clean_recovery_code(code)
    if digits is None and recovery_code is None:
        raise _wrong_code()
    row, secret = await _count_attempt(database, workspace_id, subject, sealer, is_confirmed=True)
    if digits is not None:
        await _use_step(database, workspace_id, row, secret, digits)
    elif recovery_code is not None:
        await _use_recovery_code(database, workspace_id, row, recovery_code)
    return CheckedFactor(AuthenticatorId(row["authenticator_id"]), is_recovery_code=digits is None)


async def check_first_code(
    database: Database, workspace_id: WorkspaceId, subject: Subject, code: str, sealer: Sealer
) -> tuple[AuthenticatorId, bytes]:
    """Use up a code of the authenticator that is to be confirmed; returns it with the salt. Errors as `check_totp`."""
    digits = clean_digits(code)
    if digits is None:
        raise _wrong_code()
    row, secret = await _count_attempt(database, workspace_id, subject, sealer, is_confirmed=False)
    await _use_step(database, workspace_id, row, secret, digits)
    return AuthenticatorId(row["authenticator_id"]), bytes(row["salt"])


async def remove_authenticator(subject: Subject) -> None:
    """Remove the subject's authenticator with its recovery codes; Missing("authenticator.not_found")."""
    workspace_id = current_workspace()
    row = await fetch_one(_REMOVE, workspace_id, subject.kind.value, subject.id)
    if row is None:
        raise missing_authenticator()
    await execute(_FORGET_PROOFS, workspace_id, subject.kind.value, subject.id)
    await emit(AuthenticatorRemoved(authenticator_id=row["authenticator_id"]))


def missing_authenticator() -> Missing:
    """Return the error for a subject without an authenticator."""
    return Missing("authenticator.not_found", "There is no authenticator.")


async def _count_attempt(
    database: Database, workspace_id: WorkspaceId, subject: Subject, sealer: Sealer, *, is_confirmed: bool
) -> tuple[Any, str]:
    """Count an attempt and return the row with the opened secret."""
    kind = subject.kind.value
    async with database.scope(workspace_id):
        row = await fetch_one(
            _COUNT_ATTEMPT, workspace_id, kind, subject.id, is_confirmed, ATTEMPTS_PERIOD, MAX_TOTP_ATTEMPTS
        )
        if row is not None:
            return row, await _open(sealer, AuthenticatorId(row["authenticator_id"]), row["secret_sealed"])
        found = await fetch_one(_LOCK, workspace_id, kind, subject.id, b"")
    if found is None or (found["confirmed_at"] is not None) != is_confirmed:
        raise missing_authenticator()
    message = "Too many wrong codes were entered. Try again in some minutes."
    raise Denied("totp.attempts", message, retry_after_s=int(ATTEMPTS_PERIOD.total_seconds()))


async def _use_step(
    database: Database, workspace_id: WorkspaceId, row: Any, secret: str, digits: str
) -> None:
    steps = find_steps(secret, digits, now_s=row["now_s"])
    if not steps:
        raise _wrong_code()
    async with database.scope(workspace_id):
        used = await fetch_one(
            _USE_STEP, workspace_id, row["authenticator_id"], steps[-1], row["secret_sealed"]
        )
    if used is None:
        raise Denied("totp.replayed", "This code was used before. Wait for the next one.")


async def _use_recovery_code(database: Database, workspace_id: WorkspaceId, row: Any, code: str) -> None:
    code_hash = await asyncio.to_thread(hash_recovery_code, code, bytes(row["salt"]))
    async with database.scope(workspace_id):
        used = await fetch_one(_USE_RECOVERY_CODE, workspace_id, row["authenticator_id"], code_hash)
    if used is None:
        raise _wrong_code()


def _wrong_code() -> Denied:
    return Denied("totp.wrong", "This code is wrong.")


async def _seal(sealer: Sealer, authenticator_id: AuthenticatorId, secret: str) -> bytes:
    return sealer.seal(
        secret.encode(),
        table=_SEALED_TABLE,
        row=authenticator_id,
        workspace=current_workspace(),
        data_key=await workspaces.load_data_key(sealer),
    )


async def _open(sealer: Sealer, authenticator_id: AuthenticatorId, sealed: bytes) -> str:
    secret = sealer.open(
        bytes(sealed),
        table=_SEALED_TABLE,
        row=authenticator_id,
        workspace=current_workspace(),
        data_key=await workspaces.load_data_key(sealer),
    )
    return secret.decode()
