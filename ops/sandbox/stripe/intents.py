"""Payment intents: created, changed, confirmed, cancelled, and moved by the payer and the bank."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from ops.sandbox.stripe.accounts import EventSink
from ops.sandbox.stripe.bodies import write_intent
from ops.sandbox.stripe.charges import Charges
from ops.sandbox.stripe.currencies import check_amount
from ops.sandbox.stripe.methods import DisputeKind, TestMethod, find_method
from ops.sandbox.stripe.refusals import ApiRefusal, refuse_v1
from ops.sandbox.stripe.store import (
    Account,
    Charge,
    Intent,
    IntentStatus,
    Method,
    Store,
    Token,
    new_id,
    refuse_missing,
)

_TOKEN_LIFETIME: Final = 12 * 3600
_UNCONFIRMED: Final = frozenset(
    {IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_ACTION}
)


class Intents:
    """The verbs on payment intents."""

    def __init__(
        self,
        store: Store,
        events: EventSink,
        *,
        dispute: Callable[[Account, Charge, DisputeKind], object],
        list_types: Callable[[str, str], tuple[str, ...]],
    ) -> None:
        self._store = store
        self._list_types = list_types
        self._charges = Charges(store, events, dispute=dispute)

    def create(self, account: Account, parameters: Mapping[str, Any]) -> Intent:
        """Create an intent by the parameters of POST /v1/payment_intents."""
        currency = str(parameters["currency"]).lower()
        amount = check_amount(parameters["amount"], currency)
        if parameters.get("capture_method") == "manual":
            raise refuse_v1(400, None, "The sandbox has no manual capture.", param="capture_method")
        automatic = parameters.get("automatic_payment_methods")
        types = tuple(parameters.get("payment_method_types") or ())
        offered = self._list_offered(account, currency)
        intent_id = new_id("pi")
        intent = Intent(
            id=intent_id,
            created=self._store.read_time(),
            client_secret=f"{intent_id}_secret_{secrets.token_urlsafe(18)}",
            amount=amount,
            currency=currency,
            status=IntentStatus.REQUIRES_PAYMENT_METHOD,
            metadata=_read_metadata({}, parameters),
            description=str(parameters.get("description", "")),
            fee=_read_fee(parameters, amount),
            automatic=not types,
            redirects=not types and (automatic or {}).get("allow_redirects", "always") == "always",
            types=types or offered,
            receipt_email=parameters.get("receipt_email"),
        )
        if parameters.get("payment_method"):
            intent.method = self.find_method(account, str(parameters["payment_method"]))
            intent.status = IntentStatus.REQUIRES_CONFIRMATION
        account.intents[intent.id] = intent
        self._charges.emit(account, intent, "created")
        if parameters.get("confirm") == "true" or parameters.get("confirmation_token"):
            self.confirm(account, intent, parameters)
        return intent

    def update(self, account: Account, intent: Intent, parameters: Mapping[str, Any]) -> Intent:
        """Change an intent by the parameters of POST /v1/payment_intents/{intent}."""
        fixed = {"amount", "currency", "application_fee_amount", "payment_method"} & parameters.keys()
        if fixed and intent.status not in _UNCONFIRMED:
            message = (
                f"This PaymentIntent's {min(fixed)} could not be updated because it has a status of "
                f"{intent.status}."
            )
            raise refuse_state(intent, message)
        currency = str(parameters.get("currency", intent.currency)).lower()
        amount = check_amount(parameters.get("amount", intent.amount), currency)
        fee = _read_fee(parameters, amount) if "application_fee_amount" in parameters else intent.fee
        if parameters.get("payment_method"):
            intent.method = self.find_method(account, str(parameters["payment_method"]))
            intent.status = IntentStatus.REQUIRES_CONFIRMATION
        elif intent.status is IntentStatus.REQUIRES_ACTION and amount != intent.amount:
            intent.status = IntentStatus.REQUIRES_CONFIRMATION
        intent.amount, intent.currency, intent.fee = amount, currency, fee
        intent.description = str(parameters.get("description", intent.description))
        intent.metadata = _read_metadata(intent.metadata, parameters)
        return intent

    def confirm(self, account: Account, intent: Intent, parameters: Mapping[str, Any]) -> Intent:
        """Confirm an intent; ApiRefusal (402) for a decline, which the intent keeps."""
        if intent.status not in _UNCONFIRMED:
            message = f"You cannot confirm this PaymentIntent because it has a status of {intent.status}."
            if intent.status is IntentStatus.SUCCEEDED:
                message = (
                    "You cannot confirm this PaymentIntent because it has already succeeded after being "
                    "previously confirmed."
                )
            raise refuse_state(intent, message)
        self._list_offered(account, intent.currency)
        token = self._find_token(account, parameters)
        method = self._choose_method(account, intent, parameters, token)
        return_url = str(parameters.get("return_url") or (token.return_url if token else ""))
        if intent.redirects and not return_url:
            message = (
                "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some "
                "of these payment methods might redirect your customer off of your page, you must provide a "
                "`return_url`."
            )
            raise refuse_v1(400, None, message)
        if method.test.type not in intent.types:
            message = (
                f"The PaymentMethod provided ({method.test.type}) is not allowed for this PaymentIntent."
            )
            raise refuse_v1(400, "payment_intent_invalid_parameter", message, param="payment_method")
        if token is not None:
            token.payment_intent = intent.id
        intent.method, intent.return_url, intent.error = method, return_url, None
        intent.uses_script = token is not None or parameters.get("use_stripe_sdk") == "true"
        if method.test.asks_action:
            self._charges.set_status(account, intent, IntentStatus.REQUIRES_ACTION)
        else:
            self._charges.attempt(account, intent, method)
        if intent.error is not None:
            raise _refuse_card(intent)
        return intent

    def cancel(self, account: Account, intent: Intent, parameters: Mapping[str, Any]) -> Intent:
        """Cancel an intent that no money was moved for."""
        if intent.status not in _UNCONFIRMED:
            message = (
                f"You cannot cancel this PaymentIntent because it has a status of {intent.status}. Only a "
                "PaymentIntent with one of the following statuses may be canceled: requires_payment_method, "
                "requires_capture, requires_confirmation, requires_action, processing."
            )
            raise refuse_state(intent, message)
        intent.canceled_at = self._store.read_time()
        intent.cancellation_reason = parameters.get("cancellation_reason")
        intent.status = IntentStatus.CANCELED
        self._charges.emit(account, intent, "canceled")
        return intent

    def finish_action(self, account: Account, intent: Intent, *, is_approved: bool) -> None:
        """Let the payer approve or refuse what the bank asked."""
        if intent.status is not IntentStatus.REQUIRES_ACTION or intent.method is None:
            message = f"The payment does not wait for the payer: it has a status of {intent.status}."
            raise refuse_state(intent, message)
        if is_approved:
            self._charges.attempt(account, intent, intent.method)
        else:
            self._charges.decline(account, intent, "payment_intent_authentication_failure")

    def settle(self, account: Account, intent: Intent) -> None:
        """Let a payment that is processing, or that waits for the payer, succeed."""
        if intent.status is IntentStatus.REQUIRES_ACTION:
            self.finish_action(account, intent, is_approved=True)
        elif intent.status is IntentStatus.PROCESSING:
            self._charges.move_money(account, intent, account.charges[intent.latest_charge])
        else:
            raise refuse_state(intent, f"There is nothing to settle: it has a status of {intent.status}.")

    def fail(self, account: Account, intent: Intent) -> None:
        """Let a payment fail that is processing, or that waits for the payer."""
        if intent.status is IntentStatus.REQUIRES_ACTION:
            self.finish_action(account, intent, is_approved=False)
        elif intent.status is IntentStatus.PROCESSING:
            self._charges.decline(account, intent, "payment_method_provider_decline")
        else:
            raise refuse_state(intent, f"There is nothing to fail: it has a status of {intent.status}.")

    def create_token(self, account: Account, test: TestMethod, *, return_url: str = "") -> Token:
        """Make a confirmation token of what was typed."""
        token = Token(new_id("ctoken"), self._store.read_time(), test, return_url)
        account.tokens[token.id] = token
        return token

    def find_method(self, account: Account, name: str) -> Method:
        """Return a payment method of the account, or a new one for a name of Stripe's lists."""
        if name in account.methods:
            return account.methods[name]
        try:
            return self._add_method(account, find_method(name))
        except ApiRefusal:
            raise refuse_missing("PaymentMethod", name, param="payment_method", status=400) from None

    def _add_method(self, account: Account, test: TestMethod) -> Method:
        method = Method(new_id("pm"), self._store.read_time(), test)
        account.methods[method.id] = method
        return method

    def _list_offered(self, account: Account, currency: str) -> tuple[str, ...]:
        found = self._list_types(account.account_id, currency)
        if not found:
            message = (
                "No valid payment method types for this Payment Intent. Please ensure that you have activated payment "
                "methods compatible with your chosen currency in your dashboard."
            )
            raise refuse_v1(400, None, message)
        return found

    def _find_token(self, account: Account, parameters: Mapping[str, Any]) -> Token | None:
        token_id = parameters.get("confirmation_token")
        if not token_id:
            return None
        token = account.tokens.get(str(token_id))
        if token is None:
            raise refuse_missing("confirmationtoken", str(token_id), param="confirmation_token", status=400)
        if token.payment_intent or self._store.read_time() >= token.created + _TOKEN_LIFETIME:
            why = "already been used" if token.payment_intent else "expired"
            message = f"The ConfirmationToken {token.id} has {why}."
            raise refuse_v1(400, "confirmation_token_invalid", message, param="confirmation_token")
        return token

    def _choose_method(
        self, account: Account, intent: Intent, parameters: Mapping[str, Any], token: Token | None
    ) -> Method:
        if token is not None:
            return self._add_method(account, token.test)
        if parameters.get("payment_method"):
            return self.find_method(account, str(parameters["payment_method"]))
        if intent.method is None:
            message = (
                "You cannot confirm this PaymentIntent because it's missing a payment method. Update the PaymentIntent "
                "with a payment method and then confirm it again."
            )
            raise refuse_state(intent, message)
        return intent.method


def refuse_state(intent: Intent, message: str) -> ApiRefusal:
    """Return the refusal of what the intent's status does not allow; it carries the intent."""
    refusal = refuse_v1(400, "payment_intent_unexpected_state", message)
    refusal.body["error"]["payment_intent"] = write_intent(intent)
    return refusal


def _refuse_card(intent: Intent) -> ApiRefusal:
    """Return the refusal of a payment that was declined: 402, with the intent in it."""
    return ApiRefusal(402, {"error": {**(intent.error or {}), "payment_intent": write_intent(intent)}})


def _read_metadata(known: Mapping[str, str], parameters: Mapping[str, Any]) -> dict[str, str]:
    """Merge metadata; an empty value takes a key away, and empty metadata takes all away."""
    given = parameters.get("metadata", {})
    if given == "":
        return {}
    merged = {**known, **{str(key): str(value) for key, value in given.items()}}
    return {key: value for key, value in merged.items() if value}


def _read_fee(parameters: Mapping[str, Any], amount: int) -> int:
    fee = int(parameters.get("application_fee_amount") or 0)
    if fee > amount:
        message = "The application fee cannot be greater than the amount."
        raise refuse_v1(400, None, message, param="application_fee_amount")
    return fee
