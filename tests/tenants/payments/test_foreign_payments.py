"""Actions that open units of work of their own: with ids of another workspace they do nothing, and ask nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from kernel.errors import Missing
from kernel.store import Database
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.payments import actions
from tenants.payments.actions.context import PaymentContext
from tenants.payments.values import PaymentRequest
from tests.fakes.payment_scenes import NEEDS_ACTION, PAYER, RETURN_URL, PaymentScene, open_payment_scene
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, euros
from tests.tenants.isolation_calls import load_all_rows
from tests.tenants.payments.isolation_calls import TESTED_SEPARATELY


@dataclass(frozen=True, slots=True)
class Theirs:
    """Ids of the other workspace: an invoice that is being paid, and one that was paid and is to be refunded."""

    invoice_id: InvoiceId
    attempt_id: AttemptId
    number: int
    refund_id: RefundId


async def begin(context: PaymentContext, theirs: Theirs, *, take_over: bool) -> object:
    request = PaymentRequest(
        amount=euros("119"),
        version=1,
        nonce="mine",
        confirmation_token="ctoken_mine",
        return_url=RETURN_URL,
        take_over=take_over,
    )
    return await actions.begin(
        context.database,
        context.processor,
        context.workspace_id,
        theirs.invoice_id,
        request,
        payer=PAYER,
        clock=context.clock,
    )


Call = Callable[[PaymentContext, Theirs], Awaitable[object]]
CALLS: dict[str, Call] = {
    "begin": lambda me, x: begin(me, x, take_over=False),
    "begin and take over": lambda me, x: begin(me, x, take_over=True),
    "follow": lambda me, x: actions.follow(me, x.invoice_id, x.attempt_id),
    "cancel_payment": lambda me, x: actions.cancel_payment(me, x.invoice_id, x.attempt_id),
    "check_payment": lambda me, x: actions.check_payment(me, x.attempt_id, x.number),
    "send_refund": lambda me, x: actions.send_refund(me, x.refund_id),
    "void_invoice": lambda me, x: actions.void_invoice(me, x.invoice_id),
    "write_off_invoice": lambda me, x: actions.write_off_invoice(me, x.invoice_id),
    "add_invoice_version": lambda me, x: actions.add_invoice_version(me, x.invoice_id, build_content("50")),
    "cancel_open_payments": lambda me, x: actions.cancel_open_payments(me, x.invoice_id),
}
# It has nothing to cancel, which is no error.
SILENT = {"cancel_open_payments"}


async def add_theirs(scene: PaymentScene) -> Theirs:
    waiting = await scene.pay(method=NEEDS_ACTION)
    paid_invoice = await scene.workspace.issue_invoice()
    paid = await replace(scene, invoice_id=paid_invoice).pay()
    async with scene.context.scope():
        refund_id = await actions.request_refund(paid_invoice, paid.attempt_id, euros("19"))
    number = (await scene.load_attempt(waiting.attempt_id)).checks
    return Theirs(scene.invoice_id, waiting.attempt_id, number, refund_id)


def test_every_action_that_is_tested_separately_is_tested_here() -> None:
    here = {f"payment_actions.{name}" for name in CALLS if " " not in name}
    assert here == {name for name in TESTED_SEPARATELY if name.startswith("payment_actions.")}


@pytest.mark.parametrize("role", ["app", "svc"])
@pytest.mark.parametrize("name", CALLS)
async def test_with_the_others_ids_nothing_is_done_and_nobody_asked(
    scene: PaymentScene, rival: SampleWorkspace, svc: Database, name: str, role: str
) -> None:
    """Role svc sees every row: there each statement has to name its workspace."""
    theirs = await add_theirs(scene)
    async with open_payment_scene(rival) as mine:
        database = rival.database if role == "app" else svc
        me = PaymentContext(database, scene.processor, rival.workspace_id, scene.clock, PAYER)
        before = [
            await load_all_rows(svc, each) for each in (scene.workspace.workspace_id, rival.workspace_id)
        ]
        asked = scene.sandbox.contract.checked
        if name in SILENT:
            await CALLS[name](me, theirs)
        else:
            with pytest.raises(Missing):
                await CALLS[name](me, theirs)
        after = [
            await load_all_rows(svc, each) for each in (scene.workspace.workspace_id, rival.workspace_id)
        ]
        assert after == before
        assert scene.sandbox.contract.checked == asked
        assert mine.count_intents() == 0
