"""The mail with a one-time code."""

from tenants.access.mail.compose import compose_code_mail

__all__ = ["compose_code_mail"]
