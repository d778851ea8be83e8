"""The page of a bank that the payer is led to: 3D Secure without Stripe.js, iDEAL and its kin."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ops.sandbox.stripe.account_pages import render_button, render_message, render_page
from ops.sandbox.stripe.amounts import write_amount
from ops.sandbox.stripe.intents import Intents
from ops.sandbox.stripe.routing import Answer, Call, Router, redirect
from ops.sandbox.stripe.store import Account, Intent, IntentStatus, Store


class RedirectPage:
    """Shows the page, and leads the payer back to the return URL."""

    def __init__(self, store: Store, intents: Intents) -> None:
        self._store = store
        self._intents = intents
        self.router = Router()
        self.router.add("GET", "/redirect/{account_id}/{client_secret}", self._show)
        self.router.add("POST", "/redirect/{account_id}/{client_secret}", self._finish)

    def _show(self, call: Call, account_id: str, client_secret: str) -> Answer:
        _, intent = self._find(account_id, client_secret)
        if intent is None:
            return Answer(render_message("The bank does not know this payment", "Go back."), status=404)
        if intent.status is not IntentStatus.REQUIRES_ACTION:
            return redirect(_make_return_url(intent))
        kind = intent.method.test.type if intent.method else ""
        title = "3D Secure" if kind == "card" else f"Pay with {kind}"
        approve = render_button(call.path, "Approve", {"verb": "approve"}, is_main=True)
        refuse = render_button(call.path, "Refuse", {"verb": "refuse"})
        text = f"Do you pay {write_amount(intent.amount, intent.currency)}?"
        return Answer(render_page(title, f'<p>{text}</p><div class="actions">{approve}{refuse}</div>'))

    def _finish(self, call: Call, account_id: str, client_secret: str) -> Answer:
        account, intent = self._find(account_id, client_secret)
        if intent is None:
            return Answer(render_message("The bank does not know this payment", "Go back."), status=404)
        if intent.status is IntentStatus.REQUIRES_ACTION:
            is_approved = call.parameters.get("verb") == "approve"
            self._intents.finish_action(account, intent, is_approved=is_approved)
        return redirect(_make_return_url(intent))

    def _find(self, account_id: str, client_secret: str) -> tuple[Account, Intent | None]:
        account = self._store.open("" if account_id == "platform" else account_id)
        intent = account.intents.get(client_secret.partition("_secret_")[0])
        return account, intent if intent is not None and intent.client_secret == client_secret else None


def _make_return_url(intent: Intent) -> str:
    """Return the URL with what Stripe adds; the status in it is for show, it proves nothing."""
    done = {IntentStatus.SUCCEEDED: "succeeded", IntentStatus.PROCESSING: "pending"}
    added = {
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": done.get(intent.status, "failed"),
    }
    parts = urlsplit(intent.return_url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *added.items()])))
