"""Void, write off and edit an invoice while somebody pays it: cancelled at the provider first, or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from kernel.errors import Conflict, Unavailable
from tenants.invoices import actions as invoices
from tenants.invoices.status import InvoiceStatus
from tenants.payments.actions import add_invoice_version, void_invoice, write_off_invoice
from tenants.payments.states import AttemptState
from tests.fakes.payment_scenes import CANCEL, NEEDS_ACTION, TAKES_DAYS, PaymentScene
from tests.fakes.sample_workspaces import build_content, euros

Change = Callable[[PaymentScene], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "void": lambda scene: void_invoice(scene.context, scene.invoice_id),
    "write off": lambda scene: write_off_invoice(scene.context, scene.invoice_id),
    "edit": lambda scene: add_invoice_version(scene.context, scene.invoice_id, build_content("50")),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_an_open_payment_is_cancelled_at_the_provider_first(scene: PaymentScene, name: str) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    await CHANGES[name](scene)
    assert (await scene.load_attempt(progress.attempt_id)).state is AttemptState.CANCELED
    assert (await scene.load_invoice()).held == euros("0")


@pytest.mark.parametrize("name", CHANGES)
async def test_while_the_provider_cannot_be_asked_nothing_changes(scene: PaymentScene, name: str) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    scene.refuse(CANCEL)
    with pytest.raises(Unavailable):
        await CHANGES[name](scene)
    found = await scene.load_invoice()
    assert (found.status, found.version, found.held) == (InvoiceStatus.ISSUED, 1, euros("119"))
    assert (await scene.load_attempt(progress.attempt_id)).state is AttemptState.REQUIRES_ACTION


@pytest.mark.parametrize("name", CHANGES)
async def test_what_is_being_processed_stands_in_the_way(scene: PaymentScene, name: str) -> None:
    await scene.pay("80", method=TAKES_DAYS)
    with pytest.raises(Conflict) as caught:
        await CHANGES[name](scene)
    assert caught.value.code == "invoice.payment_under_way"
    assert (await scene.load_invoice()).held == euros("80")


async def test_a_total_that_covers_what_is_processed_is_allowed(scene: PaymentScene) -> None:
    await scene.pay("80", method=TAKES_DAYS)
    await add_invoice_version(scene.context, scene.invoice_id, build_content("70"))
    found = await scene.load_invoice()
    assert (found.version, found.total, found.held) == (2, euros("83.30"), euros("80"))


@pytest.mark.parametrize("name", CHANGES)
async def test_who_was_faster_than_the_cancellation_has_paid(scene: PaymentScene, name: str) -> None:
    progress = await scene.pay(method=NEEDS_ACTION)
    scene.settle_at_bank(progress.intent_id)
    if name == "edit":
        await CHANGES[name](scene)
    else:
        with pytest.raises(Conflict) as caught:
            await CHANGES[name](scene)
        assert caught.value.code in {"invoice.has_payments", "invoice.paid"}
    assert (await scene.load_invoice()).paid == euros("119")


@pytest.mark.parametrize("name", ["void", "write off", "edit"])
async def test_without_the_provider_no_open_payment_is_overlooked(scene: PaymentScene, name: str) -> None:
    await scene.pay(method=NEEDS_ACTION)
    async with scene.context.scope():
        with pytest.raises(Conflict) as caught:
            if name == "void":
                await invoices.void(scene.invoice_id, clock=scene.clock)
            elif name == "write off":
                await invoices.write_off(scene.invoice_id, clock=scene.clock)
            else:
                await invoices.add_version(scene.invoice_id, build_content("500"), clock=scene.clock)
    assert caught.value.code == "invoice.payment_under_way"
