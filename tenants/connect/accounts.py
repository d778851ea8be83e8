"""Accounts at Stripe (Accounts v2): create one, open Stripe's pages for it, read what it may do, name its hosts."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from kernel.errors import Denied, Invalid, Missing
from kernel.ids import new_nonce
from tenants.connect.values import AccountSnapshot, CardCapability, PaymentDomain, PaymentDomainState

if TYPE_CHECKING:
    import stripe
    from stripe.params.v2.core import AccountCreateParams

    from kernel.ids import WorkspaceId
    from tenants.connect.client import StripeApi
    from tenants.connect.values import Business
    from tenants.ids import ConnectionId

#: Methods whose place on a host is Stripe's decision.
_DOMAIN_METHODS: Final = ("apple_pay", "google_pay", "link", "paypal")


async def create_account(
    api: StripeApi,
    connection_id: ConnectionId,
    workspace_id: WorkspaceId,
    business: Business,
) -> str:
    """Create an account with Stripe's full dashboard; returns its id.

    Repeated with the same values after an unknown outcome, it returns the account that was created then.

    Stripe collects its fees from the account and carries its losses, so that the platform moves no money of its own.
    """
    parameters: AccountCreateParams = {
        "display_name": business.name,
        "contact_email": business.email,
        "identity": {"country": business.country.lower()},
        "dashboard": "full",
        "configuration": {"merchant": {"capabilities": {"card_payments": {"requested": True}}}},
        "defaults": {"responsibilities": {"fees_collector": "stripe", "losses_collector": "stripe"}},
        "metadata": {"workspace_id": str(workspace_id)},
    }
    account = await api.write(
        lambda client, options: client.v2.core.accounts.create_async(parameters, options),
        # Stripe refuses other values under the same key: those of a request that it has refused may be corrected.
        key=f"con:{connection_id}:create:{_compute_digest(business)}",
    )
    return account.id


async def create_account_link(api: StripeApi, account_id: str, *, return_url: str, refresh_url: str) -> str:
    """Return the address of Stripe's pages where the business enters what Stripe wants to know; it works once."""
    link = await api.write(
        lambda client, options: client.v2.core.account_links.create_async(
            {
                "account": account_id,
                "use_case": {
                    "type": "account_onboarding",
                    "account_onboarding": {"return_url": return_url, "refresh_url": refresh_url},
                },
            },
            options,
        ),
        key=f"link:{new_nonce()}",
    )
    return link.url


async def read_account(api: StripeApi, account_id: str) -> AccountSnapshot | None:
    """Read an account; None when Stripe refuses it to us: it was disconnected there, or deleted.

    Unavailable("payment.provider_unavailable"), Invalid("payment.unknown_value").
    """
    try:
        account = await api.read(
            lambda client, options: client.v2.core.accounts.retrieve_async(
                account_id, {"include": ["configuration.merchant", "requirements"]}, options
            )
        )
    except (Denied, Missing):
        return None
    return AccountSnapshot(
        account_id=account.id,
        is_live=account.livemode,
        card_capability=_read_capability(account),
        requirements=_read_requirements(account),
        is_closed=bool(getattr(account, "closed", None)),
    )


async def register_payment_domain(api: StripeApi, account_id: str, host: str) -> PaymentDomain:
    """Make a host known to an account, or read what Stripe says of it if it is known already."""
    domain = await api.write(
        lambda client, options: client.v1.payment_method_domains.create_async({"domain_name": host}, options),
        account_id=account_id,
        key=f"dom:{account_id}:{host}:{new_nonce()}",
    )
    methods = {name: getattr(domain, name, None) for name in _DOMAIN_METHODS}
    problems = tuple(
        f"{name}: {_read_reason(method)}"
        for name, method in methods.items()
        if method is not None and method.status != "active"
    )
    state = PaymentDomainState.ACTIVE if domain.enabled else PaymentDomainState.INACTIVE
    return PaymentDomain(host=host, provider_id=domain.id, state=state, problems=problems)


def _compute_digest(business: Business) -> str:
    return sha256(msgspec.json.encode(business)).hexdigest()[:16]


def _read_capability(account: stripe.v2.core.Account) -> CardCapability:
    """Return the capability to take cards; NONE for an account without the merchant's configuration."""
    node: Any = account
    for name in ("configuration", "merchant", "capabilities", "card_payments", "status"):
        node = getattr(node, name, None)
        if node is None:
            return CardCapability.NONE
    try:
        return CardCapability(node)
    except ValueError:
        message = "Stripe's card_payments.status has a value that this release does not know."
        raise Invalid(
            "payment.unknown_value", message, field="card_payments.status", value=str(node)[:60]
        ) from None


def _read_requirements(account: stripe.v2.core.Account) -> tuple[str, ...]:
    """Return what the business still has to enter for the account to take payments, in Stripe's terms."""
    requirements = getattr(account, "requirements", None)
    entries = getattr(requirements, "entries", None) or ()
    return tuple(
        sorted(
            {
                str(entry.description)[:200]
                for entry in entries
                if entry.awaiting_action_from == "user"
                and getattr(entry.minimum_deadline, "status", "") in {"currently_due", "past_due"}
            }
        )
    )


def _read_reason(method: Any) -> str:
    details = getattr(method, "status_details", None)
    return str(getattr(details, "error_message", None) or method.status)[:200]
