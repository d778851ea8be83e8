"""The view log: who looked at an invoice."""

from __future__ import annotations

import datetime as dt
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

import asyncpg

from kernel.errors import Missing
from kernel.ids import InvoiceId, LinkId, new_id
from kernel.store import current_workspace, execute, savepoint
from tenants.invoices.values import ActorClass

_ADD: Final = """
INSERT INTO invoice_view (workspace_id, view_id, invoice_id, link_id, actor, viewed_at, address_prefix, user_agent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_LONGEST_AGENT: Final = 500


async def record_view(
    invoice_id: InvoiceId,
    *,
    link_id: LinkId | None,
    actor: ActorClass,
    viewed_at: dt.datetime,
    address: IPv4Address | IPv6Address | None,
    user_agent: str = "",
) -> None:
    """Note that somebody looked, and when; of the address only its network (/24, /48) is kept.

    Called by a job, never by the request that showed the page. Missing("invoice.not_found") if there is no
    such invoice or link.
    """
    agent = "".join(c for c in user_agent if c.isprintable())[:_LONGEST_AGENT]
    try:
        async with savepoint():
            await execute(
                _ADD,
                current_workspace(),
                new_id(),
                invoice_id,
                link_id,
                actor.value,
                viewed_at,
                _network(address),
                agent,
            )
    except asyncpg.ForeignKeyViolationError as error:
        raise Missing("invoice.not_found", "There is no such invoice or link.") from error


def _network(address: IPv4Address | IPv6Address | None) -> object:
    if address is None:
        return None
    return ip_network((address, 24 if address.version == 4 else 48), strict=False)
