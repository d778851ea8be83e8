"""The mail about new comments."""

from tenants.comments.mail.compose import compose_comments_mail

__all__ = ["compose_comments_mail"]
