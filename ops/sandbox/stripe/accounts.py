"""The connected accounts of the sandbox: Accounts v2, their onboarding links, and what the control changes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from ops.sandbox.stripe.refusals import ApiRefusal, refuse_account, refuse_v2

_EURO_METHODS: Final = ("card", "sepa_debit", "ideal", "bancontact", "eps", "p24")
LINK_LIFETIME: Final = timedelta(minutes=5)


class CapabilityStatus(StrEnum):
    """The state of a capability; no member for one that was never requested."""

    ACTIVE = "active"
    PENDING = "pending"
    RESTRICTED = "restricted"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"


class EventSink(Protocol):
    """Takes what happened, to be delivered to the event destinations."""

    def emit_thin(self, event_type: str, account_id: str, data: dict[str, Any] | None = None) -> None:
        """Send a thin event about an account to the scope of the platform's own account."""
        ...

    def emit_snapshot(self, event_type: str, account_id: str, body: dict[str, Any]) -> None:
        """Send an event with an object of a connected account to the scope of connected accounts."""
        ...


@dataclass(slots=True)
class SandboxAccount:
    """A connected account."""

    account_id: str
    created_at: datetime
    display_name: str
    contact_email: str
    country: str
    currency: str
    dashboard: str
    fees_collector: str
    losses_collector: str
    capabilities: dict[str, CapabilityStatus] = field(default_factory=dict)
    """The capabilities that were requested."""
    metadata: dict[str, str] = field(default_factory=dict)
    is_submitted: bool = False
    """Whether the business has finished its onboarding."""
    is_closed: bool = False
    is_accessible: bool = True
    """False when the business has taken the platform's access away."""


@dataclass(slots=True)
class OnboardingLink:
    """A link to the onboarding pages that can be opened once."""

    token: str
    account_id: str
    created_at: datetime
    use_case: dict[str, Any]
    is_opened: bool = False

    @property
    def refresh_url(self) -> str:
        """Where a link that is used up leads."""
        return str(self.use_case[self.use_case["type"]]["refresh_url"])

    @property
    def return_url(self) -> str:
        """Where the business goes afterwards."""
        return str(self.use_case[self.use_case["type"]].get("return_url") or self.refresh_url)


class Accounts:
    """All connected accounts, and the verbs on them."""

    def __init__(self, *, events: EventSink, read_clock: Callable[[], datetime]) -> None:
        self._events = events
        self._read_clock = read_clock
        self._links: dict[str, OnboardingLink] = {}
        self.accounts: dict[str, SandboxAccount] = {}

    def create(self, parameters: Mapping[str, Any]) -> SandboxAccount:
        """Create an account by the parameters of POST /v2/core/accounts."""
        wanted = _read_capabilities(parameters)
        country = str(parameters.get("identity", {}).get("country", "")).upper()
        if wanted and not country:
            raise refuse_v2(
                400, "identity_country_required", "A country is required to request capabilities."
            )
        if "merchant" in parameters.get("configuration", {}) and not parameters.get("contact_email"):
            raise refuse_v2(400, "contact_email_required", "A merchant needs a contact e-mail address.")
        defaults = parameters.get("defaults", {})
        duties = defaults.get("responsibilities", {})
        account = SandboxAccount(
            account_id=f"acct_{secrets.token_hex(8)}",
            created_at=self._read_clock(),
            display_name=str(parameters.get("display_name", "")),
            contact_email=str(parameters.get("contact_email", "")),
            country=country or "DE",
            currency=str(defaults.get("currency", "eur")),
            dashboard=str(parameters.get("dashboard", "none")),
            fees_collector=str(duties.get("fees_collector", "stripe")),
            losses_collector=str(duties.get("losses_collector", "stripe")),
            capabilities=dict.fromkeys(wanted, CapabilityStatus.RESTRICTED),
            metadata=dict(parameters.get("metadata", {})),
        )
        self.accounts[account.account_id] = account
        self._events.emit_thin("v2.core.account.created", account.account_id)
        return account

    def add(
        self,
        *,
        account_id: str = "",
        display_name: str = "Test business",
        country: str = "DE",
        currency: str = "eur",
        status: CapabilityStatus = CapabilityStatus.ACTIVE,
    ) -> SandboxAccount:
        """Add an account whose business is through with its onboarding, unless it is there; nobody is told."""
        if account_id in self.accounts:
            return self.accounts[account_id]
        account = SandboxAccount(
            account_id=account_id or f"acct_{secrets.token_hex(8)}",
            created_at=self._read_clock(),
            display_name=display_name,
            contact_email="owner@business.example",
            country=country,
            currency=currency,
            dashboard="full",
            fees_collector="stripe",
            losses_collector="stripe",
            capabilities={"card_payments": status},
            is_submitted=True,
        )
        self.accounts[account.account_id] = account
        return account

    def find(self, account_id: str) -> SandboxAccount:
        """Return an account that the platform has access to."""
        account = self.accounts.get(account_id)
        if account is None:
            raise refuse_v2(404, "not_found", f"No such account: '{account_id}'")
        if not account.is_accessible:
            message = f"The platform has no access to the account '{account_id}'."
            raise refuse_v2(403, "account_not_accessible", message)
        return account

    def update(self, account_id: str, parameters: Mapping[str, Any]) -> SandboxAccount:
        """Change an account by the parameters of POST /v2/core/accounts/{id}."""
        account = self.find(account_id)
        account.display_name = str(parameters.get("display_name", account.display_name))
        account.contact_email = str(parameters.get("contact_email", account.contact_email))
        account.metadata |= parameters.get("metadata", {})
        start = CapabilityStatus.ACTIVE if account.is_submitted else CapabilityStatus.RESTRICTED
        for capability in _read_capabilities(parameters):
            account.capabilities.setdefault(capability, start)
        self._events.emit_thin("v2.core.account.updated", account_id)
        return account

    def close(self, account_id: str) -> SandboxAccount:
        """Close an account."""
        account = self.find(account_id)
        account.is_closed = True
        self._events.emit_thin("v2.core.account.closed", account_id)
        return account

    def create_link(self, parameters: Mapping[str, Any]) -> OnboardingLink:
        """Create a link to the onboarding pages by the parameters of POST /v2/core/account_links."""
        account = self.find(str(parameters["account"]))
        use_case = dict(parameters["use_case"])
        if use_case["type"] not in use_case:
            raise refuse_v2(400, "invalid_use_case", f"The details of '{use_case['type']}' are missing.")
        link = OnboardingLink(secrets.token_urlsafe(24), account.account_id, self._read_clock(), use_case)
        self._links[link.token] = link
        return link

    def find_link(self, token: str) -> OnboardingLink | None:
        """Return a link, also one that cannot be opened any more."""
        return self._links.get(token)

    def open_link(self, link: OnboardingLink) -> bool:
        """Open a link; False when it was opened before, or is too old."""
        is_usable = not link.is_opened and self._read_clock() < link.created_at + LINK_LIFETIME
        link.is_opened = True
        return is_usable

    def finish_onboarding(self, account_id: str) -> None:
        """Let the business hand in all that was asked for: its capabilities become active."""
        account = self.accounts[account_id]
        account.is_submitted = True
        self._events.emit_thin("v2.core.account[requirements].updated", account_id)
        for capability in account.capabilities:
            self.set_capability(account_id, CapabilityStatus.ACTIVE, capability=capability)

    def reject(self, account_id: str) -> None:
        """Let Stripe reject the business."""
        account = self.accounts[account_id]
        account.is_submitted = True
        for capability in account.capabilities:
            self.set_capability(account_id, CapabilityStatus.REJECTED, capability=capability)

    def set_capability(
        self, account_id: str, status: CapabilityStatus, *, capability: str = "card_payments"
    ) -> None:
        """Change the state of a capability, and say so to the platform."""
        account = self.accounts[account_id]
        if account.capabilities.get(capability) is status:
            return
        account.capabilities[capability] = status
        self._events.emit_thin(
            "v2.core.account[configuration.merchant].capability_status_updated",
            account_id,
            {"updated_capability": capability},
        )

    def deauthorise(self, account_id: str) -> None:
        """Take the platform's access to an account away, as its owner does in the dashboard."""
        self.accounts[account_id].is_accessible = False
        application = {"id": "ca_sandbox", "object": "application", "name": "Invoice Portal"}
        self._events.emit_snapshot("account.application.deauthorized", account_id, application)

    def authorise(self, account_id: str) -> None:
        """Give the platform access again."""
        self.accounts[account_id].is_accessible = True

    def list_types(self, account_id: str, currency: str) -> tuple[str, ...]:
        """Return the types of payment methods that an account offers; the platform's own offers all."""
        account = self.accounts.get(account_id)
        status = CapabilityStatus.ACTIVE if account is None else account.capabilities.get("card_payments")
        if status is not CapabilityStatus.ACTIVE:
            return ()
        return _EURO_METHODS if currency == "eur" else ("card",)

    def explain_refusal(self, account_id: str) -> ApiRefusal | None:
        """Return why a call for the account is refused; None when it is not."""
        account = self.accounts.get(account_id)
        return None if account is not None and account.is_accessible else refuse_account(account_id)


def _read_capabilities(parameters: Mapping[str, Any]) -> list[str]:
    merchant = parameters.get("configuration", {}).get("merchant", {})
    return [name for name, one in merchant.get("capabilities", {}).items() if one.get("requested")]
