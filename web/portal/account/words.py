"""Messages at the fields of these pages, by the codes of the errors that cause them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web.http.errors import read_retry_after
from web.http.templates import mark_text as _
from web.portal.pdf_pending import format_delay

if TYPE_CHECKING:
    from kernel.errors import PortalError
    from kernel.language import Language

_MESSAGES: Final = {
    "email.invalid": _("Enter an e-mail address such as name@example.com."),
    "code.wrong": _("This code is not right. Check the digits in the newest e-mail."),
    "code.expired": _("This code has expired. Ask for a new one."),
    "code.attempts": _("There were too many wrong codes. Ask for a new one."),
    "totp.wrong": _("This code is not right. Enter the one that your app shows now."),
    "totp.replayed": _("This code was used already. Wait for the next one."),
}
_THROTTLED: Final = {
    "code.throttled": _("A code was asked for a short while ago. You can ask for another one %(when)s."),
    "fresh_links.throttled": _("Links were asked for a short while ago. You can ask again %(when)s."),
}
_TOO_MANY: Final = _("There were too many attempts. Try again %(when)s.")


def explain(error: PortalError, language: Language) -> str:
    """Return the message for the person who typed; the error's own English text for a code that is not listed."""
    if "retry_after_s" in error.data:
        when = format_delay(read_retry_after(error, 60), language)
        return language.gettext(_THROTTLED.get(error.code, _TOO_MANY)) % {"when": when}
    message = _MESSAGES.get(error.code)
    return error.message if message is None else language.gettext(message)
