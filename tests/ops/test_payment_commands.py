"""portal payment, and the settings of how a workspace is paid: the staff's side until the console exists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, fetch_value
from kernel.store.roles import Urls
from ops.cli import portal
from tests.fakes.payment_scenes import NEEDS_ACTION, PaymentScene, open_payment_scene
from tests.fakes.sample_workspaces import create_sample_workspace

NUMBER = "INV-00001"
Portal = Callable[..., Awaitable[Result]]


@pytest.fixture
async def scene(database: Database, settings: Settings) -> AsyncIterator[PaymentScene]:
    workspace = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    async with open_payment_scene(workspace) as opened:
        yield opened


@pytest.fixture
def run_portal(urls: Urls, redis_url: str) -> Portal:
    """Run a command against this worker's database."""
    environ = {"PORTAL_PROFILE": "test", "PORTAL_DATABASE_URL": urls.app, "PORTAL_REDIS_URL": redis_url}

    async def invoke(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, portal, list(words), env=environ)

    return invoke


async def run_json(run_portal: Portal, *words: str) -> Any:
    result = await run_portal(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_staff_books_a_transfer_and_a_credit_and_reads_the_ledger(
    run_portal: Portal, scene: PaymentScene
) -> None:
    at = ("--workspace", scene.workspace.slug)
    empty = await run_portal("payment", "list", NUMBER, *at)
    assert empty.stdout == "Nothing was paid for this invoice.\n"
    day = ("--received", "2026-03-10", "--reference", "RF18")
    booked = await run_json(run_portal, "payment", "record", NUMBER, "19.00", *day, *at)
    assert (booked["paid"], booked["outstanding"], booked["state"]) == (
        "19.00 EUR",
        "100.00 EUR",
        "partly_paid",
    )
    await run_json(run_portal, "payment", "record", NUMBER, "110", "--credit", *at)
    rows = await run_json(run_portal, "payment", "list", NUMBER, *at)
    assert [(row["kind"], row["amount"], row["reference"]) for row in rows] == [
        ("manual", "19.00 EUR", "RF18"),
        ("credit", "110.00 EUR", ""),
    ]
    assert rows[0]["occurred_at"].startswith("2026-03-10")
    shown = await run_json(run_portal, "payment", "show", NUMBER, *at)
    assert (shown["state"], shown["outstanding"], shown["attempts"]) == ("overpaid", "-10.00 EUR", [])


@pytest.mark.parametrize("amount", ["much", "1.234", "0"])
async def test_what_is_no_amount_is_refused(run_portal: Portal, scene: PaymentScene, amount: str) -> None:
    result = await run_portal("payment", "record", NUMBER, amount, "--workspace", scene.workspace.slug)
    assert result.exit_code != 0
    assert await scene.list_entries() == ()


async def test_staff_sees_the_attempts_and_refunds_a_payment(run_portal: Portal, scene: PaymentScene) -> None:
    at = ("--workspace", scene.workspace.slug)
    await scene.pay("50")
    await scene.pay("20", method=NEEDS_ACTION)
    shown = await run_json(run_portal, "payment", "show", NUMBER, *at)
    assert [(each["state"], each["amount"], each["payer"]) for each in shown["attempts"]] == [
        ("succeeded", "50.00 EUR", "Ana"),
        ("requires_action", "20.00 EUR", "Ana"),
    ]
    assert (shown["paid"], shown["held"]) == ("50.00 EUR", "20.00 EUR")
    refunded = await run_json(run_portal, "payment", "refund", NUMBER, "10", *at)
    assert refunded["state"] == "requested"
    async with scene.context.scope():
        assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'payments.refund_payment'") == 1
    too_much = await run_portal("payment", "refund", NUMBER, "41", *at)
    assert (too_much.exit_code, "refund.too_large" in too_much.stderr) == (1, True)


async def test_of_several_payments_the_one_to_refund_is_named(
    run_portal: Portal, scene: PaymentScene
) -> None:
    at = ("--workspace", scene.workspace.slug)
    nothing = await run_portal("payment", "refund", NUMBER, "10", *at)
    assert (nothing.exit_code, "payment.not_found" in nothing.stderr) == (1, True)
    first, _ = await scene.pay("50"), await scene.pay("69")
    unclear = await run_portal("payment", "refund", NUMBER, "10", *at)
    assert (unclear.exit_code, "--payment" in unclear.stderr) == (2, True)
    named = await run_json(
        run_portal, "payment", "refund", NUMBER, "10", "--payment", str(first.attempt_id), *at
    )
    assert named["payment"] == str(first.attempt_id)


async def test_staff_sets_how_the_workspace_is_paid(run_portal: Portal, scene: PaymentScene) -> None:
    change = ("workspace", "set", scene.workspace.slug)
    bank = ("--bank-account", "DE89 3704 0044 0532 0130 00", "--bank-holder", "Acme GmbH")
    shown = await run_json(run_portal, *change, "--live-mode", "--no-part-payments", *bank)
    assert (shown["payment_mode"], shown["part_payments"], shown["bank"]) == (
        "live",
        False,
        "Acme GmbH, DE89370400440532013000",
    )
    shown = await run_json(run_portal, *change, "--bank-bic", "cobadeffxxx", "--test-mode")
    assert (shown["payment_mode"], shown["bank"]) == (
        "test",
        "Acme GmbH, DE89370400440532013000, COBADEFFXXX",
    )
    assert (await run_json(run_portal, *change, "--bank-account", ""))["bank"] == ""


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--bank-account", "DE89 3704 0044 0532 0130 01"), "bank.account"),
        (("--bank-account", "1", "--bank-bic", "COBA"), "bank.bic"),
        (("--bank-holder", "Acme"), "bank.incomplete"),
        (("--bank-account", "1", "--bank-name", "x" * 201), "bank.text"),
    ],
)
async def test_bank_details_that_are_wrong_are_refused(
    run_portal: Portal, scene: PaymentScene, options: tuple[str, ...], code: str
) -> None:
    result = await run_portal("workspace", "set", scene.workspace.slug, *options)
    assert (result.exit_code, code in result.stderr) == (1, True)
