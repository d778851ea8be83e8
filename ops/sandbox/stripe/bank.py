"""A page on which one plays the bank, the payer and Stripe: it moves the payments and accounts of the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from ops.sandbox.stripe.account_pages import render_button, render_message, render_page
from ops.sandbox.stripe.accounts import Accounts, CapabilityStatus, SandboxAccount
from ops.sandbox.stripe.amounts import write_amount
from ops.sandbox.stripe.payments_port import BankPayments, BankRow
from ops.sandbox.stripe.refusals import ApiRefusal
from ops.sandbox.stripe.routing import Answer, Call, Router, redirect

PATH: Final = "/bank"
_OPEN_DISPUTES: Final = {"needs_response", "under_review", "warning_needs_response", "warning_under_review"}
#: The numbers that Stripe's testing page gives out, and what happens to them here.
TEST_CARDS: Final = (
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "is declined: insufficient funds"),
    ("4000 0025 0000 3155", "asks for 3D Secure"),
    ("4000 0000 0000 0259", "succeeds and is disputed"),
)


class BankPage:
    """Shows the page, and does what its buttons say."""

    def __init__(self, accounts: Accounts, payments: BankPayments) -> None:
        self._accounts = accounts
        self._payments = payments
        self.router = Router()
        self.router.add("GET", PATH, self._show)
        self.router.add("POST", PATH, self._play)

    def _show(self, _call: Call) -> Answer:
        rows = list(self._payments.list_bank_rows())
        shown = "".join(_render_payment(row) for row in rows) or "<p>Nobody has paid yet.</p>"
        accounts = "".join(_render_account(one) for one in self._accounts.accounts.values())
        cards = "".join(f"<li><code>{number}</code> {what}</li>" for number, what in TEST_CARDS)
        body = (
            f'<p><a href="{PATH}">Reload</a></p><h2>Payments</h2>{shown}'
            f"<h2>Accounts</h2>{accounts or '<p>No account is connected.</p>'}"
            f"<h2>Cards for tests</h2><ul>{cards}</ul><p>Any date in the future, any security code.</p>"
        )
        return Answer(render_page("Play the bank", body, style=_STYLE))

    def _play(self, call: Call) -> Answer:
        verb, target = str(call.parameters.get("verb", "")), str(call.parameters.get("target", ""))
        verbs: dict[str, Callable[[], object]] = {
            "settle": lambda: self._payments.settle(target),
            "fail": lambda: self._payments.fail(target),
            "refund": lambda: self._payments.refund(target, _read_amount(call)),
            "dispute": lambda: self._payments.open_dispute(target),
            "inquire": lambda: self._payments.open_dispute(target, funds=False),
            "win": lambda: self._payments.win_dispute(target),
            "lose": lambda: self._payments.lose_dispute(target),
            "deauthorise": lambda: self._accounts.deauthorise(target),
            "authorise": lambda: self._accounts.authorise(target),
            "capability": lambda: self._accounts.set_capability(
                target, CapabilityStatus(str(call.parameters["status"]))
            ),
        }
        try:
            verbs[verb]()
        except (KeyError, ValueError):
            return Answer(render_message("The bank does not know this", f"{verb} {target}"), status=400)
        except ApiRefusal as refusal:
            return Answer(render_message("The bank refuses", str(refusal.body)), status=refusal.status)
        return redirect(PATH)


def _read_amount(call: Call) -> int | None:
    text = str(call.parameters.get("amount", "")).strip()
    return int(text) if text else None


def _render_payment(row: BankRow) -> str:
    money = write_amount(row.amount, row.currency)
    refunded = f" · {write_amount(row.refunded, row.currency)} refunded" if row.refunded else ""
    dispute = f" · dispute {escape(row.dispute_status)}" if row.dispute_id else ""
    method = f" · {escape(row.method)}" if row.method else ""
    return (
        f'<article><h3>{money} <span class="state">{escape(row.status)}</span></h3>'
        f"<p><bdi>{escape(row.description)}</bdi>{method}{refunded}{dispute}<br>"
        f"<small><code>{row.intent_id}</code> · {row.created_at:%Y-%m-%d %H:%M:%S}</small></p>"
        f'<div class="actions">{"".join(_list_buttons(row))}</div></article>'
    )


def _list_buttons(row: BankRow) -> Iterator[str]:
    if row.status in {"processing", "requires_action"}:
        yield _button("Settle", "settle", row.intent_id, is_main=True)
        yield _button("Fail", "fail", row.intent_id)
    if row.charge_id and row.status == "succeeded":
        if row.refunded < row.amount:
            yield (
                f'<form method="post" action="{PATH}" class="actions"><input type="hidden" name="verb" value="refund">'
                f'<input type="hidden" name="target" value="{row.charge_id}">'
                f'<input name="amount" inputmode="numeric" size="8" placeholder="{row.amount - row.refunded}" '
                'aria-label="Amount to refund, in the smallest unit"><button>Refund</button></form>'
            )
        if not row.dispute_id:
            yield _button("Dispute", "dispute", row.charge_id)
            yield _button("Inquire", "inquire", row.charge_id)
        elif row.dispute_status in _OPEN_DISPUTES:
            yield _button("Win dispute", "win", row.dispute_id)
            yield _button("Lose dispute", "lose", row.dispute_id)


def _render_account(account: SandboxAccount) -> str:
    current = account.capabilities.get("card_payments")
    choices = "".join(
        f"<option{' selected' if status is current else ''}>{status}</option>" for status in CapabilityStatus
    )
    access = (
        _button("Take access away", "deauthorise", account.account_id)
        if account.is_accessible
        else _button("Give access again", "authorise", account.account_id)
    )
    return (
        f"<article><h3><bdi>{escape(account.display_name or account.account_id)}</bdi></h3>"
        f"<p><small><code>{account.account_id}</code> · {escape(account.country)}</small></p>"
        f'<div class="actions"><form method="post" action="{PATH}" class="actions">'
        '<input type="hidden" name="verb" value="capability">'
        f'<input type="hidden" name="target" value="{account.account_id}">'
        f'<select name="status" aria-label="Card payments">{choices}</select><button>Set cards</button></form>'
        f"{access}</div></article>"
    )


def _button(label: str, verb: str, target: str, *, is_main: bool = False) -> str:
    return render_button(PATH, label, {"verb": verb, "target": target}, is_main=is_main)


_STYLE: Final = """
:root { --width: 60rem; }
article { border-top: 1px solid var(--line); padding: .75rem 0; } article .actions { margin: .5rem 0 0; }
h3 { font-size: 1rem; margin: 0; font-variant-numeric: tabular-nums; } p { margin: .25rem 0; }
.state { font-weight: 400; border: 1px solid var(--line); border-radius: 99px; padding: 0 .5rem; font-size: .8rem; }
form.actions { display: flex; margin: 0 !important; }
input { font: inherit; padding: .375rem .5rem; min-height: 2.5rem; box-sizing: border-box; border-radius: 6px; }
input { border: 1px solid var(--line); background: Canvas; color: CanvasText; width: 7rem; }
"""
