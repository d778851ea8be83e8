"""What Stripe's errors mean for a payment: errors of the portal, by `error.code`, never by Stripe's text."""

from __future__ import annotations

from typing import Final

import stripe

from kernel.errors import Conflict, Denied, Invalid, Missing, PortalError, Unavailable

# The platform's key has no access to the account (v1, v2): it was disconnected, or never was ours.
_ACCOUNT_CODES: Final = frozenset({"account_invalid", "account_not_accessible"})
# A 404 without such a code is a route that Stripe does not have: it says nothing about the object.
_MISSING_CODES: Final = frozenset({"resource_missing", "not_found"})
# Another request with the same key, or on the same object, is running: the same request may succeed later.
_BUSY_CODES: Final = frozenset({"lock_timeout", "idempotency_key_in_use", "rate_limit"})
_TOO_MANY: Final = 429
_CONFLICT: Final = 409
_SERVER_ERROR: Final = 500
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_MAX_CODE_LENGTH: Final = 80


def find_code(error: stripe.StripeError) -> str:
    """Return Stripe's code of an error, or "".

    The SDK leaves `code` empty for errors of rate limits, permissions and idempotency: there only the body has it.
    """
    return str(getattr(error.error, "code", None) or error.code or "")[:_MAX_CODE_LENGTH]


def find_parameter(error: stripe.StripeError) -> str:
    """Return the parameter that Stripe refused, or ""."""
    return str(getattr(error.error, "param", None) or "")[:_MAX_CODE_LENGTH]


def is_temporary(error: stripe.StripeError) -> bool:
    """Tell whether the outcome is unknown, or the same request may succeed later."""
    status = error.http_status
    if isinstance(error, stripe.APIConnectionError) or status is None:
        return True
    return status in {_TOO_MANY, _CONFLICT} or status >= _SERVER_ERROR or find_code(error) in _BUSY_CODES


def translate(error: stripe.StripeError) -> PortalError:
    """Return the portal's error; `data["reason"]` is Stripe's code."""
    code, status = find_code(error), error.http_status
    if is_temporary(error):
        return unavailable(code or str(status or "connection"))
    if code in _ACCOUNT_CODES:
        return Denied(
            "payment.account_revoked", "There is no access to this account at Stripe any more.", reason=code
        )
    if code in _MISSING_CODES:
        return Missing(
            "payment.not_at_provider",
            "Stripe does not have this object.",
            reason=code,
            parameter=find_parameter(error),
        )
    if code == "payment_intent_unexpected_state":
        return Conflict("payment.changed", "The payment was changed meanwhile.", reason=code)
    if code == "amount_too_small":
        return Invalid("payment.amount_too_small", "The amount is below Stripe's minimum.", reason=code)
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        # The platform's own key: no payment is at fault, and the operator can mend it.
        return unavailable(code or "key_refused")
    return Invalid(
        "payment.refused", "Stripe refused the request.", reason=code, parameter=find_parameter(error)
    )


def unavailable(reason: str) -> Unavailable:
    """Return the error for an outcome that is not known, or a refusal for a moment."""
    return Unavailable("payment.provider_unavailable", "Stripe does not answer now.", reason=reason)
