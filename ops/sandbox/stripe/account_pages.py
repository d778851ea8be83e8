"""The pages on which a business connects its account: onboarding, and the consent of OAuth."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from ops.sandbox.stripe.account_bodies import REQUIREMENTS
from ops.sandbox.stripe.accounts import SandboxAccount

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8885; }
body { margin: 0 auto; max-width: var(--width, 34rem); padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.125rem; margin: 2rem 0 .5rem; }
.note { display: inline-block; background: #fc0; color: #111; border-radius: 4px; padding: 0 .5rem; font-size: .8rem; }
form { display: inline; } .actions { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
button, select { font: inherit; padding: .375rem .75rem; min-height: 2.5rem; border: 1px solid var(--line); }
button, select { border-radius: 6px; background: Canvas; color: CanvasText; } button { cursor: pointer; }
button.main { background: #635bff; border-color: #635bff; color: #fff; }
:focus-visible { outline: 2px solid #635bff; outline-offset: 2px; }
code { overflow-wrap: anywhere; } li { margin: .125rem 0; }
"""


def render_page(title: str, body: str, *, style: str = "") -> str:
    """Return a page of the sandbox."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{style}</style>'
        f'<body><p class="note">Stripe sandbox on this machine: no real money</p><h1>{escape(title)}</h1>{body}'
    )


def render_message(title: str, text: str) -> str:
    """Return a page that says one thing."""
    return render_page(title, f"<p>{escape(text)}</p>")


def render_button(action: str, label: str, fields: Mapping[str, str], *, is_main: bool = False) -> str:
    """Return a form with one button."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    kind = ' class="main"' if is_main else ""
    return (
        f'<form method="post" action="{escape(action)}">{hidden}<button{kind}>{escape(label)}</button></form>'
    )


def render_onboarding(account: SandboxAccount, token: str) -> str:
    """Return the page on which a business hands in what Stripe asks of it."""
    asked = "" if account.is_submitted else "".join(f"<li><code>{name}</code></li>" for name in REQUIREMENTS)
    wanted = f"<h2>Stripe asks for</h2><ul>{asked}</ul>" if asked else "<p>Stripe asks for nothing more.</p>"
    action = f"/setup/s/{token}"
    buttons = (
        render_button(action, "Hand in everything", {"verb": "finish"}, is_main=True),
        render_button(action, "Leave for now", {"verb": "leave"}),
        render_button(action, "Be rejected by Stripe", {"verb": "reject"}),
    )
    name = escape(account.display_name or account.account_id)
    return render_page(
        "Connect your business",
        f"<p><bdi>{name}</bdi> · {escape(account.country)} · <code>{account.account_id}</code></p>{wanted}"
        f'<div class="actions">{"".join(buttons)}</div>',
    )


def render_authorize(accounts: Sequence[SandboxAccount], asked: Mapping[str, str]) -> str:
    """Return the page on which a business lets the platform into an account that it has."""
    fields = {name: str(asked.get(name, "")) for name in ("redirect_uri", "state")}
    buttons = [
        render_button(
            "/oauth/authorize",
            f"Connect {account.display_name or account.account_id}",
            {**fields, "account": account.account_id},
            is_main=True,
        )
        for account in accounts
        if not account.is_closed
    ]
    deny = render_button("/oauth/authorize", "Deny", fields)
    return render_page(
        "Connect to Invoice Portal",
        "<p>Invoice Portal asks to take payments to an account of yours.</p>"
        f'<div class="actions">{"".join(buttons)}{deny}</div>',
    )
