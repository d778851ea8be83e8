"""Invoices: content, arithmetic, status, numbering, versions, links, document."""
