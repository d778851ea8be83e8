"""How each action on payments that runs in its caller's unit of work is called, and what it emits."""

from __future__ import annotations

from tenants.payments import actions
from tenants.payments.actions.settling import settle
from tests.fakes.payment_scenes import NEEDS_ACTION, PaymentScene, open_payment_scene
from tests.fakes.sample_workspaces import SampleWorkspace, euros
from tests.tenants.exercises import CLOCK, Call, call, exercise


async def settle_call(scene: PaymentScene, intent_id: str) -> Call:
    return call(await scene.load_picture(intent_id), account_id=scene.account_id, clock=CLOCK)


@exercise(
    actions.record_payment, "ledger.entry_added", entry_kind="manual", amount_minor=1_900, currency="EUR"
)
async def record_a_bank_payment(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), euros("19"), clock=CLOCK)


@exercise(actions.record_payment, "ledger.entry_added", entry_kind="credit", amount_minor=1_900)
async def record_a_credit(workspace: SampleWorkspace) -> Call:
    return call(await workspace.issue_invoice(), euros("19"), is_credit=True, clock=CLOCK)


@exercise(settle, "ledger.entry_added", entry_kind="charge", amount_minor=11_900, is_late=False)
async def settle_a_payment_that_succeeded(workspace: SampleWorkspace) -> Call:
    async with open_payment_scene(workspace) as scene:
        progress = await scene.pay(method=NEEDS_ACTION)
        scene.settle_at_bank(progress.intent_id)
        return await settle_call(scene, progress.intent_id)


@exercise(settle, "ledger.entry_added", entry_kind="charge", is_late=True)
async def settle_a_payment_that_succeeded_late(workspace: SampleWorkspace) -> Call:
    async with open_payment_scene(workspace) as scene:
        progress = await scene.pay(method=NEEDS_ACTION)
        await scene.expire(progress.attempt_id)
        await scene.check(progress.attempt_id)
        scene.succeed_late(progress.intent_id)
        return await settle_call(scene, progress.intent_id)


@exercise(settle, "ledger.entry_added", "dispute.changed", before=None, after="open")
async def settle_a_payment_that_is_disputed(workspace: SampleWorkspace) -> Call:
    async with open_payment_scene(workspace) as scene:
        progress = await scene.pay()
        scene.open_dispute(progress.intent_id)
        return await settle_call(scene, progress.intent_id)


@exercise(settle, "ledger.entry_added", "refund.ended", state="succeeded")
async def settle_a_payment_that_was_refunded(workspace: SampleWorkspace) -> Call:
    async with open_payment_scene(workspace) as scene:
        progress = await scene.pay()
        async with workspace.database.scope(workspace.workspace_id):
            refund_id = await actions.request_refund(scene.invoice_id, progress.attempt_id, euros("19"))
        await scene.processor.create_refund(
            scene.account_id, progress.intent_id, refund_id=refund_id, amount=euros("19")
        )
        return await settle_call(scene, progress.intent_id)


@exercise(actions.request_refund, "refund.requested", amount_minor=1_900, currency="EUR")
async def request_a_refund(workspace: SampleWorkspace) -> Call:
    async with open_payment_scene(workspace) as scene:
        progress = await scene.pay()
        return call(scene.invoice_id, progress.attempt_id, euros("19"))
