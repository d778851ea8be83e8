"""What visitors, members and workers do with codes, sessions and authenticators.

Functions that take a database open units of work of their own: what they count must be stored whatever follows.
"""

from tenants.access.actions.authenticators import begin_enrolment, check_totp, remove_authenticator
from tenants.access.actions.codes import check_code, make_code, request_code
from tenants.access.actions.recovery_codes import confirm_enrolment, replace_recovery_codes
from tenants.access.actions.retention import purge_proofs
from tenants.access.actions.sessions import (
    create_session,
    end_session,
    prove_totp,
    renew_session,
    revoke_other_sessions,
    revoke_session,
)

__all__ = [
    "begin_enrolment",
    "check_code",
    "check_totp",
    "confirm_enrolment",
    "create_session",
    "end_session",
    "make_code",
    "prove_totp",
    "purge_proofs",
    "remove_authenticator",
    "renew_session",
    "replace_recovery_codes",
    "request_code",
    "revoke_other_sessions",
    "revoke_session",
]
