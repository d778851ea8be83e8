"""An event of Stripe as the product sees it, and what becomes of one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class EventScope(StrEnum):
    """Which of the two destinations an event is delivered to."""

    ACCOUNT = "account"
    """Events of our own account: thin events about connected accounts."""
    CONNECT = "connect"
    """Events of the connected accounts."""


class EventSubject(StrEnum):
    """What an event makes us read again at Stripe."""

    PAYMENT = "payment"
    ACCOUNT = "account"
    NONE = "none"
    """Nothing: the product does not need this type, or not in this scope."""


class EventSource(StrEnum):
    """How we came to know of an event."""

    DELIVERY = "delivery"
    RECONCILER = "reconciler"
    """No delivery of it had arrived when Stripe's list of events was read."""


class EventState(StrEnum):
    """The state of a stored event."""

    RECEIVED = "received"
    APPLIED = "applied"
    PARKED = "parked"
    """It leads to a state at Stripe that this release does not know; its job is dead and can be run again."""


class ReceiptResult(StrEnum):
    """What became of a verified event; all are answered alike."""

    STORED = "stored"
    REPEATED = "repeated"
    UNKNOWN_ACCOUNT = "unknown_account"
    OTHER_LIVEMODE = "other_livemode"
    FOREIGN = "foreign"
    """About a payment that the product did not make: the account has other business too."""
    UNUSED = "unused"
    """Of a type or scope that the product does nothing with."""


@dataclass(frozen=True, slots=True)
class VerifiedEvent:
    """What is read of an event. The state of the object in it is not: that is read at Stripe."""

    scope: EventScope
    event_id: str
    kind: str
    """Stripe's type, such as payment_intent.succeeded."""
    account_id: str
    """The connected account; empty where it names none."""
    is_live: bool
    occurred_at: dt.datetime
    """When Stripe made it, on Stripe's clock."""
    subject: EventSubject
    intent_id: str
    """Of the payment it is about; empty otherwise."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in the inbox."""

    scope: EventScope
    event_id: str
    kind: str
    account_id: str
    subject: EventSubject
    intent_id: str
    source: EventSource
    state: EventState
    occurred_at: dt.datetime
