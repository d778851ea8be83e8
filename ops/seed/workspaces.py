"""The workspaces of the demo: who they are, what they write themselves and which documents they import."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.seed import catalogue
from ops.seed.acme import acme
from ops.seed.example import Example
from tenants.invoices.numbering import DEFAULT_SERIES, Series
from tenants.workspaces.profile import NewWorkspace

LOGOS = Path(__file__).with_name("logos")
DOCUMENTS = Path(__file__).resolve().parents[2] / "tests" / "data" / "ubl"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One workspace of the demo. `documents` are the numbers of UBL files in the published test suite."""

    new: NewWorkspace
    prefix: str
    examples: Callable[[dt.date], Iterator[Example]]
    documents: tuple[str, ...] = ()
    logo: str | None = None

    def document(self, name: str) -> bytes:
        """Return the UBL document of that number."""
        return (DOCUMENTS / f"{name}-INVOICE_ubl.xml").read_bytes()

    @property
    def series(self) -> Series:
        """The series of its invoice numbers."""
        return Series(DEFAULT_SERIES.name, self.prefix, 4)


def _no_examples(_today: dt.date) -> Iterator[Example]:
    return iter(())


TENANTS = (
    Tenant(
        NewWorkspace(
            "acme", "Acme Studio", "en-US", "America/Los_Angeles", "USD", "#1f6f78", "billing@acme.example"
        ),
        "ACME-",
        acme,
        logo="acme.png",
    ),
    Tenant(
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
        catalogue.nordlicht,
        ("01.01a", "01.03a", "01.05a", "01.06a", "01.12a", "02.01a", "03.02a", "03.06a"),
        logo="nordlicht.png",
    ),
    # The suite uses some numbers twice, and a number is unique in a workspace.
    Tenant(
        NewWorkspace(
            "kontor", "Kontor Elbe", "de-DE", "Europe/Berlin", "EUR", "#9c4221", "buero@kontor.example"
        ),
        "KE-",
        _no_examples,
        ("01.13a", "01.18a", "02.05a", "03.03a"),
    ),
    Tenant(
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
        catalogue.harbour,
    ),
    Tenant(
        NewWorkspace("sakura", "さくら商会", "ja-JP", "Asia/Tokyo", "JPY", "#b03060", "keiri@sakura.example"),
        "SK-",
        catalogue.sakura,
    ),
    Tenant(
        NewWorkspace(
            "pearl", "لؤلؤة الخليج", "ar-BH", "Asia/Bahrain", "BHD", "#0f766e", "billing@pearl.example"
        ),
        "GP-",
        catalogue.pearl,
    ),
)
