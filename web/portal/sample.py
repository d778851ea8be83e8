"""An invoice of nobody's, in every language the pages speak: made once at start, shown to no one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.ids import CustomerId, InvoiceId, LinkId, WorkspaceId
from tenants.invoices.content import Content, Line, Party, Tax, TaxCategory
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.totals import totals
from tenants.invoices.values import LoadedVersion, OpenedInvoice
from tenants.workspaces.profile import BRAND_COLOUR, LINK_DAYS, PAYMENT_DAYS, WorkspaceProfile

if TYPE_CHECKING:
    from web.portal.invoice_page import InvoicePages

LOCALES: Final = ("en-US", "en-GB", "de-DE")
_NOBODY: Final = UUID(int=0)
_DAY: Final = dt.date(2026, 1, 1)


def warm(pages: InvoicePages) -> None:
    """Make the sample's page in each locale: templates are compiled and CLDR's data is loaded by it.

    A template that cannot be rendered stops the process here, before it is given any work.
    """
    for locale in LOCALES:
        pages.warm(_profile(locale), _opened(), _version())


def _version() -> LoadedVersion:
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
    return LoadedVersion(content, totals(content), "0")


def _opened() -> OpenedInvoice:
    computed = _version().totals
    return OpenedInvoice(
        invoice_id=InvoiceId(_NOBODY),
        link_id=LinkId(_NOBODY),
        customer_id=CustomerId(_NOBODY),
        contact_id=None,
        number="0",
        lifecycle=InvoiceStatus.ISSUED,
        total=computed.payable,
        paid=computed.prepaid,
        issue_date=_DAY,
        due_date=_DAY,
        version=1,
        customer_name="Sample",
        locale=None,
        changed_at=dt.datetime.combine(_DAY, dt.time(), dt.UTC),
    )


def _profile(locale: str) -> WorkspaceProfile:
    return WorkspaceProfile(
        workspace_id=WorkspaceId(_NOBODY),
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
