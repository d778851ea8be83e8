"""What the isolation tests call of payments; the two workspaces are those of `tests.tenants.isolation_calls`."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.store import execute
from tenants.connect.client import StripeApi
from tenants.connect.processor import StripeProcessor
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.payments import actions, queries
from tenants.payments.actions.rows import insert_attempt, move_attempt
from tenants.payments.processor import Charge, ProviderPayment, ProviderStatus
from tenants.payments.states import TIMINGS, AttemptState
from tenants.payments.values import Settlement
from tenants.workspaces import actions as workspace_actions
from tenants.workspaces import queries as workspace_queries
from tenants.workspaces.profile import BankDetails
from tests.fakes.payment_scenes import PAYER
from tests.fakes.sample_workspaces import SampleWorkspace, euros
from tests.fakes.scripted_stripe import build_settings
from tests.tenants.connect import isolation_calls as connect_calls
from tests.tenants.connect.isolation_calls import Call, check_equal

CLOCK = SystemClock()
INTENT = "pi_isolation"
#: Stripe is not asked.
NOWHERE = "http://127.0.0.1:9"
TABLES = (
    "payment_attempt",
    "ledger_entry",
    "payment_refund",
    "payment_dispute",
    "stripe_connection",
    "stripe_onboarding",
    "stripe_payment_domain",
)
_INSERT_DISPUTE = """
INSERT INTO payment_dispute (workspace_id, dispute_id, invoice_id, attempt_id, source_id, amount_minor, status,
                             opened_at)
VALUES ($1, gen_random_uuid(), $2, $3, 'dp_isolation', 100, 'inquiry', now())
"""


@dataclass(frozen=True, slots=True)
class ForeignPayment:
    """A payment of the other workspace, or of none."""

    attempt_id: AttemptId
    refund_id: RefundId
    account_id: str
    picture: ProviderPayment | None


def make_nobodys_payment() -> ForeignPayment:
    """Return ids that do not exist."""
    return ForeignPayment(AttemptId(new_id()), RefundId(new_id()), "acct_nobodys", None)


async def add_payment(owner: SampleWorkspace, invoice_id: InvoiceId) -> ForeignPayment:
    """Pay an invoice, and ask for a refund, in an open unit of work; the amounts do not matter here."""
    account_id = f"acct_{owner.workspace_id.hex}"
    attempt = await insert_attempt(
        invoice_id, euros("1"), account_id=account_id, nonce="click", payer=PAYER, timings=TIMINGS
    )
    await move_attempt(attempt, AttemptState.CONFIRMING, intent_id=INTENT, clock=CLOCK, timings=TIMINGS)
    now = CLOCK.now()
    picture = ProviderPayment(
        INTENT,
        ProviderStatus.SUCCEEDED,
        euros("1"),
        is_live=False,
        created_at=now,
        attempt_id=attempt.attempt_id,
        charge=Charge(f"ch_{account_id}", euros("1"), now),
    )
    await actions.settle(picture, account_id=account_id, clock=CLOCK)
    refund_id = await actions.request_refund(invoice_id, attempt.attempt_id, euros("1"))
    await execute(_INSERT_DISPUTE, owner.workspace_id, invoice_id, attempt.attempt_id)
    return ForeignPayment(attempt.attempt_id, refund_id, account_id, picture)


async def _settle(x: Any) -> Settlement:
    if x.payment.picture is None:
        return Settlement.NOT_OURS
    return await actions.settle(x.payment.picture, account_id=x.payment.account_id, clock=CLOCK)


async def _load_offer(x: Any) -> object:
    processor = StripeProcessor(StripeApi(build_settings(NOWHERE)))
    return await queries.load_offer(processor, x.invoice_id, clock=CLOCK)


def _check_empty(found: Awaitable[object]) -> Awaitable[object]:
    return check_equal((), found)


# Together with those of connections.
CALLS_WITH_FOREIGN_IDS: dict[str, Call] = connect_calls.CALLS_WITH_FOREIGN_IDS | {
    "payment_actions.record_payment": lambda x, _: actions.record_payment(
        x.invoice_id, euros("119"), clock=CLOCK
    ),
    "payment_actions.request_refund": lambda x, _: actions.request_refund(
        x.invoice_id, x.payment.attempt_id, euros("1")
    ),
    "payment_queries.load_attempt": lambda x, _: queries.load_attempt(x.payment.attempt_id),
    "payment_queries.load_refund": lambda x, _: queries.load_refund(x.payment.refund_id),
    "payment_queries.load_offer": lambda x, _: _load_offer(x),
}
CALLS_WITHOUT_IDS: dict[str, Call] = connect_calls.CALLS_WITHOUT_IDS | {
    "payment_actions.settle": lambda x, _: check_equal(Settlement.NOT_OURS, _settle(x)),
    "payment_actions.restart_checks": lambda _, __: check_equal(0, actions.restart_checks()),
    "payment_actions.resume_payments": lambda x, _: check_equal(
        0, actions.resume_payments(x.payment.account_id)
    ),
    "payment_queries.find_known_intents": lambda x, _: check_equal(
        frozenset(), queries.find_known_intents(x.payment.account_id, [INTENT])
    ),
    "payment_queries.list_attempts": lambda x, _: _check_empty(queries.list_attempts(x.invoice_id)),
    "payment_queries.list_active_attempts": lambda x, _: _check_empty(
        queries.list_active_attempts(x.invoice_id)
    ),
    "payment_queries.list_entries": lambda x, _: _check_empty(queries.list_entries(x.invoice_id)),
    "payment_queries.list_refunds": lambda x, _: _check_empty(queries.list_refunds(x.invoice_id)),
    "payment_queries.load_policy": lambda _, __: queries.load_policy(),
    "workspace_actions.set_bank_details": lambda _, __: workspace_actions.set_bank_details(
        BankDetails(account="12345678")
    ),
    "workspace_actions.set_payment_settings": lambda _, __: workspace_actions.set_payment_settings(
        takes_parts=True
    ),
    "workspace_queries.load_payment_settings": lambda _, __: workspace_queries.load_payment_settings(),
}
# They open units of work of their own: tests/tenants/payments tries them with foreign ids.
TESTED_SEPARATELY = connect_calls.TESTED_SEPARATELY | {
    f"payment_actions.{name}"
    for name in (
        "add_invoice_version",
        "begin",
        "cancel_open_payments",
        "cancel_payment",
        "check_payment",
        "follow",
        "send_refund",
        "void_invoice",
        "write_off_invoice",
    )
}
