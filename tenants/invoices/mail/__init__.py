"""Mails with links to invoices."""

from tenants.invoices.mail.compose import compose_fresh_links_mail, compose_invoice_mail

__all__ = ["compose_fresh_links_mail", "compose_invoice_mail"]
