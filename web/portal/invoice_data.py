"""The invoice as data: the same facts as the page, as JSON with decimal strings."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import HttpMethod, MediaType, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.clock import today
from tenants.invoices import queries
from tenants.invoices.status import compute_amount_due
from web.http.compression import compress
from web.http.conditional import PRIVATE_REVALIDATE
from web.http.context import GatewayRequest
from web.http.lru import MEBIBYTE, SharedCache
from web.http.negotiation import accepts_coding
from web.http.responses import Body, answer_conditions, build_validators, respond
from web.portal.links import convert_stored_data_errors
from web.portal.page_sections import takes_long
from web.portal.summary import compute_payment_state

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.money import Money
    from kernel.store import Database
    from tenants.invoices.amounts import Totals
    from tenants.invoices.content import Content
    from tenants.invoices.status import PaymentState
    from tenants.invoices.values import OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile
    from web.portal.links import Links

CACHE_BYTES: Final = 32 * MEBIBYTE
# The version of the format. It is part of the entity tag, which is computed before the document.
FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A JSON document, plain and gzipped."""

    plain: bytes
    gzipped: bytes

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return len(self.plain) + len(self.gzipped) + 512


class InvoiceData:
    """Responds with invoices as JSON."""

    def __init__(
        self, *, links: Links, database: Database, clock: Clock, cache_bytes: int = CACHE_BYTES
    ) -> None:
        """Cache up to `cache_bytes` of documents, by their entity tag."""
        self._links = links
        self._database = database
        self._clock = clock
        self._cache: SharedCache[str, JsonDocument] = SharedCache(cache_bytes, lambda _result: None)

    async def respond(self, request: GatewayRequest, token: str) -> Body:
        """Return the invoice that a token opens as JSON; Missing as for the page."""
        profile = request.context.workspace
        opened = (await self._links.open(request.context.workspace, token, request.browser_session)).invoice
        with convert_stored_data_errors(profile.workspace_id):
            state = compute_payment_state(opened, today(self._clock, profile.time_zone))
        etag = _compute_etag(opened, profile, state)
        coding = "gzip" if accepts_coding(request.get_header("accept-encoding"), "gzip") else None
        if (answer := answer_conditions(request, etag, PRIVATE_REVALIDATE, coding)) is not None:
            return answer
        document = await self._cache.get_or_make(etag, lambda: self._make(opened, profile, state))
        headers = build_validators(etag, PRIVATE_REVALIDATE, coding)
        if coding:
            headers["content-encoding"] = coding
        body = document.gzipped if coding else document.plain
        return respond((body,), media_type=MediaType.JSON, headers=headers)

    async def _make(
        self, opened: OpenedInvoice, profile: WorkspaceProfile, state: PaymentState
    ) -> JsonDocument:
        async with self._database.scope(profile.workspace_id, read_only=True):
            version = await queries.load_version(opened.invoice_id, opened.version)

        def write() -> JsonDocument:
            body = encode_invoice(opened, version.content, version.totals, profile, state)
            return JsonDocument(body, compress(body))

        with convert_stored_data_errors(f"invoice {opened.invoice_id}, version {opened.version}"):
            return await asyncio.to_thread(write) if takes_long(version.content) else write()


@route("/i/{token:str}/invoice.json", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="invoice_json")
async def show_invoice_data(
    request: GatewayRequest, token: FromPath[str], invoice_data: NamedDependency[InvoiceData]
) -> Body:
    """Return the invoice that a link opens as data."""
    return await invoice_data.respond(request, token)


def encode_invoice(
    opened: OpenedInvoice, content: Content, totals: Totals, profile: WorkspaceProfile, state: PaymentState
) -> bytes:
    """Return the invoice as a JSON document; amounts are decimal strings in major units of `currency`."""
    return msgspec.json.encode(
        {
            **_build_changing_fields(opened, profile, state),
            "totals": _build_totals(totals),
            "content": content,
        }
    )


def _build_changing_fields(
    opened: OpenedInvoice, profile: WorkspaceProfile, state: PaymentState
) -> dict[str, object]:
    """Return the fields that may change while the version stays the same."""
    return {
        "number": opened.number,
        "workspace": profile.name,
        "customer": opened.customer_name,
        "state": state.value,
        "version": opened.version,
        "currency": opened.total.currency.code,
        "issue_date": opened.issue_date,
        "due_date": opened.due_date,
        "total": format_amount(opened.total),
        "paid": format_amount(opened.paid),
        "held": format_amount(opened.held),
        "processing": format_amount(opened.processing),
        "is_disputed": opened.is_disputed,
        "amount_due": format_amount(compute_amount_due(opened.total, opened.paid)),
    }


def _compute_etag(opened: OpenedInvoice, profile: WorkspaceProfile, state: PaymentState) -> str:
    """Return a strong entity tag (RFC 9110, 8.8.3) from what the document is made of: a version never changes."""
    source = (FORMAT, profile.workspace_id, opened.invoice_id, _build_changing_fields(opened, profile, state))
    return f'"{hashlib.sha256(msgspec.json.encode(source)).hexdigest()[:32]}"'


def format_amount(money: Money) -> str:
    """Return an amount with all digits of its currency and no grouping: "-1234.50"."""
    return f"{money.amount:.{money.currency.digits}f}"


def _build_totals(totals: Totals) -> dict[str, object]:
    return {
        "lines": [
            {"gross": format_amount(line.gross), "net": format_amount(line.net)} for line in totals.lines
        ],
        "line_total": format_amount(totals.line_total),
        "allowance_total": format_amount(totals.allowance_total),
        "charge_total": format_amount(totals.charge_total),
        "tax_exclusive": format_amount(totals.tax_exclusive),
        "tax": [
            {
                "category": subtotal.tax.category,
                "rate": subtotal.tax.rate,
                "base": format_amount(subtotal.base),
                "amount": format_amount(subtotal.amount),
            }
            for subtotal in totals.subtotals
        ],
        "tax_total": format_amount(totals.tax_total),
        "tax_inclusive": format_amount(totals.tax_inclusive),
        "prepaid": format_amount(totals.prepaid),
        "rounding": format_amount(totals.rounding),
        "payable": format_amount(totals.payable),
    }
