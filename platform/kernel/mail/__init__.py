"""Mail: composed as multipart messages, rendered from templates, sent by SMTP. Only jobs send."""

from kernel.mail.message import OutgoingMail, build_message_id, compose
from kernel.mail.smtp import Mailer, MailFailure, SmtpServer
from kernel.mail.templates import MailBody, MailBrand, MailLogo, MailTemplates, adapt_brand_colour

__all__ = [
    "MailBody",
    "MailBrand",
    "MailFailure",
    "MailLogo",
    "MailTemplates",
    "Mailer",
    "OutgoingMail",
    "SmtpServer",
    "adapt_brand_colour",
    "build_message_id",
    "compose",
]
