"""What handlers need: built once at start, found in the application's state, never imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from litestar.types import Scope

    from kernel.store import Database
    from kernel.telemetry.health import Health
    from web.http.assets import Assets
    from web.http.errors import Refusals
    from web.portal.brand_images import BrandImages
    from web.portal.invoice_page import InvoicePages
    from web.portal.pdf import InvoicePdfs
    from web.portal.view_recorder import ViewRecorder


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
    looks: ViewRecorder


def house_of(scope: Scope) -> House:
    """Return the parts of the gateway that answers the request `scope` belongs to."""
    return cast("House", scope["litestar_app"].state.house)
