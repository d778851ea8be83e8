"""The whole sandbox, served on a loopback port."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ops.sandbox.stripe.account_routes import AccountRoutes, check_parameters
from ops.sandbox.stripe.asgi import SandboxApp, serve
from ops.sandbox.stripe.bank import BankPage
from ops.sandbox.stripe.books import Books
from ops.sandbox.stripe.contract import Contract
from ops.sandbox.stripe.contract_routes import find_route
from ops.sandbox.stripe.control import Control
from ops.sandbox.stripe.control_routes import ControlRoutes
from ops.sandbox.stripe.deliveries import Deliveries, Scope
from ops.sandbox.stripe.disputes import Disputes
from ops.sandbox.stripe.events import Events
from ops.sandbox.stripe.faults import Faults
from ops.sandbox.stripe.idempotency import Idempotency
from ops.sandbox.stripe.intents import Intents
from ops.sandbox.stripe.page_routes import PageRoutes
from ops.sandbox.stripe.payment_routes import PaymentRoutes
from ops.sandbox.stripe.payments import Payments
from ops.sandbox.stripe.redirect_page import RedirectPage
from ops.sandbox.stripe.refunds import Refunds
from ops.sandbox.stripe.refusals import ApiRefusal
from ops.sandbox.stripe.routing import Answer, Call
from ops.sandbox.stripe.store import Store
from ops.sandbox.stripe.thin_events import ThinEvents


class Sandbox:
    """A Stripe on this machine: its parts, and what tests ask of it."""

    def __init__(
        self,
        *,
        read_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        account_secrets: Sequence[str] = (),
        connect_secrets: Sequence[str] = (),
        hooks_url: str | None = None,
    ) -> None:
        """Build a sandbox without accounts."""
        self.base_url = ""
        """Where it is served."""
        self.contract = Contract()
        self.deliveries = Deliveries(
            hooks_url or "",
            {Scope.ACCOUNT: tuple(account_secrets), Scope.CONNECT: tuple(connect_secrets)},
            read_clock=read_clock,
        )
        self.store = Store(read_clock=read_clock)
        self.thin = ThinEvents(deliver=self._deliver_thin, read_clock=read_clock)
        self.events = Events(self.store, self.thin, contract=self.contract, deliver=self.deliveries.add)
        self.account_routes = AccountRoutes(events=self.events, read_clock=read_clock)
        self.accounts = self.account_routes.accounts
        self.disputes = Disputes(self.store, self.events)
        self.intents = Intents(
            self.store, self.events, dispute=self.disputes.open, list_types=self.accounts.list_types
        )
        self.refunds = Refunds(self.store, self.events)
        self.payments = Payments(self.store, self.intents, self.refunds)
        self.idempotency = Idempotency()
        self.faults = Faults(self.idempotency.answer)
        self.control = Control(
            self.store,
            self.accounts,
            self.intents,
            self.payments,
            self.disputes,
            faults=self.faults,
            deliveries=self.deliveries,
        )
        self.books = Books(self.store)
        parts = (
            PaymentRoutes(self.store, self.intents, self.refunds),
            self.account_routes,
            self.thin,
            self.disputes,
            PageRoutes(self.payments),
            RedirectPage(self.store, self.intents),
            BankPage(self.accounts, self.control),
            ControlRoutes(self.control, self.deliveries, self.books, self.contract),
        )
        self.app = SandboxApp(
            [part.router for part in parts], contract=self.contract, intercept=self._intercept
        )

    @property
    def violations(self) -> Sequence[str]:
        """What crossed the wire and is not what the SDK's types say."""
        return self.contract.violations

    @property
    def pending(self) -> list[tuple[str, dict[str, Any]]]:
        """Events that nobody has taken yet: their scope and body."""
        return [(one.scope.value, one.body) for one in self.deliveries.pending]

    def _deliver_thin(self, notification: dict[str, Any]) -> None:
        self.contract.check_delivery(notification)
        self.deliveries.add(Scope.ACCOUNT, notification)

    async def _intercept(self, call: Call, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Refuse what is not begun at all; answer from memory what was asked before."""
        try:
            if call.path.startswith("/v1/") and call.account_id:
                refusal = self.accounts.explain_refusal(call.account_id)
                if refusal is not None:
                    raise refusal
            if call.path.startswith("/v1/") and find_route(call.method, call.path) is not None:
                check_parameters(call)
            return await self.faults.answer(call, ask)
        except ApiRefusal as refusal:
            return Answer(refusal.body, status=refusal.status)


@contextlib.asynccontextmanager
async def open_sandbox(
    *,
    account_secrets: Sequence[str] = (),
    connect_secrets: Sequence[str] = (),
    hooks_url: str | None = None,
    port: int | None = None,
    read_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Sandbox]:
    """Serve a sandbox in this event loop; `hooks_url` is where events are delivered, signed with the secrets."""
    sandbox = Sandbox(
        read_clock=read_clock,
        account_secrets=account_secrets,
        connect_secrets=connect_secrets,
        hooks_url=hooks_url,
    )
    async with serve(sandbox.app, port=port) as url:
        sandbox.base_url = sandbox.payments.base_url = url
        yield sandbox
