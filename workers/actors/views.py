"""Writes looks at invoices into the view log."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from kernel.errors import Missing
from kernel.ids import InvoiceId, LinkId
from kernel.telemetry.logs import logger
from tenants.invoices import actions

if TYPE_CHECKING:
    from tenants.invoices.jobs import RecordView
    from workers.actors.attempt import Attempt

_log: Final = logger("workers.views")


async def record_view(look: RecordView, attempt: Attempt) -> None:
    """Add one look; that of an invoice which has been deleted since is forgotten."""
    async with attempt.effect():
        try:
            await actions.record_view(
                InvoiceId(look.invoice_id),
                link_id=None if look.link_id is None else LinkId(look.link_id),
                actor=look.actor,
                viewed_at=look.viewed_at,
                address=None if look.network is None else ip_network(look.network).network_address,
                user_agent=look.user_agent,
            )
        except Missing:
            _log.info("view of nothing", invoice=str(look.invoice_id))
