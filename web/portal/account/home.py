"""The customer's home: all invoices of the customers whose contact somebody is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import HttpMethod, Response, route
from litestar.di import NamedDependency

from kernel.clock import today
from kernel.text import clean_line
from tenants.comments.queries import count_unread_for_customer
from tenants.customers.queries import list_contacts_by_email
from tenants.ids import InvoiceId
from tenants.invoices.customer_invoices import list_customer_invoices, sum_open_invoices
from tenants.invoices.queries import missing_invoice
from tenants.invoices.status import compute_amount_due, derive_payment_state
from web.http.context import GatewayRequest
from web.http.templates import mark_text as _
from web.portal.account.pages import AccountPages, redirect_to_sign_in
from web.portal.account.paths import HOME
from web.portal.account.values import HomePage, InvoiceGroup, InvoiceRow, OpenTotal
from web.portal.summary import format_day
from web.portal.words import describe_due_date, describe_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kernel.language import Language
    from tenants.customers.values import Contact
    from tenants.invoices.values import InvoiceSummary, OpenAmounts

#: Invoices in one list before the link to older ones.
PAGE_ROWS: Final = 50
_LONGEST_SEARCH: Final = 100
_OPEN: Final = "open"
_HEADINGS: Final = {_OPEN: _("To pay"), "closed": _("Paid and closed")}


@dataclass(frozen=True, slots=True)
class HomeQuery:
    """What the address of the page names: a search, and the group and invoice that older ones are listed after."""

    search: str
    group: str
    after: InvoiceId | None

    @classmethod
    def read(cls, request: GatewayRequest) -> HomeQuery:
        """Read the query; Missing("invoice.not_found") for one that names no invoice."""
        parameters = request.query_params
        after, group = parameters.get("older", ""), parameters.get("group", "")
        search = clean_line(parameters.get("q", ""))[:_LONGEST_SEARCH]
        if not after:
            return cls(search, "", None)
        try:
            invoice_id = InvoiceId(UUID(after))
        except ValueError:
            raise missing_invoice() from None
        if group not in _HEADINGS:
            raise missing_invoice()
        return cls(search, group, invoice_id)

    def build_older_url(self, group: str, last: InvoiceId) -> str:
        """Return the address of the invoices of a group after one."""
        parts = {"group": group, "older": str(last)} | ({"q": self.search} if self.search else {})
        return f"{HOME}?{urlencode(parts)}"


@dataclass(frozen=True, slots=True)
class HomeContent:
    """What was read for the page. A list has one invoice more than the page shows if there are older ones."""

    contacts: Sequence[Contact]
    lists: Mapping[str, Sequence[InvoiceSummary]]
    totals: Sequence[OpenAmounts]
    unread: Mapping[InvoiceId, int]


class Home:
    """Reads and shows a person's invoices."""

    def __init__(self, pages: AccountPages) -> None:
        """Show the page by `pages`."""
        self._pages = pages

    async def show(self, request: GatewayRequest) -> Response[bytes]:
        """Show the invoices of whoever has signed in; anybody else signs in first."""
        session = await self._pages.find_signed_in(request)
        if session is None:
            return redirect_to_sign_in(HOME)
        profile, query = request.context.workspace, HomeQuery.read(request)
        day = today(self._pages.clock, profile.time_zone)
        content = await self._read(request, session.subject.id, query, day)
        language = await self._pages.load_person_language(request, session)
        heading = language.gettext("Your invoices")
        page = HomePage(
            self._pages.build_frame(request, language, heading, email=session.subject.id),
            totals=tuple(_describe_total(each, language) for each in content.totals),
            groups=tuple(_build_groups(content, query, day, language)),
            has_search=bool(query.search or any(content.lists.values())),
            search=query.search,
            is_part=query.after is not None,
            empty_words=_explain_empty(content, query, language),
        )
        return self._pages.respond(request, "home.html.jinja", page, language)

    async def _read(self, request: GatewayRequest, email: str, query: HomeQuery, day: dt.date) -> HomeContent:
        async with self._pages.open_unit(request, read_only=True):
            contacts = await list_contacts_by_email(email)
            customers = [each.customer_id for each in contacts]
            lists = {
                group: await list_customer_invoices(
                    customers,
                    is_open=group == _OPEN,
                    text=query.search,
                    limit=PAGE_ROWS + 1,
                    after=query.after,
                )
                for group in ([query.group] if query.group else _HEADINGS)
            }
            totals = await sum_open_invoices(customers, day)
            shown = [each.invoice_id for rows in lists.values() for each in rows[:PAGE_ROWS]]
            unread = await count_unread_for_customer(shown)
        return HomeContent(contacts, lists, totals, unread)


def _build_groups(
    content: HomeContent, query: HomeQuery, day: dt.date, language: Language
) -> list[InvoiceGroup]:
    groups: list[InvoiceGroup] = []
    for key, invoices in content.lists.items():
        shown = invoices[:PAGE_ROWS]
        has_older = len(invoices) > len(shown)
        if key == _OPEN and not has_older and query.after is None:
            # All of them are on the page: what is due first comes first.
            shown = sorted(shown, key=lambda each: (each.due_date or dt.date.max, each.number or ""))
        rows = tuple(
            _build_row(each, day, language, unread=content.unread.get(each.invoice_id, 0), among=content)
            for each in shown
        )
        older_url = query.build_older_url(key, shown[-1].invoice_id) if has_older else ""
        if rows:
            groups.append(InvoiceGroup(key, language.gettext(_HEADINGS[key]), rows, older_url))
    return groups


def _build_row(
    invoice: InvoiceSummary, day: dt.date, language: Language, *, unread: int, among: HomeContent
) -> InvoiceRow:
    left = compute_amount_due(invoice.total, invoice.paid)
    state = derive_payment_state(
        invoice.status,
        total=invoice.total,
        paid=invoice.paid,
        processing=invoice.processing,
        is_disputed=invoice.is_disputed,
        due_date=invoice.due_date,
        today=day,
    )
    words = language.ngettext("%(n)s new comment", "%(n)s new comments", unread) % {"n": unread}
    return InvoiceRow(
        url=f"/i/{invoice.invoice_id}",
        number=invoice.number or "",
        customer=invoice.customer_name if len(among.contacts) > 1 else "",
        issued=format_day(invoice.issue_date, language),
        due=format_day(invoice.due_date, language),
        due_words=describe_due_date(invoice.due_date, day, state, language),
        status=describe_status(state, language, was_never_payable=not left and not invoice.paid),
        amount_due=language.format_money(left),
        total=language.format_money(invoice.total),
        unread_words=words if unread else "",
    )


def _describe_total(amounts: OpenAmounts, language: Language) -> OpenTotal:
    count = language.ngettext("%(n)s invoice to pay", "%(n)s invoices to pay", amounts.invoices)
    overdue = language.gettext("of which %(amount)s overdue")
    return OpenTotal(
        amount=language.format_money(amounts.due),
        words=count % {"n": amounts.invoices},
        overdue_words=overdue % {"amount": language.format_money(amounts.overdue)} if amounts.overdue else "",
    )


def _explain_empty(content: HomeContent, query: HomeQuery, language: Language) -> str:
    if any(content.lists.values()):
        return ""
    if query.search:
        return language.gettext("No invoice matches “%(text)s”.") % {"text": query.search}
    return language.gettext(
        "There are no invoices for this address yet. When one is sent to you, it appears here."
    )


@route(HOME, http_method=[HttpMethod.GET, HttpMethod.HEAD], name="home")
async def show_home(request: GatewayRequest, home: NamedDependency[Home]) -> Response[bytes]:
    """Show the invoices of whoever has signed in."""
    return await home.show(request)
