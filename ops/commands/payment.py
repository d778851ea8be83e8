"""portal payment: what was paid for an invoice, by card, by bank transfer or by credit; refunds."""

import datetime as dt
from decimal import Decimal, InvalidOperation

import click

from kernel.clock import find_zone, today
from kernel.money import Currency, Money
from ops.command_context import CommandContext, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_fields, print_table
from tenants.ids import AttemptId
from tenants.invoices.queries import load_invoice_by_number
from tenants.invoices.status import derive_payment_state
from tenants.invoices.values import InvoiceSummary
from tenants.payments import actions, queries
from tenants.payments.queries import missing_payment
from tenants.payments.values import Attempt, Entry
from tenants.workspaces.queries import load_profile


@click.group()
def payment() -> None:
    """Payments of invoices: record what came by bank, show the ledger, refund."""


@payment.command()
@click.argument("number")
@click.argument("amount")
@workspace_option
@click.option("--received", type=click.DateTime(["%Y-%m-%d"]), help="The day it arrived (default: now).")
@click.option("--reference", default="", help="What the transfer quoted, or the number of the credit note.")
@click.option("--credit", "is_credit", is_flag=True, help="No money came: a credit lowers what is owed.")
@as_json_option
def record(
    number: str,
    amount: str,
    workspace: str,
    received: dt.datetime | None,
    reference: str,
    *,
    is_credit: bool,
    as_json: bool,
) -> None:
    """Book AMOUNT for the invoice NUMBER; write a negative one, which takes back, after "--"."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            found = await load_invoice_by_number(number)
            zone = find_zone((await load_profile()).time_zone)
            entry_id = await actions.record_payment(
                found.invoice_id,
                read_amount(amount, found.total.currency),
                reference=reference,
                received_at=None if received is None else received.replace(tzinfo=zone),
                is_credit=is_credit,
                clock=context.clock,
            )
            return {"entry_id": entry_id} | await _describe(number, context)

    print_fields(run_command(work), as_json=as_json)


@payment.command(name="list")
@click.argument("number")
@workspace_option
@as_json_option
def list_(number: str, workspace: str, *, as_json: bool) -> None:
    """Print the ledger of the invoice NUMBER: what came in is positive."""

    async def work(context: CommandContext) -> tuple[Entry, ...]:
        async with context.scope(workspace, read_only=True):
            return await queries.list_entries((await load_invoice_by_number(number)).invoice_id)

    rows = [
        {
            "kind": entry.kind.value,
            "amount": str(entry.amount),
            "occurred_at": entry.occurred_at.isoformat(timespec="seconds"),
            "source": entry.source_id,
            "reference": entry.reference,
            "payment": entry.attempt_id,
        }
        for entry in run_command(work)
    ]
    print_table(rows, as_json=as_json, empty="Nothing was paid for this invoice.")


@payment.command()
@click.argument("number")
@workspace_option
@as_json_option
def show(number: str, workspace: str, *, as_json: bool) -> None:
    """Print what is paid, held and owed for the invoice NUMBER, and the attempts to pay it by card."""

    async def work(context: CommandContext) -> tuple[dict[str, object], tuple[Attempt, ...]]:
        async with context.scope(workspace, read_only=True):
            described = await _describe(number, context)
            attempts = await queries.list_attempts((await load_invoice_by_number(number)).invoice_id)
            return described, attempts

    described, attempts = run_command(work)
    rows = [_describe_attempt(attempt) for attempt in attempts]
    if as_json:
        print_fields(described | {"attempts": rows}, as_json=True)
        return
    print_fields(described, as_json=False)
    print_table(rows, as_json=False, empty="Nobody tried to pay it by card.")


@payment.command()
@click.argument("number")
@click.argument("amount")
@workspace_option
@click.option(
    "--payment", "attempt", type=click.UUID, metavar="ID", help="Of which payment, if there are several."
)
@as_json_option
def refund(number: str, amount: str, workspace: str, attempt: AttemptId | None, *, as_json: bool) -> None:
    """Give AMOUNT of a card payment of the invoice NUMBER back; a worker asks Stripe for it."""

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace):
            found = await load_invoice_by_number(number)
            attempt_id = attempt or await _find_only_payment(found)
            wanted = read_amount(amount, found.total.currency)
            refund_id = await actions.request_refund(found.invoice_id, attempt_id, wanted)
            stored = await queries.load_refund(refund_id)
            return {"refund_id": refund_id, "payment": attempt_id, "state": stored.state.value}

    print_fields(run_command(work), as_json=as_json)


def read_amount(text: str, currency: Currency) -> Money:
    """Return an amount in major units; raises click.BadParameter, Invalid("money.inexact")."""
    try:
        return Money.from_decimal(Decimal(text), currency)
    except InvalidOperation as error:
        message = f"{text!r} is not an amount, such as 12.50."
        raise click.BadParameter(message) from error


async def _find_only_payment(invoice: InvoiceSummary) -> AttemptId:
    charged = {
        entry.attempt_id
        for entry in await queries.list_entries(invoice.invoice_id)
        if entry.attempt_id is not None
    }
    if len(charged) > 1:
        message = "There are several card payments: name one with --payment (portal payment list)."
        raise click.UsageError(message)
    for attempt_id in charged:
        return attempt_id
    raise missing_payment()


async def _describe(number: str, context: CommandContext) -> dict[str, object]:
    found, profile = await load_invoice_by_number(number), await load_profile()
    state = derive_payment_state(
        found.status,
        total=found.total,
        paid=found.paid,
        processing=found.processing,
        is_disputed=found.is_disputed,
        due_date=found.due_date,
        today=today(context.clock, profile.time_zone),
    )
    return {
        "number": found.number,
        "status": found.status.value,
        "state": state.value,
        "total": str(found.total),
        "paid": str(found.paid),
        "outstanding": str(found.total - found.paid),
        "held": str(found.held),
        "processing": str(found.processing),
        "is_disputed": found.is_disputed,
    }


def _describe_attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "payment": attempt.attempt_id,
        "state": attempt.state.value,
        "amount": str(attempt.amount),
        "method": attempt.method_type,
        "failure": "" if attempt.failure is None else attempt.failure.code,
        "payer": attempt.payer_name or attempt.payer_kind,
        "began_at": attempt.created_at.isoformat(timespec="seconds"),
        "flags": " ".join(
            word
            for word, holds in (("late", attempt.is_late), ("unreachable", attempt.is_unreachable))
            if holds
        ),
    }
