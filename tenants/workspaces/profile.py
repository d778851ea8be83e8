"""Values of a workspace, and the checks before they are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import msgspec
from babel import Locale, UnknownLocaleError

from kernel.clock import find_zone
from kernel.errors import Invalid
from kernel.identifiers import clean_account, clean_bic, find_iban
from kernel.ids import WorkspaceId
from kernel.money import find_currency
from kernel.text import clean_lines

PAYMENT_DAYS: Final = 14
LINK_DAYS: Final = 30
BRAND_COLOUR: Final = "#2f5bd7"
MAX_NAME_LENGTH: Final = 200

_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_BIC: Final = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
_MAX_ACCOUNT_LENGTH: Final = 50
_LOCALE_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3})?")


class LogoRef(msgspec.Struct, frozen=True):
    """The workspace's logo: hex SHA-256 of the PNG, which is its name, and its size in pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class LogoImage:
    """A PNG that `logo.reencode` made; `sha256` (hex) of its bytes is its name."""

    png: bytes = field(repr=False)
    sha256: str
    width: int
    height: int


class WorkspaceProfile(msgspec.Struct, frozen=True):
    """A workspace as pages show it. `locale` is a BCP 47 tag, `time_zone` an IANA name.

    `payment_days` after its issue an invoice is due unless it names another date; `link_days` after it is
    due its links end.
    """

    workspace_id: WorkspaceId
    slug: str
    name: str
    locale: str
    time_zone: str
    currency: str
    brand_colour: str
    contact_line: str
    logo: LogoRef | None
    payment_days: int
    link_days: int


@dataclass(frozen=True, slots=True)
class BankDetails:
    """The account to which customers transfer money; all empty for none."""

    holder: str = ""
    account: str = ""
    bic: str = ""
    bank: str = ""


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """How a workspace is paid: whether its payments are real ones, whether in parts, and its bank account."""

    is_live: bool
    takes_parts: bool
    bank: BankDetails


@dataclass(frozen=True, slots=True)
class ResolvedHost:
    """A host that is served, and its workspace. Absolute links name `primary_host`."""

    host: str
    primary_host: str
    workspace: WorkspaceProfile

    @property
    def is_primary(self) -> bool:
        """Whether this very host is the one absolute links name."""
        return self.host == self.primary_host


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """What a workspace begins with; the rest has defaults that its members can change."""

    slug: str
    name: str
    locale: str = "en-US"
    time_zone: str = "UTC"
    currency: str = "USD"
    brand_colour: str = BRAND_COLOUR
    contact_line: str = ""


def check_name(name: str) -> str:
    """Return the cleaned name; Invalid("workspace.name") if it is empty, too long or of several lines."""
    return _check_line(name, "workspace.name", "A workspace's name", minimum=1)


def check_contact_line(line: str) -> str:
    """Return the cleaned line; Invalid("workspace.contact_line") if it is too long or of several lines."""
    return _check_line(line, "workspace.contact_line", "The contact line", minimum=0)


def check_colour(colour: str) -> str:
    """Return `#rrggbb` in lower case; Invalid("workspace.colour") otherwise."""
    if not _COLOUR.fullmatch(colour.lower()):
        raise Invalid("workspace.colour", "A brand colour is written as #rrggbb.", colour=colour[:20])
    return colour.lower()


def check_locale(tag: str) -> str:
    """Return a BCP 47 tag that CLDR knows ("de-DE"); Invalid("locale.unknown") otherwise."""
    try:
        if _LOCALE_TAG.fullmatch(tag):
            Locale.parse(tag, sep="-")
            return tag
    except (UnknownLocaleError, ValueError):
        pass
    raise Invalid("locale.unknown", f"The locale {tag[:40]!r} is unknown.", locale=tag[:40])


def check_time_zone(name: str) -> str:
    """Return an IANA zone's name; Invalid("zone.unknown") otherwise."""
    find_zone(name)
    return name


def check_currency(code: str) -> str:
    """Return an ISO 4217 code; Invalid("currency.unknown") otherwise."""
    return find_currency(code).code


def check_days(days: int, maximum: int) -> int:
    """Return the number of days; Invalid("workspace.days") if it is not from 0 to `maximum`."""
    if not 0 <= days <= maximum:
        raise Invalid("workspace.days", f"A number of days from 0 to {maximum}.", days=days, most=maximum)
    return days


def check_bank_details(details: BankDetails) -> BankDetails:
    """Return cleaned bank details; Invalid (`bank.account`, `bank.bic`, `bank.incomplete`, `bank.text`).

    An account that looks like an IBAN must be a correct one; any other is kept as it is written.
    """
    holder = _check_line(details.holder, "bank.text", "The holder of an account", minimum=0)
    bank = _check_line(details.bank, "bank.text", "The name of a bank", minimum=0)
    account, bic = clean_account(details.account), clean_bic(details.bic).upper()
    is_iban = _IBAN.fullmatch("".join(account.split()).upper()) is not None
    if len(account) > _MAX_ACCOUNT_LENGTH or (is_iban and find_iban(account) is None):
        raise Invalid("bank.account", "The account number is not correct.")
    if bic and not _BIC.fullmatch(bic):
        raise Invalid("bank.bic", "A BIC has 8 or 11 letters and digits.")
    if not account and (holder or bic or bank):
        raise Invalid("bank.incomplete", "Bank details need an account number.")
    return BankDetails(holder, account, bic, bank)


def _check_line(text: str, code: str, what: str, *, minimum: int) -> str:
    line = clean_lines(text)
    if not minimum <= len(line) <= MAX_NAME_LENGTH or "\n" in line:
        raise Invalid(code, f"{what} is one line of {minimum} to {MAX_NAME_LENGTH} characters.")
    return line
