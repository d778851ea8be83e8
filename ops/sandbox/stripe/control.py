"""What a test or the demo lets happen: the verbs that no API has."""

from __future__ import annotations

from collections.abc import Sequence

from ops.sandbox.stripe.accounts import Accounts, CapabilityStatus
from ops.sandbox.stripe.deliveries import Deliveries, DeliveryPlan, DeliveryResult
from ops.sandbox.stripe.disputes import Disputes
from ops.sandbox.stripe.faults import Fault, Faults
from ops.sandbox.stripe.intents import Intents
from ops.sandbox.stripe.methods import DisputeKind, find_method
from ops.sandbox.stripe.payments import Payments
from ops.sandbox.stripe.payments_port import BankRow
from ops.sandbox.stripe.store import Store


class Control:
    """The verbs of the bank, of the payer, of a business and of the network."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        intents: Intents,
        payments: Payments,
        disputes: Disputes,
        *,
        faults: Faults,
        deliveries: Deliveries,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._intents = intents
        self._payments = payments
        self._disputes = disputes
        self._faults = faults
        self._deliveries = deliveries

    def create_account(
        self,
        *,
        account_id: str = "",
        display_name: str = "Test business",
        country: str = "DE",
        currency: str = "eur",
        status: CapabilityStatus = CapabilityStatus.ACTIVE,
    ) -> str:
        """Add an account that is through with its onboarding, unless it is there already; returns its id."""
        if account_id in self._accounts.accounts:
            return account_id
        account = self._accounts.add(
            account_id=account_id,
            display_name=display_name,
            country=country,
            currency=currency,
            status=status,
        )
        return account.account_id

    def create_confirmation_token(
        self, account_id: str, method: str = "4242424242424242", *, return_url: str = ""
    ) -> str:
        """Make a confirmation token as the browser does, and return its id.

        `method` is the number of a card, an IBAN, one of Stripe's names (`pm_card_visa`), or a type (`ideal`).
        """
        account = self._store.open(account_id)
        return self._intents.create_token(account, find_method(method), return_url=return_url).id

    def settle(self, intent_id: str) -> None:
        """Let a payment that is processing, or that waits for the payer, succeed."""
        self._payments.settle(intent_id)

    def fail(self, intent_id: str) -> None:
        """Let it fail."""
        self._payments.fail(intent_id)

    def refund(self, charge_id: str, amount: int | None = None) -> str:
        """Give money back in Stripe's dashboard, and return the refund's id; all that is left by default."""
        return self._payments.refund(charge_id, amount)

    def settle_refund(self, refund_id: str) -> None:
        """Let a refund that is pending reach the payer."""
        self._payments.settle_refund(refund_id)

    def fail_refund(self, refund_id: str) -> None:
        """Let the payer's bank send a refund back."""
        self._payments.fail_refund(refund_id)

    def deauthorise(self, account_id: str) -> None:
        """Let a business take the platform's access away."""
        self._accounts.deauthorise(account_id)

    def authorise(self, account_id: str) -> None:
        """Let a business give the platform access again."""
        self._accounts.authorise(account_id)

    def set_capability(self, account_id: str, status: CapabilityStatus | str) -> None:
        """Let Stripe change what an account may do."""
        self._accounts.set_capability(account_id, CapabilityStatus(status))

    def list_bank_rows(self) -> Sequence[BankRow]:
        """Return all payment intents, the newest first."""
        return self._payments.list_bank_rows()

    def open_dispute(
        self,
        charge_id: str,
        *,
        funds: bool = True,
        amount: int | None = None,
        kind: DisputeKind = DisputeKind.FRAUDULENT,
    ) -> str:
        """Let the payer's bank dispute a charge, and return the dispute's id; without funds it only inquires."""
        account, charge = self._store.find_charge(charge_id)
        chosen = kind if funds else DisputeKind.INQUIRY
        return self._disputes.open(account, charge, chosen, amount=amount).id

    def escalate_dispute(self, dispute_id: str) -> None:
        """Let the bank make a dispute of its inquiry: it takes the money."""
        self._disputes.escalate(*self._disputes.find(dispute_id))

    def win_dispute(self, dispute_id: str) -> None:
        """Let the business win a dispute: the money comes back. An inquiry is closed."""
        self._disputes.win(*self._disputes.find(dispute_id))

    def lose_dispute(self, dispute_id: str) -> None:
        """Let the business lose a dispute."""
        self._disputes.lose(*self._disputes.find(dispute_id))

    def add_fault(self, fault: Fault) -> None:
        """Let the next requests that match go wrong."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Take away the faults that met no request."""
        self._faults.waiting.clear()

    def plan_deliveries(self, plan: DeliveryPlan) -> None:
        """Choose what becomes of the deliveries of events from now on."""
        self._deliveries.plan = plan

    async def deliver_pending(self) -> list[DeliveryResult]:
        """Send the deliveries that are due, once each."""
        return await self._deliveries.deliver_pending()

    async def deliver_all(self) -> bool:
        """Deliver until nothing is left; False when something is not taken again and again."""
        return await self._deliveries.deliver_all()

    def resend_dropped(self) -> None:
        """Queue the deliveries that were lost, as the button in Stripe's dashboard does."""
        self._deliveries.restore_dropped()
