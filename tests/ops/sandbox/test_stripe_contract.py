"""The contract of the Stripe sandbox: what it lets through, and that each kind of error is caught."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from ops.sandbox.stripe.contract import Contract, check_event, check_object, check_request, check_response
from ops.sandbox.stripe.contract_checks import Finding, FindingKind
from ops.sandbox.stripe.contract_routes import list_routes

REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 500,
    "balance_transaction": "txn_2",
    "charge": "ch_1",
    "created": 1_780_000_000,
    "currency": "eur",
    "metadata": {"refund": "1"},
    "payment_intent": "pi_1",
    "reason": None,
    "status": "succeeded",
}
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 2000,
    "amount_capturable": 0,
    "amount_received": 0,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "always"},
    "capture_method": "automatic_async",
    "client_secret": "pi_1_secret_2",
    "confirmation_method": "automatic",
    "created": 1_780_000_000,
    "currency": "eur",
    "last_payment_error": {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"},
    "latest_charge": "ch_1",
    "livemode": False,
    "metadata": {},
    "next_action": {"type": "redirect_to_url", "redirect_to_url": {"return_url": None, "url": "http://x/"}},
    "payment_method_types": ["card"],
    "status": "requires_payment_method",
}
REFUNDS = {"object": "list", "data": [REFUND], "has_more": False, "url": "/v1/refunds"}
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "account": "acct_1",
    "api_version": "2026-10-28.endive",
    "created": 1_780_000_000,
    "data": {"object": REFUND},
    "livemode": False,
    "pending_webhooks": 1,
    "request": {"id": None, "idempotency_key": None},
    "type": "refund.created",
}
THIN_EVENT: dict[str, Any] = {
    "id": "evt_2",
    "object": "v2.core.event",
    "type": "v2.core.account[requirements].updated",
    "created": "2026-12-01T10:00:00.000Z",
    "livemode": False,
    "context": "acct_1",
    "related_object": {"id": "acct_1", "type": "v2.core.account", "url": "/v2/core/accounts/acct_1"},
}
ACCOUNT: dict[str, Any] = {
    "merchant": {"capabilities": {"card_payments": {"requested": True}}},
}

Alteration = Callable[[dict[str, Any]], Any]


def _problems(found: list[Finding]) -> list[tuple[str, FindingKind]]:
    return [(finding.path, finding.kind) for finding in found]


def _alter(sample: dict[str, Any], alteration: Alteration) -> dict[str, Any]:
    altered = deepcopy(sample)
    alteration(altered)
    return altered


@pytest.mark.parametrize("sample", [REFUND, INTENT])
def test_an_object_as_stripe_sends_it_passes(sample: dict[str, Any]) -> None:
    assert check_object(sample) == []


def test_lists_events_and_errors_as_stripe_sends_them_pass() -> None:
    declined = {
        "type": "card_error",
        "code": "card_declined",
        "message": "Declined.",
        "payment_intent": INTENT,
    }
    assert check_response("GET", "/v1/refunds", 200, REFUNDS) == []
    assert check_response("POST", "/v1/payment_intents/pi_1/confirm", 402, {"error": declined}) == []
    assert (
        check_response("GET", "/v2/core/accounts/acct_1", 404, {"error": {"code": "x", "message": "y"}}) == []
    )
    assert check_event(EVENT) == []
    assert check_event(THIN_EVENT) == []


@pytest.mark.parametrize(
    ("alteration", "path", "kind"),
    [
        (lambda it: it.update(amount="2000"), "amount", FindingKind.WRONG_TYPE),
        (lambda it: it.update(amount=20.5), "amount", FindingKind.WRONG_TYPE),
        (lambda it: it.update(amount=True), "amount", FindingKind.WRONG_TYPE),
        (lambda it: it.update(livemode=0), "livemode", FindingKind.WRONG_TYPE),
        (lambda it: it.update(currency=None), "currency", FindingKind.WRONG_TYPE),
        (lambda it: it.update(latest_charge=7), "latest_charge", FindingKind.WRONG_TYPE),
        (lambda it: it.update(payment_method_types="card"), "payment_method_types", FindingKind.WRONG_TYPE),
        (lambda it: it["metadata"].update(a=1), "metadata[a]", FindingKind.WRONG_TYPE),
        (lambda it: it.pop("status"), "status", FindingKind.MISSING),
        (lambda it: it.update(state="open"), "state", FindingKind.UNKNOWN),
        (lambda it: it.update(status="paid"), "status", FindingKind.NOT_IN_ENUM),
        (lambda it: it.update(object="intent"), "object", FindingKind.NOT_IN_ENUM),
        (
            lambda it: it["next_action"]["redirect_to_url"].update(uri="http://x/"),
            "next_action[redirect_to_url][uri]",
            FindingKind.UNKNOWN,
        ),
        (
            lambda it: it.update(latest_charge={"object": "charge", "id": "ch_1"}),
            "latest_charge[amount]",
            FindingKind.MISSING,
        ),
        (
            lambda it: it["automatic_payment_methods"].update(allow_redirects="sometimes"),
            "automatic_payment_methods[allow_redirects]",
            FindingKind.NOT_IN_ENUM,
        ),
    ],
)
def test_a_wrong_answer_is_caught(alteration: Alteration, path: str, kind: FindingKind) -> None:
    assert (path, kind) in _problems(check_object(_alter(INTENT, alteration)))


@pytest.mark.parametrize(
    ("alteration", "path"),
    [
        (lambda it: it.pop("has_more"), "has_more"),
        (lambda it: it.update(total=1), "total"),
        (lambda it: it["data"][0].pop("amount"), "data[0][amount]"),
        (lambda it: it.update(object="page"), "object"),
    ],
)
def test_a_wrong_list_is_caught(alteration: Alteration, path: str) -> None:
    found = check_response("GET", "/v1/refunds", 200, _alter(REFUNDS, alteration))
    assert [problem.path for problem in found] == [path]


@pytest.mark.parametrize(
    ("sample", "alteration", "path"),
    [
        (EVENT, lambda it: it.update(type="refund.paid"), "type"),
        (EVENT, lambda it: it["data"]["object"].pop("amount"), "data[object] amount"),
        (EVENT, lambda it: it.update(created="now"), "created"),
        (THIN_EVENT, lambda it: it.update(type="v2.core.account.opened"), "type"),
        (THIN_EVENT, lambda it: it["related_object"].pop("url"), "related_object[url]"),
        (THIN_EVENT, lambda it: it.update(data={"object": REFUND}), "data"),
    ],
)
def test_a_wrong_event_is_caught(sample: dict[str, Any], alteration: Alteration, path: str) -> None:
    assert [finding.path for finding in check_event(_alter(sample, alteration))] == [path]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/refunds", {"message": "no"}),
        ("/v1/refunds", {"error": {"type": "declined", "message": "no"}}),
        ("/v1/refunds", {"error": {"type": "card_error", "reason": "no"}}),
        ("/v2/core/accounts", {"error": {"message": "no"}}),
        ("/oauth/token", {"error": {"type": "invalid_request_error"}}),
    ],
)
def test_a_wrong_error_is_caught(path: str, body: dict[str, Any]) -> None:
    assert check_response("POST", path, 400, body) != []


@pytest.mark.parametrize(
    ("method", "path", "parameters"),
    [
        (
            "POST",
            "/v1/payment_intents",
            {
                "amount": "2000",
                "currency": "usd",
                "automatic_payment_methods": {"enabled": "true"},
                "metadata": {"attempt": "x"},
                "application_fee_amount": "10",
                "expand": ["latest_charge"],
            },
        ),
        ("GET", "/v1/refunds", {"payment_intent": "pi_1", "limit": "100"}),
        (
            "POST",
            "/v2/core/accounts",
            {"dashboard": "full", "configuration": ACCOUNT, "include": ["requirements"]},
        ),
        ("GET", "/v2/core/accounts/acct_1", {"include": ["configuration.merchant"]}),
    ],
)
def test_a_request_as_the_sdk_sends_it_passes(method: str, path: str, parameters: dict[str, Any]) -> None:
    assert check_request(method, path, parameters) == []


@pytest.mark.parametrize(
    ("path", "parameters", "problem", "kind"),
    [
        ("/v1/payment_intents", {"currency": "usd"}, "amount", FindingKind.MISSING),
        ("/v1/payment_intents", {"amount": "20.5"}, "amount", FindingKind.WRONG_TYPE),
        ("/v1/payment_intents", {"capture_method": "later"}, "capture_method", FindingKind.NOT_IN_ENUM),
        (
            "/v1/payment_intents",
            {"automatic_payment_method": {}},
            "automatic_payment_method",
            FindingKind.UNKNOWN,
        ),
        (
            "/v1/payment_intents",
            {"automatic_payment_methods": {"enabled": "yes"}},
            "automatic_payment_methods[enabled]",
            FindingKind.WRONG_TYPE,
        ),
        ("/v2/core/accounts", {"dashboard": "some"}, "dashboard", FindingKind.NOT_IN_ENUM),
        ("/v2/core/accounts", {"country": "de"}, "country", FindingKind.UNKNOWN),
        ("/v2/core/account_links", {"account": "acct_1"}, "use_case", FindingKind.MISSING),
        (
            "/v2/core/accounts",
            {"configuration": {"merchant": {"capabilities": {"card_payments": {"requested": "true"}}}}},
            "configuration[merchant][capabilities][card_payments][requested]",
            FindingKind.WRONG_TYPE,
        ),
        ("/v1/payments", {}, "/v1/payments", FindingKind.UNKNOWN),
        ("/v1/payment_intents/pi_1/pay", {}, "/v1/payment_intents/pi_1/pay", FindingKind.UNKNOWN),
    ],
)
def test_a_wrong_request_is_caught(
    path: str, parameters: dict[str, Any], problem: str, kind: FindingKind
) -> None:
    assert (problem, kind) in _problems(check_request("POST", path, parameters))


def test_a_wrong_request_that_was_refused_is_no_violation() -> None:
    contract = Contract()
    refusal = {"error": {"type": "invalid_request_error", "code": "parameter_missing", "param": "amount"}}
    contract.check_exchange("POST", "/v1/payment_intents", {"currency": "eur"}, 400, refusal)
    assert contract.violations == []
    contract.check_exchange("POST", "/v1/payment_intents", {"currency": "eur"}, 200, INTENT)
    assert contract.violations == ["POST /v1/payment_intents 200: amount: is missing"]
    assert contract.checked == 2


def test_the_routes_that_the_product_uses_are_in_the_sdk() -> None:
    served = {f"{route.method} {route.template}" for route in list_routes()}
    assert {
        "POST /v1/payment_intents/{intent}/confirm",
        "POST /v1/refunds",
        "GET /v1/events",
        "POST /v1/payment_method_domains/{payment_method_domain}/validate",
        "POST /v2/core/account_links",
        "GET /v2/core/accounts/{id}",
        "POST /oauth/token",
    } <= served
