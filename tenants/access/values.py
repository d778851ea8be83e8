"""Subjects, codes, sessions, authenticators and proofs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from tenants.ids import AuthenticatorId, CodeId, SessionId

#: A session ends when it was not used for so long.
IDLE_LIMIT: Final = dt.timedelta(days=14)
#: A session ends so long after it began, however much it is used.
ABSOLUTE_LIMIT: Final = dt.timedelta(days=90)
#: How often the use of a session is stored, at most.
RENEWAL_INTERVAL: Final = dt.timedelta(hours=1)
#: The purpose of the keyed hash of a session's cookie.
SESSION_PURPOSE: Final = "session"
#: The purpose of the keyed hash of the cookie of an anonymous session.
BROWSER_PURPOSE: Final = "browser"

#: A code can be used for so long after it was asked for.
CODE_LIFETIME: Final = dt.timedelta(minutes=10)
#: So many guesses of a code are evaluated.
MAX_ATTEMPTS: Final = 5
#: So many codes of an authenticator can be wrong in `ATTEMPTS_PERIOD`.
MAX_TOTP_ATTEMPTS: Final = 5
ATTEMPTS_PERIOD: Final = dt.timedelta(minutes=5)


class SubjectKind(StrEnum):
    """The kind of a subject; the values are stored."""

    ADDRESS = "address"
    """An e-mail address on the portal; its id is the address in lower case."""
    MEMBER = "member"
    """A member in the console."""


class Subject(msgspec.Struct, frozen=True):
    """Who proves something: codes, sessions and authenticators belong to it."""

    kind: SubjectKind
    id: str


class Proof(StrEnum):
    """What a visitor can prove; the values are stored with comments."""

    LINK = "link"
    """Holds a link to the invoice."""
    EMAIL_CODE = "email_code"
    """Entered the code that was sent to the address."""
    CONTACT = "contact"
    """The proven address is that of a contact of the customer."""
    TOTP = "totp"
    """Entered a code of the contact's authenticator, or a recovery code."""


class CodePurpose(StrEnum):
    """What a one-time code is for; the values are stored. A code for one purpose does not serve another."""

    SIGN_IN = "sign_in"
    """To sign in: for the customer's home, and to write under the mode `customer`."""
    WRITE = "write"
    """To write under the mode `otp`."""


@dataclass(frozen=True, slots=True)
class MadeCode:
    """A code that a worker has made and sends."""

    code_id: CodeId
    purpose: CodePurpose
    target: str
    """The address that it is sent to."""
    code: str = field(repr=False)
    locale: str | None
    """The contact's, else its customer's; None for the workspace's."""
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: what its browser has proven. `browser_hash` stays the same when it gets a new reference."""

    session_id: SessionId
    subject: Subject
    browser_hash: bytes = field(repr=False)
    email_proven_at: dt.datetime | None
    totp_proven_at: dt.datetime | None
    used_at: dt.datetime
    has_authenticator: bool

    @property
    def is_signed_in(self) -> bool:
        """Whether the address is proven, and the authenticator was used if there is one."""
        return self.email_proven_at is not None and (
            self.totp_proven_at is not None or not self.has_authenticator
        )

    def needs_renewal(self, now: dt.datetime) -> bool:
        """Tell whether its use is to be stored (`actions.renew_session`), so that it does not end as idle."""
        return now - self.used_at >= RENEWAL_INTERVAL


@dataclass(frozen=True, slots=True)
class NewSession:
    """The reference of a session; its cookie's value exists only here and in the browser."""

    session_id: SessionId
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One open session in its subject's list."""

    session_id: SessionId
    created_at: dt.datetime
    used_at: dt.datetime
    user_agent: str
    address_prefix: str
    """The network of the client's address, or empty."""
    has_totp: bool


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new authenticator: what the person scans or types."""

    authenticator_id: AuthenticatorId
    secret: str = field(repr=False)
    """The key in base32."""
    uri: str = field(repr=False)
    """The key with the issuer and the account's name, for a QR code (`qr.draw_qr`)."""


@dataclass(frozen=True, slots=True)
class AuthenticatorState:
    """A subject's confirmed authenticator."""

    authenticator_id: AuthenticatorId
    confirmed_at: dt.datetime
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class CheckedFactor:
    """A code of an authenticator was right, or a recovery code, which is used up."""

    authenticator_id: AuthenticatorId
    is_recovery_code: bool
