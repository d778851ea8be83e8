"""Deliveries of the Stripe sandbox over HTTP to the gateway, as the demo has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from ops.sandbox.stripe.asgi import serve
from ops.sandbox.stripe.deliveries import DeliveryPlan, Signing
from ops.sandbox.stripe.server import open_sandbox
from tests.fakes.paid_workspaces import BANK_DEBIT, CARD, PaidWorkspace, open_paid_workspace
from tests.fakes.sample_workspaces import create_sample_workspace
from tests.fakes.scripted_stripe import build_settings


@dataclass(frozen=True, slots=True)
class Installation:
    """A gateway on a port, a sandbox that delivers there, and a workspace that is paid through it."""

    portal: Any
    world: PaidWorkspace

    def count(self, result: str) -> float:
        """Return how many deliveries had a result."""
        return float(self.portal.count("portal_stripe_deliveries_total", scope="connect", result=result))

    def count_refusals(self) -> float:
        """Return how many were signed with a secret that is not ours."""
        return float(
            self.portal.count("portal_stripe_signature_failures_total", scope="connect", reason="signature")
        )


@pytest.fixture
async def installation(
    make_portal: Any, database: Database, settings: Settings
) -> AsyncIterator[Installation]:
    keys = build_settings("http://127.0.0.1:9")
    portal = make_portal(stripe=keys)
    workspace = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    async with (
        serve(portal.gateway) as url,
        open_sandbox(
            account_secrets=keys.account_webhook_secrets,
            connect_secrets=keys.connect_webhook_secrets,
            hooks_url=url.replace("127.0.0.1", "hooks.localhost"),
        ) as sandbox,
        open_paid_workspace(workspace, sandbox) as world,
    ):
        yield Installation(portal, world)
        assert list(sandbox.violations) == []


async def pay_and_give_back(world: PaidWorkspace) -> None:
    control = world.sandbox.control
    debit = await world.pay(await world.issue_invoice(), method=BANK_DEBIT)
    control.settle(debit.intent_id)
    refunded, disputed = [await world.pay(await world.issue_invoice(), method=CARD) for _ in range(2)]
    control.refund(world.find_charge(refunded.intent_id), 1_900)
    control.open_dispute(world.find_charge(disputed.intent_id))


async def test_deliveries_that_are_doubled_shuffled_and_signed_wrongly_at_first_end_in_stripes_books(
    installation: Installation,
) -> None:
    world, control = installation.world, installation.world.sandbox.control
    await control.deliver_all()
    control.plan_deliveries(DeliveryPlan(copies=2, is_shuffled=True, signing=Signing.WRONG_SECRET))
    await pay_and_give_back(world)
    sent = len(world.sandbox.deliveries.pending)
    assert {result.status for result in await control.deliver_pending()} == {400}
    assert installation.count_refusals() == sent
    await world.run_jobs()
    assert await world.read_ledger() != world.read_books()
    assert await control.deliver_all()
    await world.run_jobs()
    assert await world.read_ledger() == world.read_books()
    assert installation.count("stored") == installation.count("repeated") > 0
