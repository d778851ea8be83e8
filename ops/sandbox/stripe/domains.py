"""The domains on which an account shows the Payment Element."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ops.sandbox.stripe.refusals import refuse_v1

WALLETS: Final = ("amazon_pay", "apple_pay", "google_pay", "klarna", "link", "paypal")
_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII
)


@dataclass(slots=True)
class SandboxDomain:
    """A domain of an account."""

    domain_id: str
    account_id: str
    name: str
    created_at: datetime
    is_enabled: bool = True
    problem: str = ""
    """Why Stripe could not verify it; empty when it could."""


class Domains:
    """The registered domains of all accounts."""

    def __init__(self, *, read_clock: Callable[[], datetime]) -> None:
        self._read_clock = read_clock
        self.domains: dict[str, SandboxDomain] = {}

    def create(self, account_id: str, parameters: Mapping[str, str]) -> SandboxDomain:
        """Register a domain, or return the one of that name."""
        name = parameters["domain_name"].lower()
        if not _NAME.fullmatch(name):
            raise refuse_v1(400, None, f"The domain '{name}' is not valid.", param="domain_name")
        known = next((one for one in self.list(account_id) if one.name == name), None)
        if known is not None:
            return known
        domain = SandboxDomain(f"pmd_{secrets.token_hex(12)}", account_id, name, self._read_clock())
        domain.is_enabled = parameters.get("enabled", "true") == "true"
        self.domains[domain.domain_id] = domain
        return domain

    def list(self, account_id: str) -> list[SandboxDomain]:
        """Return the domains of an account, the newest first, as lists of the API are."""
        return [one for one in reversed(self.domains.values()) if one.account_id == account_id]

    def find(self, account_id: str, domain_id: str) -> SandboxDomain:
        """Return a domain of the account."""
        domain = self.domains.get(domain_id)
        if domain is None or domain.account_id != account_id:
            message = f"No such payment_method_domain: '{domain_id}'"
            raise refuse_v1(404, "resource_missing", message, param="payment_method_domain")
        return domain

    def update(self, account_id: str, domain_id: str, parameters: Mapping[str, str]) -> SandboxDomain:
        """Enable or disable a domain."""
        domain = self.find(account_id, domain_id)
        if "enabled" in parameters:
            domain.is_enabled = parameters["enabled"] == "true"
        return domain


def write_domain(domain: SandboxDomain) -> dict[str, Any]:
    """Write a domain as JSON."""
    status: dict[str, Any] = {"status": "inactive" if domain.problem or not domain.is_enabled else "active"}
    if domain.problem:
        status["status_details"] = {"error_message": domain.problem}
    return {
        "id": domain.domain_id,
        "object": "payment_method_domain",
        "created": int(domain.created_at.timestamp()),
        "domain_name": domain.name,
        "enabled": domain.is_enabled,
        "livemode": False,
        **{wallet: dict(status) for wallet in WALLETS},
    }
