"""Stripe's stand-in as a process of the demo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.dev.loopback import post_json
from ops.dev.programs import Program
from ops.ports import find_free_port

MODULE: Final = "ops.sandbox.stripe"
# Keys of nobody: the sandbox takes any test key.
API_KEY: Final = "sk_test_demo_of_the_portal"
PUBLISHABLE_KEY: Final = "pk_test_demo_of_the_portal"
ACCOUNT_SIGNING: Final = "whsec_demo_account_destination"
CONNECT_SIGNING: Final = "whsec_demo_connect_destination"


@dataclass(frozen=True, slots=True)
class StripeSandbox:
    """Where the sandbox listens, and where it delivers events."""

    port: int
    hooks_url: str
    """The address of the gateway; the sandbox adds the paths of the two scopes."""
    state: Path

    @classmethod
    def choose(cls, gateway_port: int, state: Path) -> StripeSandbox:
        """Choose a port that is free."""
        return cls(find_free_port(), f"http://hooks.localhost:{gateway_port}", state)

    @property
    def url(self) -> str:
        """The address of the API and of the script; pages of the demo load it from localhost, too."""
        return f"http://localhost:{self.port}"

    @property
    def bank_url(self) -> str:
        """The page on which one plays the bank."""
        return f"{self.url}/bank"

    @property
    def program(self) -> Program:
        """The process."""
        arguments = {
            "--port": str(self.port),
            "--hooks-url": self.hooks_url,
            "--account-secret": ACCOUNT_SIGNING,
            "--connect-secret": CONNECT_SIGNING,
            "--state": str(self.state / "stripe.json"),
        }
        command = tuple(part for pair in arguments.items() for part in pair)
        return Program("stripe", command, self.port, module=MODULE)

    @property
    def variables(self) -> dict[str, str]:
        """The settings of the product's processes."""
        return {
            "PORTAL_STRIPE_SECRET_KEY": API_KEY,
            "PORTAL_STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "PORTAL_STRIPE_ACCOUNT_WEBHOOK_SECRETS": ACCOUNT_SIGNING,
            "PORTAL_STRIPE_CONNECT_WEBHOOK_SECRETS": CONNECT_SIGNING,
            "PORTAL_STRIPE_API_URL": self.url,
        }

    def control(self, verb: str, **fields: Any) -> Mapping[str, Any]:
        """Play the bank, the business or Stripe: the verbs of the sandbox's control interface."""
        answer = post_json(f"{self.url}/_sandbox/{verb}", fields)
        if answer.status != 200:
            message = f"Stripe's stand-in answered {answer.status} to {verb}: {answer.body.decode(errors='replace')}"
            raise RuntimeError(message)
        decoded: Mapping[str, Any] = json.loads(answer.body)
        return decoded

    def add_accounts(self) -> None:
        """Add the accounts of the seeded workspaces that the sandbox does not have."""
        from ops.seed.workspaces import SEED_WORKSPACES  # noqa: PLC0415  -- after the installation

        for workspace in SEED_WORKSPACES:
            if (account := workspace.account) is not None:
                self.control(
                    "create_account",
                    account_id=account.account_id,
                    display_name=workspace.new.name,
                    country=account.country,
                    status="active" if account.takes_cards else "pending",
                )

    def describe(self) -> dict[str, Any]:
        """Return what demo.json says about payments by card."""
        from ops.sandbox.stripe.bank import TEST_CARDS  # noqa: PLC0415  -- after the installation

        cards = [{"number": number.replace(" ", ""), "result": result} for number, result in TEST_CARDS]
        return {"stripe_sandbox_url": self.url, "bank_url": self.bank_url, "test_cards": cards}
