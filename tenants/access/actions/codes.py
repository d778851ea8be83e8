"""One-time codes: asked for by a browser, made by a worker, checked once."""

from __future__ import annotations

import hmac
import math
from typing import Final

from kernel.errors import Denied, Throttled
from kernel.identifiers import check_email
from kernel.ids import WorkspaceId, new_id
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.store import Database, current_workspace, execute, fetch_one, fetch_value
from tenants.access.digits import clean_digits, make_digits
from tenants.access.jobs import SendCode
from tenants.access.values import CODE_LIFETIME, MAX_ATTEMPTS, CodePurpose, MadeCode
from tenants.ids import CodeId, CustomerId

_HASH_PURPOSE: Final = "one-time-code"

# Requests for one address wait for each other, so that the limits hold. The second number is this lock's own.
_LOCK_TARGET: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2, 2))"
# Seconds until the address may ask again: 60 s between codes, 3 in 10 minutes, 10 a day; null or negative: now. Codes
# that were used count too, as for an address that never uses one.
_COMPUTE_WAIT: Final = """
WITH request AS (
    SELECT created_at, row_number() OVER (ORDER BY created_at DESC) AS place FROM one_time_code
    WHERE workspace_id = $1 AND target = $2 AND created_at > now() - interval '1 day'
    ORDER BY created_at DESC LIMIT 10
)
SELECT extract(epoch FROM max(created_at + pause) - now())::float8 FROM request
JOIN (VALUES (1, interval '60 seconds'), (3, interval '10 minutes'), (10, interval '1 day')) rule (place, pause)
     USING (place)
"""
_INSERT: Final = """
INSERT INTO one_time_code
       (workspace_id, code_id, purpose, target, browser_hash, customer_id, contacts_only, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now(), now() + $8)
"""
# Counted before it is compared: this statement is committed on its own, so that of many guesses at once no more than
# the limit are compared. The newest code decides, whatever its state: otherwise each older one would add guesses.
_COUNT_ATTEMPT: Final = """
WITH newest AS (
    SELECT code_id, used_at IS NULL AND expires_at > now() AS is_live FROM one_time_code
    WHERE workspace_id = $1 AND target = $2 AND purpose = $3 AND browser_hash = $4
    ORDER BY created_at DESC LIMIT 1
), counted AS (
    UPDATE one_time_code c SET attempts = attempts + 1 FROM newest n
    WHERE c.workspace_id = $1 AND c.code_id = n.code_id
      AND c.attempts < $5 AND c.used_at IS NULL AND c.expires_at > now()
    RETURNING c.code_id, c.code_hash
)
SELECT n.code_id, n.is_live, c.code_id IS NOT NULL AS is_counted, c.code_hash
FROM newest n LEFT JOIN counted c ON true
"""
_LOCK_CODE: Final = """
SELECT purpose, target, customer_id, contacts_only, expires_at FROM one_time_code
WHERE workspace_id = $1 AND code_id = $2 AND used_at IS NULL AND expires_at > now() FOR UPDATE
"""
_SELECT_CONTACT: Final = """
SELECT coalesce(p.locale, c.locale) AS locale FROM contact p
JOIN customer c ON c.workspace_id = p.workspace_id AND c.customer_id = p.customer_id
WHERE p.workspace_id = $1 AND p.email = $2 AND ($3::uuid IS NULL OR p.customer_id = $3)
ORDER BY p.created_at DESC, p.contact_id LIMIT 1
"""
_STORE_HASH: Final = "UPDATE one_time_code SET code_hash = $3 WHERE workspace_id = $1 AND code_id = $2"


async def request_code(
    purpose: CodePurpose,
    target: str,
    *,
    browser_hash: bytes,
    contacts_only: bool,
    customer_id: CustomerId | None = None,
) -> None:
    """Ask for a code for an e-mail address, which only this browser can use; a worker makes and sends it.

    Nothing is looked up, so that a known and an unknown address take the same statements. `contacts_only`: the worker
    sends none unless the address is that of a contact, of this customer if one is given.
    Invalid("email.invalid"), Throttled("code.throttled").
    """
    address, workspace_id = check_email(target), current_workspace()
    await execute(_LOCK_TARGET, workspace_id, address)
    wait_s = await fetch_value(_COMPUTE_WAIT, workspace_id, address)
    if wait_s is not None and wait_s > 0:
        message = "Too many codes were asked for. Try again later."
        raise Throttled("code.throttled", message, retry_after_s=math.ceil(wait_s))
    code_id = CodeId(new_id())
    await execute(
        _INSERT,
        workspace_id,
        code_id,
        purpose.value,
        address,
        browser_hash,
        customer_id,
        contacts_only,
        CODE_LIFETIME,
    )
    await enqueue(SendCode(code_id=code_id))


async def make_code(code_id: CodeId, sealer: Sealer) -> MadeCode | None:
    """Make the code that was asked for and store its hash; the caller commits, then sends it.

    None if it ended, or if the address gets none. Called again, for a mail that failed, it makes another code, and the
    earlier one is no longer valid.
    """
    workspace_id = current_workspace()
    row = await fetch_one(_LOCK_CODE, workspace_id, code_id)
    if row is None:
        return None
    contact = await fetch_one(_SELECT_CONTACT, workspace_id, row["target"], row["customer_id"])
    if contact is None and row["contacts_only"]:
        return None
    code = make_digits()
    await execute(
        _STORE_HASH, workspace_id, code_id, sealer.compute_hash(_HASH_PURPOSE, _bind(code_id, code))
    )
    return MadeCode(
        code_id=code_id,
        purpose=CodePurpose(row["purpose"]),
        target=row["target"],
        code=code,
        locale=None if contact is None else contact["locale"],
        expires_at=row["expires_at"],
    )


async def check_code(
    database: Database,
    workspace_id: WorkspaceId,
    purpose: CodePurpose,
    target: str,
    *,
    browser_hash: bytes,
    code: str,
    sealer: Sealer,
) -> CodeId:
    """Compare what somebody typed with the newest code of the browser, purpose and address; outside any unit of work.

    The code is used up only by `create_session`. What cannot be a code counts as no attempt.
    Invalid("email.invalid"); Denied (`code.wrong`; `code.attempts`, all attempts are used; `code.expired`, or never
    asked for), alike for an address that got none.
    """
    address, digits = check_email(target), clean_digits(code)
    if digits is None:
        raise _wrong_code()
    async with database.scope(workspace_id):
        row = await fetch_one(
            _COUNT_ATTEMPT, workspace_id, address, purpose.value, browser_hash, MAX_ATTEMPTS
        )
    if row is None or not row["is_live"]:
        raise expired_code()
    if not row["is_counted"]:
        raise Denied("code.attempts", "Too many wrong codes were entered. Ask for a new one.")
    code_id = CodeId(row["code_id"])
    # Without a stored hash the same is computed, and compared with a hash that no code has.
    if not _is_right(sealer, code_id, digits, bytes(row["code_hash"] or bytes(32))):
        raise _wrong_code()
    return code_id


def expired_code() -> Denied:
    """Return the error for a code that cannot be used any more."""
    return Denied("code.expired", "This code is no longer valid. Ask for a new one.")


def _wrong_code() -> Denied:
    return Denied("code.wrong", "This is not the code that was sent.")


def _is_right(sealer: Sealer, code_id: CodeId, digits: str, stored: bytes) -> bool:
    hashes = sealer.compute_hashes(_HASH_PURPOSE, _bind(code_id, digits))
    return any(hmac.compare_digest(stored, each) for each in hashes)


def _bind(code_id: CodeId, digits: str) -> bytes:
    return code_id.bytes + digits.encode()
