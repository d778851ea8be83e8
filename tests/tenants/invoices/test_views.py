"""The view log: who looked, from which network, never from which address."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address

import pytest

from kernel.errors import Missing
from kernel.ids import InvoiceId, LinkId, new_id
from kernel.store import fetch
from tenants.invoices import actions
from tenants.invoices.values import ActorClass
from tests.fakes.businesses import Business

NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (IPv4Address("203.0.113.77"), "203.0.113.0/24"),
        (IPv6Address("2001:db8:1:2::5"), "2001:db8:1::/48"),
        (None, None),
    ],
)
async def test_a_look_is_kept_with_its_network_only(
    acme: Business, address: IPv4Address | IPv6Address | None, kept: str | None
) -> None:
    invoice_id = await acme.invoice()
    async with acme.database.scope(acme.workspace_id):
        link = await actions.issue_link(invoice_id, sealer=acme.sealer, clock=acme.clock)
        await actions.record_view(
            invoice_id,
            link_id=link.link_id,
            actor=ActorClass.HUMAN,
            viewed_at=NOW,
            address=address,
            user_agent="Mozilla/5.0\r\n\x00" + "x" * 900,
        )
        (row,) = await fetch("SELECT * FROM invoice_view")
    assert (row["invoice_id"], row["link_id"], row["actor"], row["viewed_at"]) == (
        invoice_id,
        link.link_id,
        "human",
        NOW,
    )
    assert (str(row["address_prefix"]) if kept else row["address_prefix"]) == kept
    assert row["user_agent"] == "Mozilla/5.0" + "x" * 489


@pytest.mark.parametrize("actor", list(ActorClass))
async def test_every_class_of_actor_can_be_kept(acme: Business, actor: ActorClass) -> None:
    invoice_id = await acme.invoice()
    async with acme.database.scope(acme.workspace_id):
        await actions.record_view(invoice_id, link_id=None, actor=actor, viewed_at=NOW, address=None)
        (row,) = await fetch("SELECT actor FROM invoice_view")
    assert row["actor"] == actor.value


async def test_a_look_at_nothing_is_not_kept(acme: Business) -> None:
    invoice_id = await acme.invoice()
    unknown = (
        (InvoiceId(new_id()), None),
        (invoice_id, LinkId(new_id())),
    )
    async with acme.database.scope(acme.workspace_id):
        for looked_at, link_id in unknown:
            with pytest.raises(Missing):
                await actions.record_view(
                    looked_at, link_id=link_id, actor=ActorClass.HUMAN, viewed_at=NOW, address=None
                )
        assert await fetch("SELECT * FROM invoice_view") == []
