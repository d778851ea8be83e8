"""The routes a customer sees."""

from __future__ import annotations

from typing import Final

from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp, Scope

from web.http.answer import Answer
from web.http.compression import accepts
from web.http.conditional import FOREVER, PRIVATE, tagged
from web.http.context import visit_of
from web.http.deps import house_of
from web.http.security import new_nonce, page_policy
from web.portal.data import etag
from web.portal.pdf import Asked

_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
# Without an entity tag: a 304 would bring a new nonce to an old page.
_NO_STORE: Final = (b"cache-control", b"no-store")
_VARY: Final = (b"vary", b"accept-encoding")
_GZIP: Final = (b"content-encoding", b"gzip")


@get("/i/{token:str}", name="invoice")
async def invoice_page(scope: Scope, token: FromPath[str]) -> ASGIApp:
    """Show the invoice that a link opens."""
    visit = visit_of(scope)
    page = await house_of(scope).invoices.page(visit, token)
    nonce = new_nonce()
    headers = (_HTML, _NO_STORE, _VARY, page_policy(nonce))
    if accepts(visit.headers.get(b"accept-encoding", b""), "gzip"):
        return Answer(200, (*headers, _GZIP), page.gzipped(nonce))
    return Answer(200, headers, page.plain(nonce))


@get("/i/{token:str}/invoice.json", name="invoice_json")
async def invoice_data(scope: Scope, token: FromPath[str]) -> ASGIApp:
    """Return the invoice that a link opens as data."""
    visit = visit_of(scope)
    body = await house_of(scope).invoices.data(visit, token)
    return tagged(body, "application/json", etag(body), PRIVATE, visit.headers)


@get("/i/{token:str}/invoice.pdf", name="invoice_pdf")
async def invoice_pdf(scope: Scope, token: FromPath[str]) -> ASGIApp:
    """Hand out the PDF of the invoice that a link opens."""
    return house_of(scope).pdfs.sent(Asked.of(visit_of(scope), token, scope["query_string"]))


@get("/brand/{name:str}", name="brand")
async def brand_image(scope: Scope, name: FromPath[str]) -> ASGIApp:
    """Return an image of this host's workspace."""
    visit = visit_of(scope)
    image = await house_of(scope).images.find(visit, name)
    return tagged(image.data, image.content_type, image.etag, FOREVER, visit.headers)
