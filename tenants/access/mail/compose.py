"""Composes the mail with a one-time code."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kernel.clock import Clock
from kernel.mail import MailTemplates, OutgoingMail
from kernel.text import isolate
from tenants.access.values import CodePurpose, MadeCode
from tenants.workspaces.mail_sender import MailSender

TEMPLATES: Final = MailTemplates(Path(__file__).parent)
_SECONDS_PER_MINUTE: Final = 60


def compose_code_mail(code: MadeCode, sender: MailSender, *, message_id: str, clock: Clock) -> OutgoingMail:
    """Return the mail with a code. Takes some milliseconds.

    The subject holds the code too, so that it can be read without opening the mail: whoever sees it has no use for it,
    because only the browser that asked can enter it.
    """
    language = TEMPLATES.load_language(code.locale or sender.profile.locale)
    _ = language.gettext
    values = {"sender": isolate(sender.profile.name)}
    minutes = max(1, round((code.expires_at - clock.now()).total_seconds()) // _SECONDS_PER_MINUTE)
    introduction = {
        CodePurpose.SIGN_IN: _("Enter this code to sign in to %(sender)s:"),
        CodePurpose.WRITE: _("Enter this code to sign in to %(sender)s and send your comment:"),
    }[code.purpose]
    body = TEMPLATES.render(
        "code",
        language,
        sender.brand,
        {
            "title": _("Your code"),
            "introduction": introduction % values,
            "code": code.code,
            "validity": _(
                "It works for %(minutes)s minutes, once, and only in the browser in which it was asked for."
            )
            % {"minutes": minutes},
            "warning": _(
                "Nobody at %(sender)s will ever ask you for it. If you did not ask for it, you can ignore this mail."
            )
            % values,
        },
    )
    return OutgoingMail(
        purpose="code",
        message_id=message_id,
        to=code.target,
        sender_name=sender.profile.name,
        subject=_("%(code)s is your code for %(sender)s") % {"code": code.code, **values},
        html=body.html,
        text=body.text,
    )
