"""What members and imports do to invoices: each function runs inside the caller's unit of work."""

from tenants.invoices.actions.imports import import_invoice
from tenants.invoices.actions.issuing import issue, set_series
from tenants.invoices.actions.links import issue_link, revoke_link, rotate_link, show_link
from tenants.invoices.actions.payment import set_paid, void, write_off
from tenants.invoices.actions.pdfs import request_pdf
from tenants.invoices.actions.views import record_views
from tenants.invoices.actions.writing import add_version, create_draft, discard_draft, update_draft

__all__ = [
    "add_version",
    "create_draft",
    "discard_draft",
    "import_invoice",
    "issue",
    "issue_link",
    "record_views",
    "request_pdf",
    "revoke_link",
    "rotate_link",
    "set_paid",
    "set_series",
    "show_link",
    "update_draft",
    "void",
    "write_off",
]
