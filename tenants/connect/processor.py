"""The payment processor over Stripe: direct charges on the accounts of workspaces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import stripe

from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_nonce
from tenants.connect import currencies, queries
from tenants.connect.currencies import load_stripe_currencies, to_stripe_units
from tenants.connect.snapshots import ATTEMPT_KEY, REFUND_KEY, read_payment, read_refund
from tenants.payments.processor import ProviderStatus

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeClient
    from stripe.params import PaymentIntentCreateParams, RefundListParams

    from kernel.money import Currency, Money
    from tenants.connect.client import StripeApi
    from tenants.ids import AttemptId, RefundId
    from tenants.payments.amounts import AmountLimits
    from tenants.payments.processor import NewPayment, PaymentAccount, ProviderPayment, ProviderRefund

_FEE_UNIT: Final = 10_000
_PAGE: Final = 100
# Stripe has no code for a refund beyond what is left, it only names the parameter.
_REFUNDED_CODES: Final = frozenset({"charge_already_refunded", "charge_disputed"})


class StripeProcessor:
    """Implements the port `tenants.payments.processor.PaymentProcessor`, which says what each method raises."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        return self._api.is_live

    def find_limits(self, currency: Currency) -> AmountLimits | None:
        """Return what a payment in a currency may amount to."""
        return currencies.find_limits(currency)

    async def find_account(self) -> PaymentAccount | None:
        """Return the account of the bound workspace, from the database."""
        return await queries.find_account()

    async def create_payment(self, account_id: str, payment: NewPayment) -> ProviderPayment:
        """Create an unconfirmed payment, or return the one that an earlier call created."""
        parameters: PaymentIntentCreateParams = {
            "amount": to_stripe_units(payment.amount),
            "currency": payment.amount.currency.code.lower(),
            # What is offered is the account's own choice in Stripe's dashboard; a list here would overrule it.
            "automatic_payment_methods": {"enabled": True},
            "description": f"Invoice {payment.invoice_number}",
            "metadata": {
                ATTEMPT_KEY: str(payment.attempt_id),
                "invoice_id": str(payment.invoice_id),
                "workspace_id": str(payment.workspace_id),
            },
        }
        fee = _compute_fee(payment.amount, payment.application_fee_bp)
        if fee:
            parameters["application_fee_amount"] = fee
        intent = await self._api.write(
            lambda client, options: client.v1.payment_intents.create_async(parameters, options),
            account_id=account_id,
            key=f"att:{payment.attempt_id}:create",
        )
        return read_payment(intent)

    async def confirm_payment(
        self,
        account_id: str,
        intent_id: str,
        *,
        attempt_id: AttemptId,
        confirmation_token: str,
        return_url: str,
    ) -> ProviderPayment:
        """Confirm with what the browser has collected; a decline is a result with `failure`."""

        async def confirm(client: StripeClient, options: RequestOptions) -> stripe.PaymentIntent:
            return await client.v1.payment_intents.confirm_async(
                intent_id,
                {
                    "confirmation_token": confirmation_token,
                    "return_url": return_url,
                    "expand": ["latest_charge", "payment_method"],
                },
                options,
            )

        try:
            intent = await self._api.write(confirm, account_id=account_id, key=f"att:{attempt_id}:confirm")
        except stripe.CardError:
            return await self.load_payment(account_id, intent_id)
        except Missing as error:
            if error.data.get("parameter") == "confirmation_token":
                message = "The confirmation token is unknown at Stripe."
                raise Invalid("payment.refused", message, reason="confirmation_token") from error
            raise
        except Conflict as error:
            # Confirmed before, or cancelled: only the latter is an error.
            payment = await self.load_payment(account_id, intent_id)
            if payment.status is ProviderStatus.CANCELED:
                raise Conflict("payment.changed", "The payment was cancelled meanwhile.") from error
            return payment
        return read_payment(intent)

    async def load_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        """Read a payment with its charge, all refunds, and all disputes with their movements."""
        intent = await self._api.read(
            lambda client, options: client.v1.payment_intents.retrieve_async(
                intent_id, {"expand": ["latest_charge", "payment_method"]}, options
            ),
            account_id=account_id,
        )
        if intent.latest_charge is None:
            return read_payment(intent)
        refunds, disputes = await asyncio.gather(
            self._list_refunds(account_id, intent_id), self._list_disputes(account_id, intent_id)
        )
        return read_payment(intent, refunds=refunds, disputes=disputes)

    async def cancel_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        """Cancel a payment; returns what it is afterwards, also when it could not be cancelled any more."""
        # A key of its own for each call: what could not be cancelled today is not answered from memory tomorrow.
        key = f"cancel:{new_nonce()}"
        try:
            intent = await self._api.write(
                lambda client, options: client.v1.payment_intents.cancel_async(
                    intent_id, {"expand": ["latest_charge", "payment_method"]}, options
                ),
                account_id=account_id,
                key=key,
            )
        except Conflict:
            return await self.load_payment(account_id, intent_id)
        return read_payment(intent)

    async def create_refund(
        self, account_id: str, intent_id: str, *, refund_id: RefundId, amount: Money
    ) -> ProviderRefund:
        """Give back a part of a payment, or return the refund that an earlier call made."""
        units = to_stripe_units(amount)
        try:
            refund = await self._api.write(
                lambda client, options: client.v1.refunds.create_async(
                    {
                        "payment_intent": intent_id,
                        "amount": units,
                        "metadata": {REFUND_KEY: str(refund_id)},
                    },
                    options,
                ),
                account_id=account_id,
                key=f"ref:{refund_id}",
            )
        except Invalid as error:
            if error.data.get("parameter") == "amount" or error.data.get("reason") in _REFUNDED_CODES:
                message = "Less than this is left of the payment at Stripe."
                raise Conflict(
                    "payment.refund_too_large", message, reason=error.data.get("reason")
                ) from error
            raise
        return read_refund(refund)

    async def _list_refunds(self, account_id: str, intent_id: str) -> list[stripe.Refund]:
        found: list[stripe.Refund] = []

        async def read_page(
            client: StripeClient, options: RequestOptions
        ) -> stripe.ListObject[stripe.Refund]:
            parameters: RefundListParams = {"payment_intent": intent_id, "limit": _PAGE}
            if found:
                parameters["starting_after"] = found[-1].id
            return await client.v1.refunds.list_async(parameters, options)

        while True:
            page = await self._api.read(read_page, account_id=account_id)
            found += page.data
            if not page.has_more or not page.data:
                return found

    async def _list_disputes(self, account_id: str, intent_id: str) -> list[stripe.Dispute]:
        # A charge is disputed a few times at most: one page holds all.
        page = await self._api.read(
            lambda client, options: client.v1.disputes.list_async(
                {"payment_intent": intent_id, "limit": _PAGE}, options
            ),
            account_id=account_id,
        )
        return page.data


def _compute_fee(amount: Money, fee_bp: int) -> int:
    """Return the platform's fee in Stripe's units, rounded down to what can be charged."""
    step = load_stripe_currencies()[amount.currency.code].step
    return to_stripe_units(amount) * fee_bp // _FEE_UNIT // step * step
