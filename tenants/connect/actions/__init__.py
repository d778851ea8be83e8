"""What members, operators and jobs do to a connection: each function runs inside the caller's unit of work."""

from tenants.connect.actions.accounts import (
    advance_watermark,
    disconnect,
    record_account,
    record_payment_domain,
    revoke_account,
    set_application_fee,
)
from tenants.connect.actions.onboarding import (
    begin_onboarding,
    forget_business,
    keep_business,
    set_account,
    use_onboarding,
)

__all__ = [
    "advance_watermark",
    "begin_onboarding",
    "disconnect",
    "forget_business",
    "keep_business",
    "record_account",
    "record_payment_domain",
    "revoke_account",
    "set_account",
    "set_application_fee",
    "use_onboarding",
]
