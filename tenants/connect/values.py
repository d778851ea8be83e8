"""Values of connected accounts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenants.ids import ConnectionId

#: The business has so long to fill in Stripe's pages; Stripe's own links expire sooner, and lead back to ours.
ONBOARDING_LIFE: Final = dt.timedelta(hours=24)
ONBOARDING_PURPOSE: Final = "stripe-onboarding"


class ConnectionState(StrEnum):
    """The state of a connection; card payments are taken only by an active one."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    REVOKED = "revoked"
    """Stripe refuses us the account: what is under way there is unknown until it lets us in again."""
    DISCONNECTED = "disconnected"


class CardCapability(StrEnum):
    """Whether the account may take card payments, by Stripe's word."""

    NONE = "none"
    ACTIVE = "active"
    PENDING = "pending"
    RESTRICTED = "restricted"
    UNSUPPORTED = "unsupported"
    REJECTED = "rejected"


class PaymentDomainState(StrEnum):
    """Whether Stripe offers its methods on a host."""

    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Business:
    """What Stripe is told of a business when its account is created."""

    name: str
    country: str
    """ISO 3166 code in capitals."""
    email: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A workspace's account at Stripe, as it was last read."""

    connection_id: ConnectionId
    account_id: str
    """Empty until Stripe has created it."""
    is_live: bool
    state: ConnectionState
    card_capability: CardCapability
    requirements: tuple[str, ...]
    application_fee_bp: int
    created_at: dt.datetime
    checked_at: dt.datetime | None
    events_watermark: dt.datetime | None


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """An account as Stripe shows it."""

    account_id: str
    is_live: bool
    card_capability: CardCapability
    requirements: tuple[str, ...]
    """What the business still has to enter."""
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class PaymentDomain:
    """A host as Stripe shows it to an account."""

    host: str
    provider_id: str
    state: PaymentDomainState
    problems: tuple[str, ...] = ()
