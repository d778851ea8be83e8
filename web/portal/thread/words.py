"""Texts of the thread in the customer's language: proofs, tombstones, and why a comment is refused."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kernel.errors import PortalError
from tenants.access.values import Proof
from tenants.comments.values import MAX_LENGTH, MAX_NAME_LENGTH, Side
from tenants.workspaces.authority import WriteMode
from web.http.templates import mark_text as _
from web.portal.thread.values import Challenge

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from kernel.language import Language
    from tenants.comments.values import Comment
    from tenants.workspaces.authority import WriteAuthority

#: The field of an error that belongs to none.
FORM: Final = "form"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600

# By the code of the error: the field that it stands at, and its text.
_TEXTS: Final = {
    "comment.too_many": (
        FORM,
        _("This conversation has become too long. Please write to the sender directly."),
    ),
    "comment.empty": ("body", _("Write a text.")),
    "comment.too_long": ("body", _("The text is too long: at most %(most)s characters.")),
    "comment.name": ("name", _("Enter your name, with at most %(most_name)s characters.")),
    "email.invalid": ("email", _("Enter an e-mail address such as name@example.com.")),
    "comment.client_id": (FORM, _("This form can no longer be sent. Please send it once more.")),
    "comment.edit_window": ("body", _("A comment can be changed for five minutes only. Write another one.")),
    "comment.deleted": ("body", _("This comment was deleted in the meantime.")),
    "proof.required": ("body", _("What is required to write here has changed. Write another comment.")),
    "comment.not_own": (FORM, _("Only who wrote a comment can change it.")),
    "code.wrong": ("code", _("This is not the code that was sent. Check it and try again.")),
    "code.expired": ("code", _("This code is no longer valid. Send a new one.")),
    "code.attempts": ("code", _("Too many wrong codes were entered. Send a new one.")),
    "totp.wrong": ("totp", _("This code is not right. Enter the one that your authenticator shows now.")),
    "totp.replayed": ("totp", _("This code was used already. Wait for the next one.")),
    "totp.attempts": ("totp", _("Too many wrong codes were entered. Try again in a few minutes.")),
    "form.token": (FORM, _("This page was open for too long. Your text is kept: please send it once more.")),
    "form.origin": (
        FORM,
        _("This was sent from another site. If you wrote it yourself, check it and send it from here."),
    ),
    "write.closed": (FORM, _("Comments on this invoice are closed.")),
}
_OTHERWISE: Final = (FORM, _("This could not be sent. Please try again."))


def explain_refusal(error: PortalError, language: Language) -> tuple[str, str]:
    """Return the field that an error stands at, and its text."""
    if "retry_after_s" in error.data:
        field = (
            "code" if error.code.startswith("code.") else "totp" if error.code.startswith("totp.") else FORM
        )
        return field, _explain_wait(error, language)
    field, text = _TEXTS.get(error.code, _OTHERWISE)
    values = {"most": MAX_LENGTH, "most_name": MAX_NAME_LENGTH}
    numbers = {name: language.format_decimal(Decimal(value)) for name, value in values.items()}
    return field, language.gettext(text) % numbers


def _explain_wait(error: PortalError, language: Language) -> str:
    seconds = error.data["retry_after_s"]
    wait_s = math.ceil(seconds) if isinstance(seconds, int | float) else _MINUTE_S
    if wait_s <= _MINUTE_S:
        words, amount = (
            language.ngettext(
                "Please wait %(time)s second and try again.",
                "Please wait %(time)s seconds and try again.",
                wait_s,
            ),
            wait_s,
        )
    elif wait_s <= _HOUR_S:
        amount = math.ceil(wait_s / _MINUTE_S)
        words = language.ngettext(
            "Please wait %(time)s minute and try again.",
            "Please wait %(time)s minutes and try again.",
            amount,
        )
    else:
        amount = math.ceil(wait_s / _HOUR_S)
        words = language.ngettext(
            "Please try again in %(time)s hour.", "Please try again in %(time)s hours.", amount
        )
    return words % {"time": language.format_decimal(Decimal(amount))}


def describe_challenge(
    challenge: Challenge, language: Language, *, address: str = "", is_uniform: bool = False
) -> str:
    """Return the sentence above the field of a challenge.

    `is_uniform`: only some addresses get a code, and the answer does not say which.
    """
    match challenge:
        case Challenge.CODE if is_uniform:
            words = language.gettext(
                "If %(address)s may write here, we have sent a code to it. Enter the code to send your comment."
            )
        case Challenge.CODE:
            words = language.gettext(
                "We have sent a code to %(address)s. Enter the code to send your comment."
            )
        case Challenge.TOTP:
            words = language.gettext("Enter the code that your authenticator app shows.")
        case Challenge.ENROL:
            words = language.gettext(
                "To write here you need an authenticator app. Set it up, then send your comment. Your text is kept."
            )
        case _:
            words = ""
    return words % {"address": address}


def describe_requirement(authority: WriteAuthority, missing: AbstractSet[Proof], language: Language) -> str:
    """Return one sentence about what is going to be asked; empty if nothing is."""
    needs_code = bool(missing & {Proof.EMAIL_CODE, Proof.CONTACT})
    if authority.mode is WriteMode.CUSTOMER and needs_code:
        return language.gettext(
            "Only people whom the sender knows can write. We check your address with a code that we send to it."
        )
    if needs_code:
        return language.gettext("We check your address with a code that we send to it.")
    return ""


def describe_proofs(proofs: AbstractSet[Proof], language: Language) -> tuple[str, str]:
    """Return the icon and the words for what the author of a comment had proven; both empty for nothing."""
    if Proof.TOTP in proofs:
        return "shield", language.gettext("signed in with an authenticator")
    if Proof.CONTACT in proofs:
        return "shield", language.gettext("signed in")
    if Proof.EMAIL_CODE in proofs:
        return "check", language.gettext("verified by e-mail code")
    if Proof.LINK in proofs:
        return "link", language.gettext("by link, not verified")
    return "", ""


def describe_deletion(comment: Comment, staff_name: str, language: Language) -> str:
    """Return the words that stand for a deleted comment."""
    if comment.deleted_by is Side.STAFF:
        return language.gettext("%(name)s deleted this comment.") % {"name": staff_name}
    return language.gettext("The author deleted this comment.")


def count_comments(count: int, language: Language) -> str:
    """Return the words of the link to the thread."""
    if not count:
        return language.gettext("Ask a question about this invoice")
    words = language.ngettext("%(count)s comment", "%(count)s comments", count)
    return words % {"count": language.format_decimal(Decimal(count))}
