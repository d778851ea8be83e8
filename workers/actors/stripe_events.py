"""Applies events of Stripe, and looks for those that were not delivered.

An event only says what to read again at Stripe. So events may come twice, in any order, or not at all.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel.errors import Denied, Invalid, Missing, Unavailable
from kernel.telemetry.logs import get_logger
from tenants.connect.accounts import read_account, register_payment_domain
from tenants.connect.actions import (
    advance_watermark,
    record_account,
    record_payment_domain,
    revoke_account,
)
from tenants.connect.inbox.actions import (
    add_listed_event,
    mark_applied,
    mark_unread,
    park,
    prune_inbox,
)
from tenants.connect.inbox.listing import LONGEST, list_events
from tenants.connect.inbox.queries import load_event
from tenants.connect.inbox.values import EventSource, EventState, EventSubject, ReceiptResult
from tenants.connect.queries import find_connection, list_connections
from tenants.payments.actions import settle
from tenants.payments.queries import find_known_intents
from tenants.payments.values import Settlement
from workers.actors.attempt import PermanentFailure

if TYPE_CHECKING:
    from kernel.telemetry.metrics import Metrics
    from tenants.connect.client import StripeApi
    from tenants.connect.inbox.jobs import ApplyStripeEvent, ReconcileAccount
    from tenants.connect.inbox.values import StoredEvent, VerifiedEvent
    from tenants.connect.jobs import RefreshAccount, RegisterPaymentDomain
    from tenants.connect.values import AccountSnapshot, Connection
    from tenants.payments.processor import PaymentProcessor
    from workers.actors.attempt import Attempt

#: Events are listed again from so long before the last listing: Stripe may add to its list late, and clocks differ.
OVERLAP: Final = dt.timedelta(hours=1)

_log: Final = get_logger("workers.stripe_events")


@dataclass(frozen=True, slots=True)
class StripeContext:
    """What reaches Stripe; a process builds it once, and closes its `api`."""

    api: StripeApi
    processor: PaymentProcessor
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class _Listing:
    """The events of an account from Stripe's list. None: Stripe refuses us the account."""

    connection: Connection
    begun_at: dt.datetime
    events: tuple[VerifiedEvent, ...] | None


class StripeJobs:
    """The functions of the jobs on events and accounts; without a context, attempts that need Stripe fail."""

    def __init__(self, context: StripeContext | None) -> None:
        self._optional_context = context

    @property
    def _context(self) -> StripeContext:
        if self._optional_context is None:
            raise Unavailable("payment.provider_unavailable", "This worker has no key of Stripe.")
        return self._optional_context

    async def apply_event(self, job: ApplyStripeEvent, attempt: Attempt) -> None:
        """Read again at Stripe what an event is about, and apply it."""
        async with attempt.scope():
            event = await load_event(job)
        if event.state is EventState.APPLIED:
            return
        try:
            if event.subject is EventSubject.ACCOUNT:
                outcome = await self._refresh(event.account_id, attempt, event)
            else:
                outcome = await self._settle(event, attempt)
        except Invalid as error:
            # Another attempt of this release would read the same: an operator runs it again after an upgrade.
            async with attempt.write():
                await park(event, error.code)
            self._context.metrics.stripe_events_applied.labels("parked").inc()
            raise PermanentFailure(str(error)) from error
        self._context.metrics.stripe_events_applied.labels(outcome).inc()

    async def refresh_account(self, _job: RefreshAccount, attempt: Attempt) -> None:
        """Read at Stripe whether the workspace's account may take card payments."""
        async with attempt.scope():
            connection = await find_connection()
        if connection is not None and connection.account_id:
            await self._refresh(connection.account_id, attempt)

    async def register_domain(self, job: RegisterPaymentDomain, attempt: Attempt) -> None:
        """Make a host of the workspace known to its account: wallets are offered on known hosts alone."""
        async with attempt.scope():
            connection = await find_connection()
        if connection is None or not connection.account_id:
            return
        try:
            domain = await register_payment_domain(self._context.api, connection.account_id, job.host)
        except Invalid as error:
            raise PermanentFailure(str(error)) from error
        async with attempt.effect():
            await record_payment_domain(connection.connection_id, domain)

    async def reconcile_account(self, _job: ReconcileAccount, attempt: Attempt) -> None:
        """Store the events of the workspace's accounts that were not delivered; `apply_event` applies them."""
        async with attempt.scope():
            connections = await list_connections()
        listings = [await self._list_events(each, attempt.clock.now()) for each in connections]
        missed = 0
        async with attempt.effect():
            for listing in listings:
                if listing.events is None:
                    continue
                missed += await _add_events(listing.connection.account_id, listing.events)
                await advance_watermark(listing.connection.connection_id, listing.begun_at)
            await prune_inbox()
        if missed:
            _log.warning("events were not delivered", count=missed)

    async def _list_events(self, connection: Connection, begun_at: dt.datetime) -> _Listing:
        # Nothing of ours is older than the connection, and the account's other business may be large.
        since = max(begun_at - LONGEST, connection.created_at - OVERLAP)
        if connection.events_watermark is not None:
            since = max(since, connection.events_watermark - OVERLAP)
        try:
            events = await list_events(self._context.api, connection.account_id, since=since)
        except Denied:
            # Once it is connected again, the list goes on where it ended.
            return _Listing(connection, begun_at, None)
        return _Listing(connection, begun_at, events)

    async def _settle(self, event: StoredEvent, attempt: Attempt) -> str:
        try:
            payment = await self._context.processor.load_payment(event.account_id, event.intent_id)
        except Denied:
            await self._record(None, event.account_id, attempt, event)
            return "revoked"
        async with attempt.effect():
            settlement = await settle(payment, account_id=event.account_id, clock=attempt.clock)
            await mark_applied(event)
        self._count_change(event, settlement, attempt.clock.now())
        return settlement.value

    async def _refresh(self, account_id: str, attempt: Attempt, event: StoredEvent | None = None) -> str:
        read_at = attempt.clock.now()
        snapshot = await read_account(self._context.api, account_id)
        await self._record(snapshot, account_id, attempt, event, read_at=read_at)
        return "revoked" if snapshot is None else "refreshed"

    async def _record(
        self,
        snapshot: AccountSnapshot | None,
        account_id: str,
        attempt: Attempt,
        event: StoredEvent | None,
        *,
        read_at: dt.datetime | None = None,
    ) -> None:
        """Note an account; None: Stripe refuses it to us, and what is under way there is unknown, not failed."""
        async with attempt.effect():
            try:
                if snapshot is None:
                    await revoke_account(account_id)
                else:
                    await record_account(snapshot, read_at=read_at or attempt.clock.now())
            except Missing:
                # The workspace has disconnected it meanwhile.
                _log.info("account not connected", account=account_id)
            if event is None:
                return
            if snapshot is None and event.subject is EventSubject.PAYMENT:
                await mark_unread(event)
            else:
                await mark_applied(event)

    def _count_change(self, event: StoredEvent, settlement: Settlement, now: dt.datetime) -> None:
        if settlement in {Settlement.NOT_OURS, Settlement.UNCHANGED}:
            return
        metrics = self._context.metrics
        age = max(0.0, (now - event.occurred_at).total_seconds())
        metrics.payment_truth_seconds.labels(event.source).observe(age)
        if event.source is EventSource.RECONCILER:
            metrics.payment_reconciler_fixes.labels("event").inc()
        if settlement is Settlement.LATE:
            metrics.payment_late_successes.inc()


async def _add_events(account_id: str, events: tuple[VerifiedEvent, ...]) -> int:
    """Store an account's listed events that are about it or the workspace's payments; returns how many were new.

    The account may have much other business: that is left out by one statement.
    """
    known = await find_known_intents(account_id, {each.intent_id for each in events if each.intent_id})
    added = 0
    for event in events:
        if event.subject is not EventSubject.PAYMENT or event.intent_id in known:
            added += await add_listed_event(event) is ReceiptResult.STORED
    return added
