"""What payers, members and jobs do to payments.

`settle`, `record_payment`, `request_refund`, `restart_checks` and `resume_payments` run inside the caller's unit of
work. All others ask the provider between units of work of their own.
"""

from tenants.payments.actions.beginning import begin, follow
from tenants.payments.actions.booking import record_payment
from tenants.payments.actions.cancelling import cancel_open_payments, cancel_payment
from tenants.payments.actions.checking import check_payment
from tenants.payments.actions.closing import add_invoice_version, void_invoice, write_off_invoice
from tenants.payments.actions.refunding import request_refund, send_refund
from tenants.payments.actions.rows import restart_checks, resume_payments
from tenants.payments.actions.settling import settle

__all__ = [
    "add_invoice_version",
    "begin",
    "cancel_open_payments",
    "cancel_payment",
    "check_payment",
    "follow",
    "record_payment",
    "request_refund",
    "restart_checks",
    "resume_payments",
    "send_refund",
    "settle",
    "void_invoice",
    "write_off_invoice",
]
