"""Whichever process of a payment is killed, at whatever moment: no debt is paid twice, and the books agree."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict, Invalid
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.settings import Settings
from kernel.store import Database, execute, fetch
from kernel.store.roles import Urls
from ops.sandbox.stripe.server import open_sandbox
from tests.fakes.paid_workspaces import (
    ASKS_ACTION,
    BANK_DEBIT,
    CARD,
    DECLINED,
    PaidWorkspace,
    open_paid_workspace,
)
from tests.fakes.payment_processes import LEASE, ProcessStarter, kill
from tests.fakes.probes import read_sample
from tests.fakes.sample_workspaces import create_sample_workspace

ROUNDS = 20
ROLES = ("gateway", "worker", "reconciler")
METHODS = (CARD, BANK_DEBIT, DECLINED, ASKS_ACTION)
#: About as long as a process lives that nobody kills.
LIFE_S = 0.25
# The payers are gone: what they left open is over.
EXPIRE = "UPDATE payment_attempt SET expires_at = now() WHERE workspace_id = $1 AND expires_at IS NOT NULL"
OVERPAID = "SELECT invoice_id FROM invoice WHERE workspace_id = $1 AND paid_minor + held_minor > total_minor"

ADD_EVENT = """
INSERT INTO stripe_inbox (workspace_id, scope, account_id, event_id, kind, subject, intent_id, is_live, source, state,
                          occurred_at, received_at, ended_at)
VALUES ($1, 'connect', 'acct_1', 'evt_' || $2, 'payment_intent.succeeded', 'payment', 'pi_1', false, 'delivery', $2,
        now(), now() - interval '1 minute', CASE WHEN $2 = 'parked' THEN now() END)
"""


@pytest.fixture
def starter() -> Iterator[ProcessStarter]:
    """What starts the processes."""
    opened = ProcessStarter.open()
    yield opened
    opened.close()


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[PaidWorkspace]:
    """A workspace that is paid through a Stripe of the test's own."""
    workspace = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    async with open_sandbox() as sandbox, open_paid_workspace(workspace, sandbox) as opened:
        yield opened


async def test_killed_at_random_moments_nothing_is_lost_or_paid_twice(
    world: PaidWorkspace, starter: ProcessStarter, urls: Urls
) -> None:
    rng, killed = random.Random(secrets.randbits(32)), Counter[str]()
    order: dict[str, Any] = {
        "database_url": urls.app,
        "api_url": world.sandbox.base_url,
        "workspace_id": str(world.workspace.workspace_id),
        "account_id": world.account_id,
    }
    for number in range(ROUNDS):
        role = ROLES[number % len(ROLES)]
        invoice_id, nonce = await world.issue_invoice(), secrets.token_hex(8)
        token = world.make_token(rng.choice(METHODS))
        if role != "gateway":
            paid = await world.pay(invoice_id, method=BANK_DEBIT)
            world.sandbox.control.settle(paid.intent_id)
            if role == "reconciler":
                world.take_events()
            await world.deliver_all()
        pid = starter.start(
            order | {"role": role, "invoice_id": str(invoice_id), "nonce": nonce, "token": token}
        )
        await asyncio.sleep(rng.uniform(0, LIFE_S))
        killed[role] += kill(pid)
        if role == "gateway":
            # The payer clicks again, and a second payer comes.
            for again in (nonce, secrets.token_hex(8)):
                await pay_unless_refused(world, invoice_id, again)
    assert min(killed.values()) >= ROUNDS // len(ROLES) // 2, killed
    await bring_to_rest(world)
    assert await find_overpaid(world) == []
    books = world.read_books()
    assert await world.read_ledger() == books
    assert sum(books.values()) >= 11_900 * ROUNDS // 2
    assert world.sandbox.violations == []


async def pay_unless_refused(world: PaidWorkspace, invoice_id: Any, nonce: str) -> None:
    """Pay; another payment may hold the amount."""
    try:
        await world.pay(invoice_id, nonce=nonce)
    except (Conflict, Invalid):
        return


async def bring_to_rest(world: PaidWorkspace) -> None:
    """Let leases and payments expire, and everybody do what is left."""
    await asyncio.sleep(LEASE.total_seconds())
    await world.deliver_all()
    await world.run_jobs(rounds=1)
    async with world.database.scope(world.workspace.workspace_id):
        await execute(EXPIRE, world.workspace.workspace_id)
    await world.run_jobs(rounds=3)
    await world.reconcile()


async def find_overpaid(world: PaidWorkspace) -> list[Any]:
    """Return invoices of which more is paid or held than they are worth."""
    async with world.database.scope(world.workspace.workspace_id, read_only=True):
        return await fetch(OVERPAID, world.workspace.workspace_id)


async def test_the_relay_measures_how_long_events_wait_and_how_many_are_parked(deployment: Any) -> None:
    relay = await deployment.start("relay")
    workspace = await create_sample_workspace(
        deployment.database, Sealer((("test", DEMO_SECRET),)), SystemClock()
    )
    async with deployment.database.scope(workspace.workspace_id):
        for state in ("received", "parked"):
            await execute(ADD_EVENT, workspace.workspace_id, state)

    async def are_measured() -> bool:
        oldest = read_sample(relay, "portal_stripe_inbox_oldest_seconds")
        return (oldest or 0) >= 60 and read_sample(relay, "portal_stripe_inbox_parked_count") == 1

    await deployment.wait_until(are_measured)
