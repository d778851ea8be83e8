"""Rows of access: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE
from kernel.store.columns import Network


class OneTimeCode(Table, db=ENGINE, tablename="one_time_code"):
    """A request for a code; a worker makes the code and sends it."""

    workspace_id = UUID()
    code_id = UUID(primary_key=True)
    purpose = Text()
    target = Text()
    browser_hash = Bytea()
    customer_id = UUID(null=True, default=None)
    contacts_only = Boolean()
    code_hash = Bytea(null=True, default=None)
    attempts = Integer(default=0)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)


class Session(Table, db=ENGINE, tablename="session"):
    """What a browser has proven; its cookie holds the reference."""

    workspace_id = UUID()
    session_id = UUID(primary_key=True)
    reference_hash = Bytea()
    subject_kind = Text()
    subject_id = Text()
    browser_hash = Bytea()
    email_proven_at = Timestamptz(null=True, default=None)
    totp_proven_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz()
    used_at = Timestamptz()
    expires_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)
    user_agent = Text(default="")
    address_prefix = Network(null=True, default=None)


class Authenticator(Table, db=ENGINE, tablename="authenticator"):
    """The authenticator (TOTP) of a subject."""

    workspace_id = UUID()
    authenticator_id = UUID(primary_key=True)
    subject_kind = Text()
    subject_id = Text()
    secret_sealed = Bytea()
    browser_hash = Bytea()
    confirmed_at = Timestamptz(null=True, default=None)
    last_step = BigInt(default=0)
    attempts = Integer(default=0)
    attempts_since = Timestamptz()
    salt = Bytea()
    created_at = Timestamptz()


class RecoveryCode(Table, db=ENGINE, tablename="recovery_code"):
    """A code that replaces the authenticator once."""

    workspace_id = UUID()
    authenticator_id = UUID()
    code_hash = Bytea(primary_key=True)
    used_at = Timestamptz(null=True, default=None)
