"""Confirms authenticators and gives them recovery codes, whose hashes take half a second: outside any unit of work."""

from __future__ import annotations

import asyncio
from typing import Final

from kernel.actor import Actor
from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from kernel.store import Database, bulk_insert, current_workspace, execute, fetch_one
from tenants.access.actions.authenticators import check_first_code, missing_authenticator
from tenants.access.events import AuthenticatorEnrolled, RecoveryCodesReplaced
from tenants.access.recovery import hash_recovery_codes, make_recovery_codes
from tenants.access.values import Subject
from tenants.activity.actions import emit
from tenants.ids import AuthenticatorId

_COLUMNS: Final = {"workspace_id": "uuid", "authenticator_id": "uuid", "code_hash": "bytea"}
_CONFIRM: Final = """
UPDATE authenticator SET confirmed_at = now(), attempts = 0
WHERE workspace_id = $1 AND authenticator_id = $2 AND confirmed_at IS NULL AND last_step > 0
RETURNING authenticator_id
"""
_SELECT_SALT: Final = """
SELECT authenticator_id, salt FROM authenticator
WHERE workspace_id = $1 AND subject_kind = $2 AND subject_id = $3 AND confirmed_at IS NOT NULL
"""
_LOCK: Final = """
SELECT authenticator_id FROM authenticator
WHERE workspace_id = $1 AND authenticator_id = $2 AND confirmed_at IS NOT NULL FOR UPDATE
"""
_DELETE: Final = "DELETE FROM recovery_code WHERE workspace_id = $1 AND authenticator_id = $2"


async def confirm_enrolment(
    database: Database,
    workspace_id: WorkspaceId,
    subject: Subject,
    code: str,
    sealer: Sealer,
    *,
    actor: Actor | None = None,
) -> tuple[str, ...]:
    """Confirm the authenticator that `begin_enrolment` began with one code of it, and return its recovery codes.

    They are shown this once. The session that did it calls `prove_totp` then. Errors as `check_totp`.
    """
    authenticator_id, salt = await check_first_code(database, workspace_id, subject, code, sealer)
    codes = make_recovery_codes()
    hashes = await asyncio.to_thread(hash_recovery_codes, codes, salt)
    async with database.scope(workspace_id, actor=actor):
        await store_enrolment(authenticator_id, hashes)
    return codes


async def replace_recovery_codes(
    database: Database, workspace_id: WorkspaceId, subject: Subject, *, actor: Actor | None = None
) -> tuple[str, ...]:
    """Return new recovery codes, shown this once; the earlier ones are no longer valid.

    Missing("authenticator.not_found").
    """
    async with database.scope(workspace_id, read_only=True):
        row = await fetch_one(_SELECT_SALT, workspace_id, subject.kind.value, subject.id)
    if row is None:
        raise missing_authenticator()
    codes = make_recovery_codes()
    hashes = await asyncio.to_thread(hash_recovery_codes, codes, bytes(row["salt"]))
    async with database.scope(workspace_id, actor=actor):
        await store_recovery_codes(AuthenticatorId(row["authenticator_id"]), hashes)
    return codes


async def store_enrolment(authenticator_id: AuthenticatorId, hashes: tuple[bytes, ...]) -> None:
    """Confirm an authenticator with the hashes of its recovery codes; Missing("authenticator.not_found")."""
    if await fetch_one(_CONFIRM, current_workspace(), authenticator_id) is None:
        raise missing_authenticator()
    await _insert(authenticator_id, hashes)
    await emit(AuthenticatorEnrolled(authenticator_id=authenticator_id))


async def store_recovery_codes(authenticator_id: AuthenticatorId, hashes: tuple[bytes, ...]) -> None:
    """Replace all recovery codes of a confirmed authenticator; Missing("authenticator.not_found")."""
    workspace_id = current_workspace()
    if await fetch_one(_LOCK, workspace_id, authenticator_id) is None:
        raise missing_authenticator()
    await execute(_DELETE, workspace_id, authenticator_id)
    await _insert(authenticator_id, hashes)
    await emit(RecoveryCodesReplaced(authenticator_id=authenticator_id))


async def _insert(authenticator_id: AuthenticatorId, hashes: tuple[bytes, ...]) -> None:
    workspace_id = current_workspace()
    await bulk_insert("recovery_code", _COLUMNS, [(workspace_id, authenticator_id, each) for each in hashes])
