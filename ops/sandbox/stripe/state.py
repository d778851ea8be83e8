"""What the sandbox keeps over a restart: the accounts, their payments, and the events that nobody has taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ops.sandbox.stripe.accounts import SandboxAccount
from ops.sandbox.stripe.deliveries import Delivery
from ops.sandbox.stripe.server import Sandbox
from ops.sandbox.stripe.store import Account
from ops.sandbox.stripe.thin_events import ThinEvent


@dataclass(slots=True)
class SavedState:
    """The content of the file."""

    accounts: dict[str, SandboxAccount]
    payments: dict[str, Account]
    thin_events: dict[str, ThinEvent]
    pending: list[Delivery]


def save_state(sandbox: Sandbox, path: Path) -> None:
    """Write the state; a reader sees the old file or the new one."""
    state = SavedState(
        sandbox.accounts.accounts,
        sandbox.store.accounts,
        sandbox.thin.events,
        sandbox.deliveries.pending,
    )
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(state))
    draft.replace(path)


def load_state(sandbox: Sandbox, path: Path) -> None:
    """Read the state of an earlier run into a new sandbox; nothing happens without a file."""
    if not path.exists():
        return
    state = msgspec.json.decode(path.read_bytes(), type=SavedState)
    sandbox.accounts.accounts.update(state.accounts)
    sandbox.store.accounts.update(state.payments)
    sandbox.thin.events.update(state.thin_events)
    sandbox.deliveries.pending.extend(state.pending)
