"""The view log: who viewed an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

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
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::cidr[], $8::text[], $9::text[])
    v (view_id, invoice_id, link_id, actor, viewed_at, address_prefix, user_agent, request_id)
CROSS JOIN LATERAL (
    SELECT invoice_id FROM invoice WHERE workspace_id = $1 AND invoice_id = v.invoice_id LIMIT 1 FOR KEY SHARE
) i
WHERE v.link_id IS NULL
   OR (SELECT invoice_id FROM link WHERE workspace_id = $1 AND link_id = v.link_id) = v.invoice_id
ON CONFLICT (workspace_id, view_id) DO NOTHING
RETURNING view_id, invoice_id, actor
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
        [view.view_id for view in views],
        [view.invoice_id for view in views],
        [view.link_id for view in views],
        [view.actor.value for view in views],
        [view.viewed_at for view in views],
        [_mask_address(view.address) for view in views],
        [clean_line(view.user_agent)[:_MAX_USER_AGENT_LENGTH] for view in views],
        [clean_line(view.request_id)[:_MAX_REQUEST_ID_LENGTH] for view in views],
    )
    await live.append_many(
        [
            NewEvent(
                stream_id=row["invoice_id"],
                audience=Audience.STAFF,
                kind=InvoiceEventKind.VIEWED,
                payload={"view_id": row["view_id"], "actor": row["actor"]},
            )
            for row in rows
        ]
    )
    return len(rows)


@lru_cache(maxsize=1024)
def _mask_address(address: IPv4Address | IPv6Address | None) -> IPv4Network | IPv6Network | None:
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address is None:
        return None
    return ip_network((address, 24 if address.version == 4 else 48), strict=False)
