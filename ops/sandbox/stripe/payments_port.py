"""What the pages of the sandbox ask of its payments."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class PagePayments(Protocol):
    """Payments, as a browser with a publishable key may use them; all raise ApiRefusal."""

    def create_page_token(
        self, account_id: str, *, method: str, number: str, return_url: str
    ) -> dict[str, Any]:
        """Make a confirmation token of what was typed: a card's number, or an IBAN. Returns its JSON."""
        ...

    def read_by_secret(self, account_id: str, intent_id: str, client_secret: str) -> dict[str, Any]:
        """Return the JSON of a payment intent."""
        ...

    def confirm_by_secret(
        self, account_id: str, intent_id: str, client_secret: str, *, confirmation_token: str, return_url: str
    ) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        """Confirm a payment intent from the browser, and return its JSON."""
        ...

    def finish_action(self, account_id: str, intent_id: str, *, is_approved: bool) -> None:
        """Let the payer approve or refuse what the bank asked."""
        ...


@dataclass(frozen=True, slots=True)
class BankRow:
    """A payment intent as the bank's page shows it."""

    account_id: str
    intent_id: str
    created_at: datetime
    amount: int
    """In Stripe's units, as in all its API."""
    currency: str
    status: str
    description: str
    method: str
    charge_id: str
    """Empty as long as no money has moved."""
    refunded: int
    dispute_id: str
    dispute_status: str


class BankPayments(Protocol):
    """Payments, as the bank and Stripe's dashboard may move them."""

    def list_bank_rows(self) -> Sequence[BankRow]:
        """Return all payment intents, the newest first."""
        ...

    def settle(self, intent_id: str) -> None:
        """Let a payment that is processing, or that waits for the payer, succeed."""
        ...

    def fail(self, intent_id: str) -> None:
        """Let it fail."""
        ...

    def refund(self, charge_id: str, amount: int | None = None) -> object:
        """Give money back in Stripe's dashboard; all that is left of the charge by default."""
        ...

    def open_dispute(self, charge_id: str, *, funds: bool = True) -> object:
        """Let the payer's bank dispute a charge; without funds it only inquires."""
        ...

    def win_dispute(self, dispute_id: str) -> None:
        """Let the business win a dispute: the money comes back."""
        ...

    def lose_dispute(self, dispute_id: str) -> None:
        """Let the business lose a dispute."""
        ...
