"""The states of an attempt to pay, what the provider's state makes of them, and when an attempt expires."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenants.payments.processor import ProviderStatus


class AttemptState(StrEnum):
    """The state of an attempt; stored."""

    RESERVED = "reserved"
    """Its amount is held; there may be nothing at the provider yet."""
    OPEN = "open"
    """It is at the provider, unconfirmed; or it was declined and is to be cancelled."""
    CONFIRMING = "confirming"
    """It was or is being confirmed, and the result is unknown."""
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


#: Their amounts are held.
ACTIVE: Final = frozenset(
    {
        AttemptState.RESERVED,
        AttemptState.OPEN,
        AttemptState.CONFIRMING,
        AttemptState.REQUIRES_ACTION,
        AttemptState.PROCESSING,
    }
)
#: Nobody may take over from these, since money may be moving.
IN_HAND: Final = frozenset({AttemptState.CONFIRMING, AttemptState.PROCESSING})


@dataclass(frozen=True, slots=True)
class Timings:
    """How long an attempt may stay in a state, and when it is checked at the provider after it was made."""

    reserved: dt.timedelta = dt.timedelta(minutes=2)
    open: dt.timedelta = dt.timedelta(minutes=15)
    redirect: dt.timedelta = dt.timedelta(minutes=60)
    checks: tuple[dt.timedelta, ...] = (
        dt.timedelta(minutes=1),
        dt.timedelta(minutes=5),
        dt.timedelta(minutes=30),
        dt.timedelta(hours=3),
    )
    later: dt.timedelta = dt.timedelta(days=1)
    """Between the checks after these."""
    overdue: dt.timedelta = dt.timedelta(minutes=10)
    """Between the checks of what has expired, and could not be cancelled yet."""


TIMINGS: Final = Timings()


def derive_state(current: AttemptState, status: ProviderStatus, *, has_failure: bool) -> AttemptState:
    """Return the state that follows from what the provider says; `current` where that is impossible or says nothing.

    Success is final, and comes from every state. What has failed or was cancelled can only still succeed.
    """
    if current is AttemptState.SUCCEEDED or status is ProviderStatus.SUCCEEDED:
        return AttemptState.SUCCEEDED
    if current not in ACTIVE:
        return current
    match status:
        case ProviderStatus.CANCELED:
            return AttemptState.FAILED if has_failure else AttemptState.CANCELED
        case ProviderStatus.PROCESSING:
            return AttemptState.PROCESSING
        case ProviderStatus.REQUIRES_ACTION:
            return AttemptState.REQUIRES_ACTION
        case _:
            # A confirmation whose result is unknown can still arrive there.
            is_waiting = current is AttemptState.CONFIRMING and not has_failure
            return AttemptState.CONFIRMING if is_waiting else AttemptState.OPEN


def find_time_limit(state: AttemptState, *, is_redirect: bool, timings: Timings) -> dt.timedelta | None:
    """Return how long an attempt may stay in a state before it is cancelled; None for ever."""
    match state:
        case AttemptState.RESERVED:
            return timings.reserved
        case AttemptState.OPEN | AttemptState.CONFIRMING:
            return timings.open
        case AttemptState.REQUIRES_ACTION:
            return timings.redirect if is_redirect else timings.open
        case _:
            return None


def find_next_check(
    age: dt.timedelta, expires_in: dt.timedelta | None, timings: Timings, *, is_unreachable: bool = False
) -> dt.timedelta:
    """Return in how long an attempt of an age is checked next: when it expires, or at the next of the set times.

    One that has expired keeps others from paying, so it is tried again soon, unless the provider does not show it.
    """
    upcoming = [step - age for step in timings.checks if step > age]
    delay = upcoming[0] if upcoming else timings.later
    if expires_in is None:
        return delay
    if expires_in > dt.timedelta(0):
        return min(delay, expires_in)
    return delay if is_unreachable else min(delay, timings.overdue)
