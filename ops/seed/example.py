"""Values that describe an invoice to seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tenants.invoices.content import Content


class SeededStatus(StrEnum):
    """The status of an invoice after seeding."""

    DRAFT = "draft"
    ISSUED = "issued"
    PARTLY_PAID = "partly-paid"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written-off"


class SeededLinkState(StrEnum):
    """The state of a link after seeding."""

    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Example:
    """One invoice to seed; its tags name the features that it shows."""

    content: Content
    tags: tuple[str, ...]
    status: SeededStatus = SeededStatus.ISSUED
    link_state: SeededLinkState = SeededLinkState.OPEN
