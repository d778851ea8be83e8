"""The ledger: only added to, in the invoice's own currency, and what the invoice says is always its sum."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from kernel.errors import Conflict, Invalid, Missing
from kernel.ids import new_id
from kernel.money import Money, find_currency
from kernel.store import Database, execute, fetch_one, fetch_value
from kernel.store.migrations import migrate
from kernel.store.pool import Connection
from kernel.store.roles import Urls
from tenants import schema
from tenants.ids import InvoiceId
from tenants.invoices.status import InvoiceStatus
from tenants.payments.actions import record_payment
from tenants.payments.values import EntryKind
from tests.fakes.payment_scenes import NEEDS_ACTION, TAKES_DAYS, PaymentScene
from tests.fakes.sample_workspaces import SampleWorkspace, euros

LEDGER_MIGRATION = 14
INSERT = """
INSERT INTO ledger_entry
    (workspace_id, entry_id, invoice_id, kind, source_id, currency, amount_minor, attempt_id, occurred_at)
VALUES ($1, gen_random_uuid(), $2, $3, gen_random_uuid()::text, $4, $5, $6, now())
"""
# A paid invoice as it was before the ledger, by the columns of that time.
OLDER_ROWS = """
INSERT INTO workspace (workspace_id, slug, name, locale, time_zone, currency, brand_colour, payment_days, link_days,
                       cname_label, data_key, created_at)
VALUES ('{workspace}', 'older', 'Older', 'en-US', 'UTC', 'EUR', '#336699', 14, 30, 'abcdefghijklmnop', '', now());
INSERT INTO customer (workspace_id, customer_id, name, match_key, created_at)
VALUES ('{workspace}', '{customer}', 'B', 'b', now());
INSERT INTO invoice (workspace_id, invoice_id, customer_id, status, number, version, currency, total_minor, paid_minor,
                     buyer_name, issue_date, created_at, changed_at, issued_at)
VALUES ('{workspace}', '{invoice}', '{customer}', 'paid', 'A-1', 1, 'EUR', 100, 120, 'B', now(), now(), now(), now());
INSERT INTO invoice_version (workspace_id, invoice_id, version, content, totals, created_at, issued_at)
VALUES ('{workspace}', '{invoice}', 1, '{{}}', '{{}}', now(), now());
"""


async def record(scene: PaymentScene, amount: str, **options: object) -> None:
    async with scene.context.scope():
        await record_payment(scene.invoice_id, euros(amount), clock=scene.clock, **options)  # type: ignore[arg-type]


async def test_what_came_by_bank_and_what_was_credited_is_paid(scene: PaymentScene) -> None:
    await record(scene, "19", reference="  RF18\n 5390 ")
    await record(scene, "50", is_credit=True)
    await record(scene, "-9")
    assert (await scene.load_invoice()).paid == euros("60")
    entries = await scene.list_entries()
    assert [entry.kind for entry in entries] == [EntryKind.MANUAL, EntryKind.CREDIT, EntryKind.MANUAL]
    assert entries[0].reference == "RF18 5390"


async def test_paid_may_be_too_much_or_less_than_nothing(scene: PaymentScene) -> None:
    await record(scene, "500")
    assert (await scene.load_invoice()).paid == euros("500")
    await record(scene, "-510")
    assert (await scene.load_invoice()).paid == euros("-10")


async def test_nothing_is_booked_for_nothing_in_another_currency_or_for_a_draft(scene: PaymentScene) -> None:
    draft = await scene.workspace.create_draft()
    codes = []
    for invoice_id, amount in (
        (scene.invoice_id, euros("0")),
        (scene.invoice_id, Money(100, find_currency("USD"))),
        (draft, euros("1")),
        (InvoiceId(new_id()), euros("1")),
    ):
        async with scene.context.scope():
            with pytest.raises((Invalid, Conflict, Missing)) as caught:
                await record_payment(invoice_id, amount, clock=scene.clock)
        codes.append(caught.value.code)
    assert codes == ["payment.zero", "money.currency", "invoice.status", "invoice.not_found"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET amount_minor = 1",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
    ],
)
@pytest.mark.parametrize("role", ["app", "svc", "owner"])
async def test_no_role_changes_an_entry(scene: PaymentScene, urls: Urls, statement: str, role: str) -> None:
    await record(scene, "19")
    connection: Connection = await asyncpg.connect(getattr(urls, role))
    try:
        await connection.execute(f"SET app.workspace = '{scene.workspace.workspace_id}'")
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert (await scene.load_invoice()).paid == euros("19")


@pytest.mark.parametrize(
    ("kind", "currency", "amount", "error"),
    [
        ("manual", "USD", 100, asyncpg.CheckViolationError),
        ("manual", "EUR", 0, asyncpg.CheckViolationError),
        ("refund", "EUR", 100, asyncpg.CheckViolationError),
        ("charge", "EUR", -100, asyncpg.CheckViolationError),
        ("charge", "EUR", 100, asyncpg.CheckViolationError),
        ("gift", "EUR", 100, asyncpg.CheckViolationError),
    ],
    ids=[
        "other currency",
        "zero",
        "refund that adds",
        "charge that takes",
        "charge of no attempt",
        "unknown kind",
    ],
)
async def test_the_database_refuses_an_entry_that_cannot_be(
    scene: PaymentScene, kind: str, currency: str, amount: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with scene.context.scope():
            await execute(
                INSERT, scene.workspace.workspace_id, scene.invoice_id, kind, currency, amount, None
            )
    assert await scene.list_entries() == ()


async def test_the_database_refuses_an_entry_of_another_workspaces_invoice(
    scene: PaymentScene, rival: SampleWorkspace
) -> None:
    theirs = await rival.issue_invoice()
    for workspace_id in (scene.workspace.workspace_id, rival.workspace_id):
        with pytest.raises((asyncpg.PostgresError, Missing)):
            async with scene.context.scope():
                await execute(INSERT, workspace_id, theirs, "manual", "EUR", 100, None)


@pytest.mark.parametrize(
    "change", ["paid_minor = 100", "held_minor = 100", "processing_minor = 1", "is_disputed = true"]
)
async def test_app_cannot_write_the_copies(scene: PaymentScene, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with scene.context.scope():
            await execute(f"UPDATE invoice SET {change}")  # noqa: S608


async def test_an_invoice_begins_with_nothing_paid(scene: PaymentScene) -> None:
    copy = """
    INSERT INTO invoice SELECT (jsonb_populate_record(i, jsonb_build_object(
        'invoice_id', gen_random_uuid(), 'number', 'X-1', 'paid_minor', 100))).* FROM invoice i WHERE invoice_id = $1
    """
    with pytest.raises(asyncpg.RestrictViolationError):
        async with scene.context.scope():
            await execute(copy, scene.invoice_id)


async def test_what_is_held_and_processed_follows_the_attempts(scene: PaymentScene) -> None:
    waiting = await scene.pay("40", method=NEEDS_ACTION)
    moving = await scene.pay("30", method=TAKES_DAYS)
    found = await scene.load_invoice()
    assert (found.paid, found.held, found.processing) == (euros("0"), euros("70"), euros("30"))
    changed_at = await load_changed_at(scene)
    scene.settle_at_bank(moving.intent_id)
    await scene.settle(moving.intent_id)
    await scene.expire(waiting.attempt_id)
    await scene.check(waiting.attempt_id)
    found = await scene.load_invoice()
    assert (found.paid, found.held, found.processing) == (euros("30"), euros("0"), euros("0"))
    assert await load_changed_at(scene) > changed_at


async def load_changed_at(scene: PaymentScene) -> dt.datetime:
    async with scene.context.scope():
        moment: dt.datetime = await fetch_value(
            "SELECT changed_at FROM invoice WHERE invoice_id = $1", scene.invoice_id
        )
    return moment


async def test_eight_writers_at_once_lose_nothing(scene: PaymentScene) -> None:
    await asyncio.gather(*(record(scene, str(amount)) for amount in range(1, 9)))
    assert (await scene.load_invoice()).paid == euros("36")
    assert len(await scene.list_entries()) == 8


@pytest.mark.parametrize(
    "change",
    [
        "amount_minor = amount_minor + 1",
        "account_id = 'acct_other'",
        "nonce = 'other'",
        "intent_id = 'pi_other'",
        "state = 'open'",
    ],
)
async def test_an_attempt_that_succeeded_is_final_and_its_intent_always_is(
    scene: PaymentScene, change: str
) -> None:
    await scene.pay()
    with pytest.raises(asyncpg.RestrictViolationError):
        async with scene.context.scope():
            await execute(f"UPDATE payment_attempt SET {change}")  # noqa: S608


async def test_no_attempt_is_deleted(scene: PaymentScene) -> None:
    await scene.pay()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with scene.context.scope():
            await execute("DELETE FROM payment_attempt")


async def test_what_was_paid_before_the_ledger_is_one_entry_of_it(
    scratch: Callable[..., Awaitable[Urls]],
) -> None:
    urls, workspace_id = await scratch(), new_id()
    earlier = [each for each in schema.migrations() if each.number < LEDGER_MIGRATION]
    await migrate(urls.owner, earlier, unscoped=schema.UNSCOPED)
    owner: Connection = await asyncpg.connect(urls.owner)
    await owner.execute(f"SET app.workspace = '{workspace_id}'")
    rows = OLDER_ROWS.format(workspace=workspace_id, customer=new_id(), invoice=new_id())
    await owner.execute(f"BEGIN; {rows} COMMIT")
    await owner.close()
    await schema.migrate(urls.owner)
    older = await Database.open(urls.app, size=1, name="older", acquire_timeout_s=5)
    try:
        async with older.scope(workspace_id):
            found = await fetch_one("SELECT status, paid_minor FROM invoice")
            entry = await fetch_one("SELECT kind, currency, amount_minor FROM ledger_entry")
    finally:
        await older.close()
    assert (found["status"], found["paid_minor"]) == (InvoiceStatus.ISSUED.value, 120)
    assert tuple(entry) == ("manual", "EUR", 120)
