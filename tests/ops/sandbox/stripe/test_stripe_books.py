"""Whatever is asked of the Stripe sandbox, in any order: its books, its objects and its events say the same."""

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from ops.sandbox.stripe.refusals import ApiRefusal
from ops.sandbox.stripe.routing import Answer, Call, decode_pairs
from ops.sandbox.stripe.server import Sandbox

PAID_METHODS = ("4242424242424242", "4000000000007726", "4000000000005126")
METHODS = (
    "4242424242424242",
    "4000000000000002",
    "4000002760003184",
    "4000008400001629",
    "4000000000007726",
    "4000000000005126",
    "4000000000000259",
    "sepa_debit",
    "ideal",
)
ABSORBING = {"succeeded", "canceled"}

Owned = tuple[str, str]
"""An account, and something of it."""
Request = tuple[str, str, str, dict[str, Any], str]


class SandboxMachine(RuleBasedStateMachine):
    """Two accounts, payments on both, and every verb of the API and of the bank."""

    intents = Bundle("intents")
    refunds = Bundle("refunds")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sandbox = Sandbox()
        self.accounts = [self.sandbox.control.create_account() for _ in range(2)]
        self.ended: dict[str, str] = {}
        self.posts: list[tuple[Request, Answer]] = []

    def teardown(self) -> None:
        """Compare all there is at the end: what is wrong in between stays wrong, and reading it takes long."""
        try:
            self.compare_objects_with_books()
            self.compare_objects_with_events()
            assert self.sandbox.violations == []
        finally:
            self.runner.close()

    def ask(
        self, method: str, account_id: str, path: str, parameters: dict[str, Any] | None = None, key: str = ""
    ) -> Answer:
        """Send a request without a network, in the form that the SDK sends it."""
        headers = {"authorization": "Bearer sk_test_1", "stripe-account": account_id, "idempotency-key": key}
        path, _, query = path.partition("?")
        given = decode_pairs(query) | decode_pairs(urlencode(parameters or {}))
        call = Call(method, f"/v1/{path}", given, headers)
        return self.runner.run(self.sandbox.app.answer(call))

    def post(self, account_id: str, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Write under a key of its own, and keep the request and its answer."""
        request = ("POST", account_id, path, parameters, f"key-{len(self.posts)}")
        answer = self.ask(*request)
        assert isinstance(answer.body, dict)
        self.posts.append((request, Answer(json.loads(json.dumps(answer.body)), answer.status)))
        return answer.body

    def read(self, account_id: str, path: str) -> dict[str, Any]:
        answer = self.ask("GET", account_id, path)
        assert answer.status == 200
        assert isinstance(answer.body, dict)
        return answer.body

    @initialize(target=intents, method=st.sampled_from(PAID_METHODS))
    def pay(self, method: str) -> Any:
        """Begin with a payment, so that few steps lead to what may follow one."""
        intent = self.create(0, "eur", 60)
        self.confirm(intent, method)
        return intent

    @rule(
        target=intents,
        place=st.integers(0, 1),
        currency=st.sampled_from(("eur", "jpy")),
        amount=st.sampled_from((50, 60, 100)),
    )
    def create(self, place: int, currency: str, amount: int) -> Any:
        body = self.post(self.accounts[place], "payment_intents", {"amount": amount, "currency": currency})
        return self.accounts[place], str(body["id"])

    @rule(intent=intents, method=st.sampled_from(METHODS))
    def confirm(self, intent: Owned, method: str) -> None:
        account_id, intent_id = intent
        token = self.sandbox.control.create_confirmation_token(account_id, method)
        given = {"confirmation_token": token, "return_url": "https://example.com/"}
        self.post(account_id, f"payment_intents/{intent_id}/confirm", given)

    @rule(intent=intents)
    def cancel(self, intent: Owned) -> None:
        self.post(intent[0], f"payment_intents/{intent[1]}/cancel", {})

    @rule(intent=intents, verb=st.sampled_from(("settle", "fail")))
    def decide(self, intent: Owned, verb: str) -> None:
        """Let the payer or the bank decide; what waits for nobody is refused."""
        status = self.read(intent[0], f"payment_intents/{intent[1]}")["status"]
        try:
            getattr(self.sandbox.control, verb)(intent[1])
        except ApiRefusal:
            assert status not in {"processing", "requires_action"}
        else:
            assert status in {"processing", "requires_action"}

    @rule(target=refunds, intent=intents, amount=st.sampled_from((1, 40, 50, 61)))
    def refund(self, intent: Owned, amount: int) -> Any:
        body = self.post(intent[0], "refunds", {"payment_intent": intent[1], "amount": amount})
        return multiple() if "error" in body else str(body["id"])

    @rule(refund=refunds, verb=st.sampled_from(("settle_refund", "fail_refund")))
    def move_refund(self, refund: str, verb: str) -> None:
        getattr(self.sandbox.control, verb)(refund)

    @rule(intent=intents, funds=st.booleans(), verb=st.sampled_from(("", "win_dispute", "lose_dispute")))
    def dispute(self, intent: Owned, *, funds: bool, verb: str) -> None:
        """Let the bank ask about a charge or take its money, and decide; what it may not do is refused."""
        charge_id = self.read(intent[0], f"payment_intents/{intent[1]}")["latest_charge"]
        if charge_id is None:
            return
        with contextlib.suppress(ApiRefusal):
            dispute_id = self.sandbox.control.open_dispute(charge_id, funds=funds)
            if verb:
                getattr(self.sandbox.control, verb)(dispute_id)

    @precondition(lambda self: self.posts)
    @rule(number=st.integers(0, 50))
    def repeat(self, number: int) -> None:
        """The same request under the same key has the same answer, and does nothing."""
        request, first = self.posts[number % len(self.posts)]
        events = len(self.sandbox.pending)
        answer = self.ask(*request)
        assert (answer.status, answer.body) == (first.status, first.body)
        assert ("idempotent-replayed", "true") in answer.headers
        assert len(self.sandbox.pending) == events

    @rule(intent=intents)
    def trespass(self, intent: Owned) -> None:
        """The other account does not learn that the intent exists."""
        other = next(one for one in self.accounts if one != intent[0])
        for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/confirm")):
            assert self.ask(method, other, f"payment_intents/{intent[1]}{path}").status == 404

    def compare_objects_with_books(self) -> None:
        for account_id in self.accounts:
            account, books = self.sandbox.store.open(account_id), self.sandbox.books.read(account_id)
            paid = Counter(one.intent for one in account.charges.values() if one.status == "succeeded")
            assert max(paid.values(), default=0) <= 1
            for intent_id in account.intents:
                body = self.read(account_id, f"payment_intents/{intent_id}")
                assert (body["status"] == "succeeded") == (paid[intent_id] == 1)
                assert body["amount_received"] == (books[intent_id].charged if intent_id in books else 0)
                if intent_id not in books:
                    continue
                charge = self.read(account_id, f"charges/{body['latest_charge']}")
                sums = books[intent_id]
                assert charge["amount_captured"] == body["amount"] == sums.charged
                assert charge["amount_refunded"] == sums.refunded - sums.refund_failed
                assert 0 <= charge["amount_refunded"] <= charge["amount_captured"]
                disputes = self.read(account_id, f"disputes?payment_intent={intent_id}")["data"]
                moved = sum(one["amount"] for dispute in disputes for one in dispute["balance_transactions"])
                assert -moved == sums.taken_by_disputes
                assert 0 <= sums.taken_by_disputes <= sums.charged
                assert charge["refunded"] == (charge["amount_refunded"] == charge["amount"])

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        for account_id in self.accounts:
            for intent in self.sandbox.store.open(account_id).intents.values():
                before = self.ended.get(intent.id)
                assert before in {None, intent.status.value}
                if intent.status.value in ABSORBING:
                    self.ended[intent.id] = intent.status.value

    def compare_objects_with_events(self) -> None:
        for account_id in self.accounts:
            account = self.sandbox.store.open(account_id)
            last = {}
            for event in account.events.values():
                told = event["data"]["object"]
                last[told["id"]] = told
            for told in last.values():
                body = self.read(account_id, f"{told['object']}s/{told['id']}")
                # Not what is refunded: of a refund that fails, Stripe sends the refund alone, and not its charge.
                fields = {"status", "amount", "amount_received", "last_payment_error"} & body.keys()
                assert {name: body[name] for name in fields} == {name: told[name] for name in fields}


TestSandboxBooks = SandboxMachine.TestCase
TestSandboxBooks.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
