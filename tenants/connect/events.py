"""What happened to a workspace's account at Stripe."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Change, Event


class OnboardingStarted(Event, frozen=True, kw_only=True):
    """Stripe's pages were opened to set an account up."""

    kind: ClassVar[str] = "stripe.onboarding_started"

    connection_id: UUID
    is_live: bool


class AccountCreated(Event, frozen=True, kw_only=True):
    """Stripe has created an account for the workspace."""

    kind: ClassVar[str] = "stripe.account_created"

    connection_id: UUID
    account_id: str


class AccountConnected(Event, frozen=True, kw_only=True):
    """The business has finished Stripe's pages, or Stripe lets us in again."""

    kind: ClassVar[str] = "stripe.account_connected"

    connection_id: UUID
    account_id: str


class AccountChanged(Event, frozen=True, kw_only=True):
    """Stripe changed whether the account may take cards, or we changed the fee."""

    kind: ClassVar[str] = "stripe.account_changed"

    connection_id: UUID
    changes: dict[str, Change]


class AccountRevoked(Event, frozen=True, kw_only=True):
    """Stripe refuses us the account; payments that are under way there are unknown, not failed."""

    kind: ClassVar[str] = "stripe.account_revoked"

    connection_id: UUID
    account_id: str


class AccountDisconnected(Event, frozen=True, kw_only=True):
    """The workspace no longer takes payments to this account."""

    kind: ClassVar[str] = "stripe.account_disconnected"

    connection_id: UUID
    account_id: str
