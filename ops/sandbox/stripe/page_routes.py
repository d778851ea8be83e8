"""The routes of the stand-in for Stripe.js: the script, the frame that cards are typed into, and what both ask."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

from ops.sandbox.stripe.account_pages import render_button, render_page
from ops.sandbox.stripe.amounts import write_amount
from ops.sandbox.stripe.payments_port import PagePayments
from ops.sandbox.stripe.routing import Answer, Call, Router

_FOLDER: Final = Path(__file__).parent / "js"
_SCRIPT: Final = "text/javascript; charset=utf-8"
#: The script runs on the pages of any portal, so what it asks may come from there.
_CORS: Final = (("access-control-allow-origin", "*"),)
_METHODS: Final = {"card": "Card", "sepa_debit": "SEPA debit", "ideal": "iDEAL"}
_EURO_ONLY: Final = {"sepa_debit", "ideal"}


class PageRoutes:
    """Answers the script and the frame."""

    def __init__(self, payments: PagePayments) -> None:
        self._payments = payments
        self.router = router = Router()
        for path in ("/v3", "/v3/", "/stripe.js"):
            router.add("GET", path, lambda _call: _send_file("stripe.js"))
        router.add("GET", "/_frame/frame.js", lambda _call: _send_file("frame.js"))
        router.add("GET", "/_frame/challenge.js", lambda _call: _send_file("challenge.js"))
        router.add("GET", "/_frame/payment", _show_frame)
        router.add("GET", "/_frame/challenge", self._show_challenge)
        router.add("POST", "/_frame/challenge", self._finish_challenge)
        router.add("POST", "/_js/confirmation_tokens", self._create_token)
        router.add("GET", "/_js/payment_intents/{intent_id}", self._read_intent)
        router.add("POST", "/_js/payment_intents/{intent_id}/confirm", self._confirm_intent)

    def _create_token(self, call: Call) -> Answer:
        given = call.parameters
        method = given.get("type", "card")
        token = self._payments.create_page_token(
            given.get("account", ""),
            method=method,
            number=given.get("iban" if method == "sepa_debit" else "number", ""),
            return_url=given.get("return_url", ""),
        )
        return Answer(token)

    def _read_intent(self, call: Call, intent_id: str) -> Answer:
        given = call.parameters
        body = self._payments.read_by_secret(
            given.get("account", ""), intent_id, given.get("client_secret", "")
        )
        return Answer(_hide(body), headers=_CORS)

    async def _confirm_intent(self, call: Call, intent_id: str) -> Answer:
        given = call.parameters
        body = self._payments.confirm_by_secret(
            given.get("account", ""),
            intent_id,
            given.get("client_secret", ""),
            confirmation_token=given.get("confirmation_token", ""),
            return_url=given.get("return_url", ""),
        )
        return Answer(_hide(await body if inspect.isawaitable(body) else body), headers=_CORS)

    def _show_challenge(self, call: Call) -> Answer:
        given = call.parameters
        account_id, secret = given.get("account", ""), given.get("client_secret", "")
        intent_id = secret.partition("_secret_")[0]
        intent = self._payments.read_by_secret(account_id, intent_id, secret)
        fields = {"account": account_id, "client_secret": secret}
        approve = render_button("/_frame/challenge", "Approve", {**fields, "verb": "approve"}, is_main=True)
        refuse = render_button("/_frame/challenge", "Refuse", {**fields, "verb": "refuse"})
        return Answer(
            render_page(
                "3D Secure",
                f"<p>Your bank asks whether you pay {write_amount(intent['amount'], intent['currency'])}.</p>"
                f'<div class="actions">{approve}{refuse}</div>',
                style=_DIALOG,
            )
        )

    def _finish_challenge(self, call: Call) -> Answer:
        given = call.parameters
        account_id, secret = given.get("account", ""), given.get("client_secret", "")
        intent_id = secret.partition("_secret_")[0]
        self._payments.read_by_secret(account_id, intent_id, secret)  # whoever lacks the secret is refused
        self._payments.finish_action(account_id, intent_id, is_approved=given.get("verb") == "approve")
        return Answer(render_page("3D Secure", '<p>Done.</p><script src="/_frame/challenge.js"></script>'))


def _send_file(name: str) -> Answer:
    return Answer((_FOLDER / name).read_text(encoding="utf-8"), content_type=_SCRIPT)


def _hide(intent: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a publishable key does not show."""
    return {
        name: value for name, value in intent.items() if name not in {"metadata", "application_fee_amount"}
    }


def _show_frame(call: Call) -> Answer:
    is_euro = str(call.parameters.get("currency", "")).lower() == "eur"
    choices = "".join(
        f'<label><input type="radio" name="type" value="{kind}"{" checked" if kind == "card" else ""}>{label}</label>'
        for kind, label in _METHODS.items()
        if is_euro or kind not in _EURO_ONLY
    )
    return Answer(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Secure payment input frame</title>'
        f'<style>{_FRAME_STYLE}</style><body><form autocomplete="off"><fieldset><legend>Pay by</legend>{choices}'
        f'</fieldset>{_FIELDS}<p id="problem" role="alert"></p></form>'
        '<script src="/_frame/frame.js"></script>'
    )


_FIELDS: Final = """
<div data-type="card">
<label class="wide">Card number<input name="number" inputmode="numeric" placeholder="1234 1234 1234 1234"></label>
<label>Expiration date<input name="expiry" inputmode="numeric" placeholder="MM / YY"></label>
<label>Security code<input name="cvc" inputmode="numeric" placeholder="CVC" maxlength="4"></label>
</div>
<div data-type="sepa_debit" hidden><label class="wide">IBAN<input name="iban"></label></div>
<div data-type="ideal" hidden><p class="wide">You will go to your bank’s page to pay.</p></div>
"""
_FRAME_STYLE: Final = """
:root { --c: var(--colorText, #30313d); --r: var(--borderRadius, 6px); color: var(--c); }
:root { font: var(--fontSizeBase, 16px)/1.5 var(--fontFamily, system-ui, sans-serif); color-scheme: light; }
[data-theme=night] { --colorText: #fff; --colorBackground: #1f1f24; color-scheme: dark; }
body { margin: 2px; } fieldset { border: 0; padding: 0; margin: 0 0 .75rem; display: flex; gap: .5rem 1rem; }
fieldset { flex-wrap: wrap; } legend { float: left; margin-right: 1rem; font-weight: 600; }
div[data-type] { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; } div[hidden] { display: none; }
.wide { grid-column: 1 / -1; margin: 0; } div label { font-size: .875em; display: grid; gap: .25rem; }
div input { font: inherit; font-size: 1rem; color: inherit; padding: .625rem .75rem; border-radius: var(--r); }
div input { border: 1px solid #8888; background: var(--colorBackground, #fff); min-width: 0; width: 100%; }
div input { box-sizing: border-box; } input[aria-invalid] { border-color: var(--colorDanger, #df1b41); }
:focus-visible { outline: 2px solid var(--colorPrimary, #635bff); outline-offset: 1px; }
#problem { color: var(--colorDanger, #df1b41); margin: .5rem 0 0; font-size: .875em; }
"""
_DIALOG: Final = """
html { height: 100%; display: grid; place-items: center; }
body { background: Canvas; border-radius: 12px; padding: 1.5rem; margin: 1rem; }
"""
