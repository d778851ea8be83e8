"""Bank accounts of an invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenants.invoices.content import Content, Transfer


def find_holder(transfer: Transfer, content: Content) -> str:
    """Return the holder of the account; without one, the name of the payee, else of the seller."""
    return transfer.holder or (content.payee.name if content.payee else content.seller.name)
