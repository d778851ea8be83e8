"""The routes of payments: intents, confirmation tokens, charges, refunds, balance transactions, events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ops.sandbox.stripe.bodies import (
    write_charge,
    write_intent,
    write_method,
    write_movement,
    write_refund,
    write_token,
)
from ops.sandbox.stripe.intents import Intents
from ops.sandbox.stripe.listing import expand, write_page
from ops.sandbox.stripe.methods import find_method
from ops.sandbox.stripe.refunds import Refunds
from ops.sandbox.stripe.refusals import refuse_v1
from ops.sandbox.stripe.routing import Answer, Call, Router
from ops.sandbox.stripe.store import Account, Intent, Refund, Store, refuse_missing


class PaymentRoutes:
    """Answers what concerns payments; parameters are checked before."""

    def __init__(self, store: Store, intents: Intents, refunds: Refunds) -> None:
        self._store = store
        self._intents = intents
        self._refunds = refunds
        self.router = router = Router()
        router.add("POST", "/v1/payment_intents", self._create_intent)
        router.add("GET", "/v1/payment_intents", self._list_intents)
        router.add("GET", "/v1/payment_intents/{intent_id}", self._retrieve_intent)
        router.add("POST", "/v1/payment_intents/{intent_id}", self._change_intent(intents.update))
        router.add("POST", "/v1/payment_intents/{intent_id}/confirm", self._change_intent(intents.confirm))
        router.add("POST", "/v1/payment_intents/{intent_id}/cancel", self._change_intent(intents.cancel))
        router.add("POST", "/v1/test_helpers/confirmation_tokens", self._create_token)
        router.add("GET", "/v1/confirmation_tokens/{token_id}", self._retrieve_token)
        router.add("GET", "/v1/payment_methods/{method_id}", self._retrieve_method)
        router.add("GET", "/v1/charges", self._list_charges)
        router.add("GET", "/v1/charges/{charge_id}", self._retrieve_charge)
        router.add("POST", "/v1/refunds", self._create_refund)
        router.add("GET", "/v1/refunds", self._list_refunds)
        router.add("GET", "/v1/refunds/{refund_id}", self._retrieve_refund)
        router.add("POST", "/v1/refunds/{refund_id}", self._update_refund)
        router.add("POST", "/v1/refunds/{refund_id}/cancel", self._cancel_refund)
        router.add("GET", "/v1/balance_transactions", self._list_movements)
        router.add("GET", "/v1/balance_transactions/{movement_id}", self._retrieve_movement)
        router.add("GET", "/v1/events", self._list_events)
        router.add("GET", "/v1/events/{event_id}", self._retrieve_event)

    def _create_intent(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        return self._answer_intent(call, account, self._intents.create(account, call.parameters))

    def _change_intent(
        self, change: Callable[[Account, Intent, Mapping[str, Any]], Intent]
    ) -> Callable[[Call, str], Answer]:
        def answer(call: Call, intent_id: str) -> Answer:
            account = self._store.open(call.account_id)
            return self._answer_intent(
                call, account, change(account, account.find_intent(intent_id), call.parameters)
            )

        return answer

    def _retrieve_intent(self, call: Call, intent_id: str) -> Answer:
        account = self._store.open(call.account_id)
        return self._answer_intent(call, account, account.find_intent(intent_id))

    def _answer_intent(self, call: Call, account: Account, intent: Intent) -> Answer:
        return _answer(call, account, write_intent(intent, call.base_url, account.account_id))

    def _list_intents(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        page = write_page(
            account.intents,
            call.parameters,
            url=call.path,
            write=lambda one: write_intent(one, call.base_url, account.account_id),
        )
        return _answer(call, account, page)

    def _create_token(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        given = call.parameters
        name = str(given.get("payment_method") or _read_method_data(given.get("payment_method_data") or {}))
        return_url = str(given.get("return_url", ""))
        token = self._intents.create_token(account, find_method(name), return_url=return_url)
        return _answer(call, account, write_token(token))

    def _retrieve_token(self, call: Call, token_id: str) -> Answer:
        account = self._store.open(call.account_id)
        if token_id not in account.tokens:
            raise refuse_missing("confirmationtoken", token_id, param="confirmation_token")
        return _answer(call, account, write_token(account.tokens[token_id]))

    def _retrieve_method(self, call: Call, method_id: str) -> Answer:
        account = self._store.open(call.account_id)
        if method_id not in account.methods:
            raise refuse_missing("PaymentMethod", method_id, param="payment_method")
        return _answer(call, account, write_method(account.methods[method_id]))

    def _list_charges(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        intent = call.parameters.get("payment_intent")
        page = write_page(
            account.charges,
            call.parameters,
            url=call.path,
            write=write_charge,
            is_wanted=lambda one: intent in {None, one.intent},
        )
        return _answer(call, account, page)

    def _retrieve_charge(self, call: Call, charge_id: str) -> Answer:
        account = self._store.open(call.account_id)
        return _answer(call, account, write_charge(account.find_charge(charge_id)))

    def _create_refund(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        return _answer(call, account, write_refund(self._refunds.create(account, call.parameters)))

    def _list_refunds(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        intent, charge = call.parameters.get("payment_intent"), call.parameters.get("charge")
        page = write_page(
            account.refunds,
            call.parameters,
            url=call.path,
            write=write_refund,
            is_wanted=lambda one: intent in {None, one.intent} and charge in {None, one.charge},
        )
        return _answer(call, account, page)

    def _retrieve_refund(self, call: Call, refund_id: str) -> Answer:
        account = self._store.open(call.account_id)
        return _answer(call, account, write_refund(_find_refund(account, refund_id)))

    def _update_refund(self, call: Call, refund_id: str) -> Answer:
        account = self._store.open(call.account_id)
        refund = _find_refund(account, refund_id)
        refund.metadata |= call.parameters.get("metadata") or {}
        return _answer(call, account, write_refund(refund))

    def _cancel_refund(self, call: Call, refund_id: str) -> Answer:
        account = self._store.open(call.account_id)
        refund = self._refunds.cancel(account, _find_refund(account, refund_id))
        return _answer(call, account, write_refund(refund))

    def _list_movements(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        source, kind = call.parameters.get("source"), call.parameters.get("type")
        page = write_page(
            account.movements,
            call.parameters,
            url=call.path,
            write=write_movement,
            is_wanted=lambda one: (
                source in {None, one.source} and kind in {None, write_movement(one)["type"]}
            ),
        )
        return _answer(call, account, page)

    def _retrieve_movement(self, call: Call, movement_id: str) -> Answer:
        account = self._store.open(call.account_id)
        if movement_id not in account.movements:
            raise refuse_missing("balance transaction", movement_id, param="id")
        return _answer(call, account, write_movement(account.movements[movement_id]))

    def _list_events(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        types = set(call.parameters.get("types") or [])
        if call.parameters.get("type"):
            types.add(call.parameters["type"])
        page = write_page(
            account.events,
            call.parameters,
            url=call.path,
            write=_write_listed_event,
            is_wanted=lambda one: not types or one["type"] in types,
            read_created=lambda one: int(one["created"]),
        )
        return _answer_event(call, page)

    def _retrieve_event(self, call: Call, event_id: str) -> Answer:
        account = self._store.open(call.account_id)
        if event_id not in account.events:
            raise refuse_missing("event", event_id, param="id")
        return _answer_event(call, _write_listed_event(account.events[event_id]))


def _answer(call: Call, account: Account, body: dict[str, Any]) -> Answer:
    return Answer(expand(account, body, call.parameters.get("expand") or ()))


def _answer_event(call: Call, body: dict[str, Any]) -> Answer:
    """Answer what happened; it stays as it was told, so nothing in it is expanded."""
    if call.parameters.get("expand"):
        raise refuse_v1(400, None, "This property cannot be expanded (events).", param="expand")
    return Answer(body)


def _write_listed_event(event: dict[str, Any]) -> dict[str, Any]:
    """Write an event as the API answers it: `account` is in what is delivered to the platform alone."""
    return {name: value for name, value in event.items() if name != "account"}


def _find_refund(account: Account, refund_id: str) -> Refund:
    if refund_id not in account.refunds:
        raise refuse_missing("refund", refund_id, param="id")
    return account.refunds[refund_id]


def _read_method_data(data: Mapping[str, Any]) -> str:
    match data.get("type"):
        case "sepa_debit":
            return str(data.get("sepa_debit", {}).get("iban", ""))
        case "card":
            return str(data.get("card", {}).get("number", "4242424242424242"))
        case kind:
            return str(kind or "")
