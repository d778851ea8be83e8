"""What members and imports do to invoices: each function runs inside the caller's unit of work."""

from tenants.invoices.actions.authority import set_write_authority
from tenants.invoices.actions.closing import void, write_off
from tenants.invoices.actions.imports import import_invoice
from tenants.invoices.actions.issuing import issue, set_series
from tenants.invoices.actions.links import issue_link, revoke_link, rotate_link, show_link
from tenants.invoices.actions.mailing import issue_fresh_links, request_fresh_links, send_invoice
from tenants.invoices.actions.pdfs import request_pdf
from tenants.invoices.actions.views import record_views
from tenants.invoices.actions.writing import add_version, create_draft, discard_draft, update_draft

__all__ = [
    "add_version",
    "create_draft",
    "discard_draft",
    "import_invoice",
    "issue",
    "issue_fresh_links",
    "issue_link",
    "record_views",
    "request_fresh_links",
    "request_pdf",
    "revoke_link",
    "rotate_link",
    "send_invoice",
    "set_series",
    "set_write_authority",
    "show_link",
    "update_draft",
    "void",
    "write_off",
]
