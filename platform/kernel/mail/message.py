"""Composes messages: multipart, quoted-printable UTF-8, headers that no value can break out of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid
from kernel.identifiers import check_email
from kernel.text import clean_line

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

_MAX_LINE: Final = 76
# Longer subjects and names are cut: no mail program shows more.
_MAX_TEXT: Final = 200
# Headers are folded here: the policy would fold an address or a URL too.
_POLICY: Final = compat32.clone(linesep="\r\n", max_line_length=998)
# RFC 5322, 3.2.3: what may stand in a name without quotes.
_ATOM: Final = frozenset(" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=^_`{|}~")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A mail to one recipient. Names and subject may hold any text: control characters and line ends are removed."""

    purpose: str
    """Why it is sent: a label of portal_mails_total, from a closed set."""
    message_id: str
    """Without angle brackets, from `build_message_id`: every attempt at sending a mail has the same."""
    to: str
    subject: str
    html: str = field(repr=False)
    text: str = field(repr=False)
    sender_name: str = ""
    to_name: str = ""
    reply_to: str = ""
    """An address, or empty."""
    thread_id: str = ""
    """The message id of the thread's root, which need not exist; mail programs show its mails together."""
    unsubscribe_url: str = ""
    """An https URL that unsubscribes at one POST (RFC 8058)."""


def build_message_id(name: str, row: UUID, host: str) -> str:
    """Return the message id of a row, such as a job: the same for each attempt."""
    return f"{name}.{row.hex}@{host}"


def compose(mail: OutgoingMail, *, sender: str, now: dt.datetime) -> bytes:
    """Return the message as it is sent, ASCII only, with lines of at most 998 bytes (RFC 5322, 2.1.1).

    Invalid("email.invalid") if an address is none, or is not ASCII, which few servers accept (RFC 6531).
    """
    message = MIMEMultipart("alternative", boundary=_build_boundary(mail), policy=_POLICY)
    message["From"] = _format_address(mail.sender_name, sender)
    message["To"] = _format_address(mail.to_name, _check_address(mail.to))
    message["Subject"] = _encode_text(mail.subject, "Subject")
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail.message_id}>"
    # RFC 3834: no program answers with a notice of absence.
    message["Auto-Submitted"] = "auto-generated"
    if mail.reply_to:
        message["Reply-To"] = _check_address(mail.reply_to)
    if mail.thread_id:
        message["In-Reply-To"] = f"<{mail.thread_id}>"
        message["References"] = f"<{mail.thread_id}>"
    if mail.unsubscribe_url:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # The last alternative is the preferred one (RFC 2046, 5.1.4).
    message.attach(_build_part(mail.text, "plain"))
    message.attach(_build_part(mail.html, "html"))
    return message.as_bytes(policy=_POLICY)


def _build_boundary(mail: OutgoingMail) -> str:
    """Return a boundary that no quoted-printable text contains: there "=" is never followed by "_"."""
    return "=_" + hashlib.sha256(mail.message_id.encode()).hexdigest()[:24]


def _build_part(text: str, subtype: str) -> MIMEText:
    charset = Charset("utf-8")
    charset.body_encoding = QP
    # A lone surrogate has no UTF-8.
    part = MIMEText(text.encode("utf-8", "replace").decode(), subtype, charset, policy=_POLICY)  # type: ignore[arg-type]
    del part["MIME-Version"]
    return part


def _check_address(address: str) -> str:
    checked = check_email(address)
    if not checked.isascii():
        raise Invalid("email.invalid", "Mail to addresses with other than ASCII characters is not supported.")
    return checked


def _format_address(name: str, address: str) -> str:
    text = clean_line(name)[:_MAX_TEXT]
    if not text:
        return address
    if _ATOM.issuperset(text) and len(text) + len(address) < _MAX_LINE - len("From:  <>"):
        return f"{text} <{address}>"
    return f"{_encode_words(text, 'From')} <{address}>"


def _encode_text(text: str, header: str) -> str:
    """Return a text as it is if it is one short line of ASCII, else as encoded words (RFC 2047)."""
    line = clean_line(text)[:_MAX_TEXT]
    is_plain = line.isascii() and len(line) + len(header) + 2 <= _MAX_LINE and "=?" not in line
    return line if is_plain else _encode_words(line, header)


def _encode_words(text: str, header: str) -> str:
    encoded = text.encode("utf-8", "replace").decode()
    return Header(encoded, "utf-8", header_name=header, maxlinelen=_MAX_LINE - 1).encode(linesep="\r\n")
