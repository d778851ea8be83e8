"""Accounts and onboarding links as JSON of the v2 API."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from ops.sandbox.stripe.accounts import LINK_LIFETIME, CapabilityStatus, OnboardingLink, SandboxAccount

#: Why a capability is not active, and what can be done about it.
_DETAILS: Final = {
    CapabilityStatus.ACTIVE: [],
    CapabilityStatus.PENDING: [{"code": "requirements_pending_verification", "resolution": "no_resolution"}],
    CapabilityStatus.RESTRICTED: [{"code": "requirements_past_due", "resolution": "provide_info"}],
    CapabilityStatus.REJECTED: [{"code": "rejected_other", "resolution": "contact_stripe"}],
    CapabilityStatus.UNSUPPORTED: [{"code": "unsupported_business", "resolution": "contact_stripe"}],
}
#: What Stripe asks of a business before its onboarding, in the words of the API.
REQUIREMENTS: Final = ("identity.business_details.address", "identity.attestations.terms_of_service.account")


def write_account(account: SandboxAccount, include: Collection[str] = ()) -> dict[str, Any]:
    """Write an account; what was not asked for by `include` is null, as at Stripe."""
    merchant = write_merchant(account) if "configuration.merchant" in include else None
    return {
        "id": account.account_id,
        "object": "v2.core.account",
        "applied_configurations": ["merchant"] if account.capabilities else [],
        "closed": account.is_closed,
        "configuration": {"customer": None, "merchant": merchant, "recipient": None} if merchant else None,
        "contact_email": account.contact_email or None,
        "contact_phone": None,
        "created": write_time(account.created_at),
        "dashboard": account.dashboard,
        "defaults": _write_defaults(account) if "defaults" in include else None,
        "display_name": account.display_name or None,
        "future_requirements": None,
        "identity": {"country": account.country.lower()} if "identity" in include else None,
        "livemode": False,
        "metadata": dict(account.metadata),
        "requirements": _write_requirements(account) if "requirements" in include else None,
    }


def write_merchant(account: SandboxAccount) -> dict[str, Any]:
    """Write the configuration of a merchant, with its capabilities."""
    capabilities = {
        name: {"status": status.value, "status_details": _DETAILS[status]}
        for name, status in account.capabilities.items()
    }
    return {
        "applied": bool(account.capabilities),
        "capabilities": capabilities,
        "mcc": None,
        "statement_descriptor": None,
        "support": None,
    }


def write_link(link: OnboardingLink, base_url: str) -> dict[str, Any]:
    """Write a link to the onboarding pages."""
    return {
        "object": "v2.core.account_link",
        "account": link.account_id,
        "created": write_time(link.created_at),
        "expires_at": write_time(link.created_at + LINK_LIFETIME),
        "livemode": False,
        "url": f"{base_url}/setup/s/{link.token}",
        "use_case": link.use_case,
    }


def write_time(moment: datetime) -> str:
    """Write a time as v2 does: RFC 3339 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_defaults(account: SandboxAccount) -> dict[str, Any]:
    return {
        "currency": account.currency,
        "locales": None,
        "profile": None,
        "responsibilities": {
            "fees_collector": account.fees_collector,
            "losses_collector": account.losses_collector,
            "requirements_collector": "stripe",
        },
    }


def _write_requirements(account: SandboxAccount) -> dict[str, Any]:
    names = () if account.is_submitted else REQUIREMENTS
    restricted = [
        {"capability": name, "configuration": "merchant", "deadline": {"status": "currently_due"}}
        for name in account.capabilities
    ]
    entries = [
        {
            "awaiting_action_from": "user",
            "description": name,
            "errors": [],
            "impact": {"restricts_capabilities": restricted},
            "minimum_deadline": {"status": "currently_due"},
            "reference": None,
            "requested_reasons": [{"code": "routine_onboarding"}],
        }
        for name in names
    ]
    summary = {"minimum_deadline": {"status": "currently_due", "time": None}} if entries else None
    return {"entries": entries, "summary": summary}
