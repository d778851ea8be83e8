"""What must happen later to invoices."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar
from uuid import UUID

from kernel.jobs import Job
from tenants.invoices.values import ActorClass


class RecordView(Job, frozen=True, kw_only=True):
    """Somebody looked at an invoice's page: it belongs into the view log."""

    kind: ClassVar[str] = "invoices.record_view"

    invoice_id: UUID
    link_id: UUID | None
    actor: ActorClass
    viewed_at: dt.datetime
    network: str | None
    """The client's network, such as 203.0.113.0/24: the whole address is written nowhere, not even here."""
    user_agent: str = ""
