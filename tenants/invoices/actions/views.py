"""The view log: who viewed an invoice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final
from uuid import UUID

import msgspec

from kernel import live
from kernel.live import Audience, NewEvent
from kernel.store import current_workspace, fetch
from kernel.text import clean_line
from tenants.invoices.stream import InvoiceEventKind
from tenants.invoices.values import View

# Each invoice is locked against deletion until the views are stored, since one violated foreign key would lose the
# whole batch; one that is deleted already is left out, and so is a view by a link of another invoice. LIMIT and the
# sub-select make each look-up start from one view: a plain join may read all invoices of a large workspace.
_INSERT_VIEWS: Final = """
INSERT INTO invoice_view
    (workspace_id, view_id, invoice_id, link_id, actor, viewed_at, address_prefix, user_agent, request_id)
SELECT $1, v.view_id, i.invoice_id, v.link_id, v.actor, v.viewed_at, v.address_prefix, v.user_agent, v.request_id
FROM jsonb_to_recordset($2::jsonb) v (
    view_id uuid, invoice_id uuid, link_id uuid, actor text, viewed_at timestamptz, address_prefix cidr,
    user_agent text, request_id text
)
CROSS JOIN LATERAL (
    SELECT invoice_id FROM invoice WHERE workspace_id = $1 AND invoice_id = v.invoice_id LIMIT 1 FOR KEY SHARE
) i
WHERE v.link_id IS NULL
   OR (SELECT invoice_id FROM link WHERE workspace_id = $1 AND link_id = v.link_id) = v.invoice_id
ON CONFLICT (workspace_id, view_id) DO NOTHING
RETURNING invoice_id, actor
"""
_MAX_USER_AGENT_LENGTH: Final = 500
_MAX_REQUEST_ID_LENGTH: Final = 64


async def record_views(views: Sequence[View]) -> int:
    """Store views of the bound workspace's invoices and tell the staff's streams; returns how many were stored.

    Of an address only its network (/24, /48) is stored. Views whose invoice or link does not exist, or has been
    deleted meanwhile, are left out, and so are those that are stored already. Called outside requests.
    """
    rows = await fetch(
        _INSERT_VIEWS,
        current_workspace(),
        msgspec.json.encode([_describe(view) for view in views]).decode(),
    )
    counts: dict[UUID, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["invoice_id"], Counter())[row["actor"]] += 1
    # One event for all views of an invoice: staff learns that it was viewed, and a page that is opened again and again
    # does not fill the stream.
    await live.append_many(
        [
            NewEvent(invoice_id, Audience.STAFF, InvoiceEventKind.VIEWED, {"views": dict(actors)})
            for invoice_id, actors in counts.items()
        ]
    )
    return len(rows)


def _describe(view: View) -> dict[str, object]:
    return {
        "view_id": view.view_id,
        "invoice_id": view.invoice_id,
        "link_id": view.link_id,
        "actor": view.actor,
        "viewed_at": view.viewed_at,
        "address_prefix": _mask_address(view.address),
        "user_agent": clean_line(view.user_agent)[:_MAX_USER_AGENT_LENGTH],
        "request_id": clean_line(view.request_id)[:_MAX_REQUEST_ID_LENGTH],
    }


@lru_cache(maxsize=1024)
def _mask_address(address: IPv4Address | IPv6Address | None) -> str | None:
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address is None:
        return None
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
