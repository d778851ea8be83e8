"""A sample invoice, rendered at start in every language of the pages, so that no customer waits for templates."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import WorkspaceId
from tenants.ids import CustomerId, InvoiceId, LinkId
from tenants.invoices.content import Content, Line, Party, Tax, TaxCategory
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.totals import compute_totals
from tenants.invoices.values import InvoiceVersion, OpenedInvoice
from tenants.workspaces.profile import BRAND_COLOUR, LINK_DAYS, PAYMENT_DAYS, WorkspaceProfile
from web.portal.page_sections import PageKey

if TYPE_CHECKING:
    from web.portal.invoice_page import InvoicePages

LOCALES: Final = ("en-US", "en-GB", "de-DE")
_NO_ID: Final = UUID(int=0)
_DAY: Final = dt.date(2026, 1, 1)


def warm(pages: InvoicePages) -> None:
    """Render the sample in each locale, which compiles the templates and loads CLDR's data.

    A template that cannot be rendered stops the process here, before it serves anything.
    """
    for locale in LOCALES:
        pages.warm(PageKey(_make_profile(locale), _make_opened_invoice(), _DAY, locale), _make_version())


def _make_version() -> InvoiceVersion:
    line = Line(
        name="Sample",
        quantity=Decimal(1),
        unit_price=Decimal(1),
        tax=Tax(TaxCategory.STANDARD, Decimal(1)),
        unit="HUR",
    )
    content = Content(
        currency="EUR",
        seller=Party(name="Sample"),
        buyer=Party(name="Sample"),
        lines=(line,),
        issue_date=_DAY,
    )
    return InvoiceVersion(content, compute_totals(content), "0")


def _make_opened_invoice() -> OpenedInvoice:
    computed = _make_version().totals
    return OpenedInvoice(
        invoice_id=InvoiceId(_NO_ID),
        link_id=LinkId(_NO_ID),
        customer_id=CustomerId(_NO_ID),
        contact_id=None,
        number="0",
        status=InvoiceStatus.ISSUED,
        total=computed.payable,
        paid=computed.prepaid,
        held=computed.prepaid,
        processing=computed.prepaid,
        is_disputed=False,
        issue_date=_DAY,
        due_date=_DAY,
        version=1,
        customer_name="Sample",
        locale=None,
        changed_at=dt.datetime.combine(_DAY, dt.time(), dt.UTC),
    )


def _make_profile(locale: str) -> WorkspaceProfile:
    return WorkspaceProfile(
        workspace_id=WorkspaceId(_NO_ID),
        slug="sample",
        name="Sample",
        locale=locale,
        time_zone="UTC",
        currency="EUR",
        brand_colour=BRAND_COLOUR,
        contact_line="",
        logo=None,
        payment_days=PAYMENT_DAYS,
        link_days=LINK_DAYS,
    )
