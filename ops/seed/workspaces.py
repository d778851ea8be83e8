"""The workspaces of the demo: their settings, their own invoices and the documents that they import."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.seed import catalogue
from ops.seed.acme import list_acme_examples
from ops.seed.example import Example
from tenants.invoices.numbering import DEFAULT_SERIES, Series
from tenants.workspaces.profile import NewWorkspace

LOGOS = Path(__file__).with_name("logos")
DOCUMENTS = Path(__file__).resolve().parents[2] / "tests" / "data" / "ubl"


@dataclass(frozen=True, slots=True)
class SeededAccount:
    """An account at Stripe's stand-in; its id is the same in every run, as the stand-in keeps nothing."""

    account_id: str
    country: str
    takes_cards: bool = True


@dataclass(frozen=True, slots=True)
class SeedWorkspace:
    """One workspace of the demo. `documents` names UBL files of the published test suite."""

    new: NewWorkspace
    prefix: str
    examples: Callable[[dt.date], Iterator[Example]]
    documents: tuple[str, ...] = ()
    logo: str | None = None
    account: SeededAccount | None = None
    """Its account at Stripe's stand-in; None for a workspace that is not connected."""

    @property
    def payment_tag(self) -> str:
        """How its invoices can be paid by card."""
        if self.account is None:
            return "stripe-not-connected"
        return "stripe-active" if self.account.takes_cards else "stripe-capability-missing"

    def read_document(self, name: str) -> bytes:
        """Return the UBL file of a document."""
        return (DOCUMENTS / f"{name}-INVOICE_ubl.xml").read_bytes()

    @property
    def series(self) -> Series:
        """The series of its invoice numbers."""
        return Series(DEFAULT_SERIES.name, self.prefix, 4)


def _list_no_examples(_today: dt.date) -> Iterator[Example]:
    return iter(())


SEED_WORKSPACES = (
    SeedWorkspace(
        NewWorkspace(
            "acme", "Acme Studio", "en-US", "America/Los_Angeles", "USD", "#1f6f78", "billing@acme.example"
        ),
        "ACME-",
        list_acme_examples,
        logo="acme.png",
        account=SeededAccount("acct_demoacme", "US"),
    ),
    SeedWorkspace(
        NewWorkspace(
            "nordlicht",
            "Nordlicht Seminare",
            "de-DE",
            "Europe/Berlin",
            "EUR",
            "#2b4c9b",
            "rechnung@nordlicht.example",
        ),
        "NL-",
        catalogue.list_nordlicht_examples,
        ("01.01a", "01.03a", "01.05a", "01.06a", "01.12a", "02.01a", "03.02a", "03.06a"),
        logo="nordlicht.png",
        account=SeededAccount("acct_demonordlicht", "DE"),
    ),
    # The suite uses some numbers twice, and a number is unique in a workspace.
    SeedWorkspace(
        NewWorkspace(
            "kontor", "Kontor Elbe", "de-DE", "Europe/Berlin", "EUR", "#9c4221", "buero@kontor.example"
        ),
        "KE-",
        _list_no_examples,
        ("01.13a", "01.18a", "02.05a", "03.03a"),
    ),
    SeedWorkspace(
        NewWorkspace(
            "harbour",
            "Harbour & Lane Joinery",
            "en-GB",
            "Europe/London",
            "GBP",
            "#7a4b2a",
            "accounts@harbourlane.example",
        ),
        "HL-",
        catalogue.list_harbour_examples,
        account=SeededAccount("acct_demoharbour", "GB", takes_cards=False),
    ),
    SeedWorkspace(
        NewWorkspace("sakura", "さくら商会", "ja-JP", "Asia/Tokyo", "JPY", "#b03060", "keiri@sakura.example"),
        "SK-",
        catalogue.list_sakura_examples,
        account=SeededAccount("acct_demosakura", "JP"),
    ),
    SeedWorkspace(
        NewWorkspace(
            "pearl", "لؤلؤة الخليج", "ar-BH", "Asia/Bahrain", "BHD", "#0f766e", "billing@pearl.example"
        ),
        "GP-",
        catalogue.list_pearl_examples,
        account=SeededAccount("acct_demopearl", "AE"),
    ),
)
