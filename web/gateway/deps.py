"""What handlers need: built once at start, found in the application's state, never imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from litestar.types import Scope

    from kernel.store import Database
    from kernel.telemetry.health import Health
    from web.gateway.assets import Assets
    from web.gateway.errors import Refusals
    from web.portal.brand import BrandImages
    from web.portal.invoice import InvoicePages
    from web.portal.looks import Looks
    from web.portal.pdfs import InvoicePdfs


@dataclass(frozen=True, slots=True)
class House:
    """The parts of one running gateway."""

    database: Database
    assets: Assets
    health: Health
    refusals: Refusals
    invoices: InvoicePages
    pdfs: InvoicePdfs
    images: BrandImages
    looks: Looks


def house_of(scope: Scope) -> House:
    """Return the parts of the gateway that answers the request `scope` belongs to."""
    return cast("House", scope["litestar_app"].state.house)
