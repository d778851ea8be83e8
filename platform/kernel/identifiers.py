"""Identifiers of banks and tax offices, and e-mail addresses: recognized, checked and written in one form."""

from __future__ import annotations

import re
from typing import Final

from email_validator import EmailNotValidError, validate_email
from stdnum import bic, iban
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from kernel.errors import Invalid
from kernel.text import clean_identifier, fold

MAX_EMAIL_LENGTH: Final = 254  # RFC 5321, 4.5.3.1.3

# A number of 34 characters, spaces and a label. Longer texts would cost time.
_MAX_LENGTH: Final = 100
_LABEL: Final = re.compile(r"\W*IBAN\W*", re.IGNORECASE)
# Second, because "NO" is a country too.
_LONG_LABEL: Final = re.compile(r"\W*IBAN\W*(?:N[ro°º]|Num(?:mer|ber)|Code)\W*", re.IGNORECASE)


def find_iban(text: str) -> str | None:
    """Return an IBAN (ISO 13616) in its electronic form, without spaces and a label such as "IBAN:", or None."""
    # Full-width digits are recognized too.
    number = fold(text)
    if len(number) > _MAX_LENGTH:
        return None
    for label in (None, _LABEL, _LONG_LABEL):
        match = label.match(number) if label else None
        try:
            # The national check digits are not part of ISO 13616.
            return iban.validate(number[match.end() :] if match else number, check_country=False)
        except ValidationError:
            continue
    return None


def clean_account(text: str) -> str:
    """Return an IBAN in its electronic form, any other account number as cleaned text."""
    return find_iban(text) or clean_identifier(text)


def format_account(account: str) -> str:
    """Return an IBAN in groups of four (ISO 13616, print format), any other account number as cleaned text."""
    number = find_iban(account)
    return clean_identifier(account) if number is None else iban.format(number)


def clean_bic(text: str) -> str:
    """Return a BIC (ISO 9362) in capitals without spaces, anything else as cleaned text."""
    code = clean_identifier(text)
    return bic.compact(code) if bic.is_valid(code) else code


def clean_vat_number(text: str) -> str:
    """Return a VAT number of the European Union in its compact form, anything else as cleaned text."""
    number = clean_identifier(text)
    try:
        return vat.validate(number) if len(number) <= _MAX_LENGTH else number
    except ValidationError:
        return number


def check_email(text: str) -> str:
    """Return an address in lower case, its domain as A-labels; Invalid("email.invalid") if it has another syntax.

    No name server is asked. Domains that never receive mail (RFC 6761) are invalid.
    """
    try:
        checked = validate_email(clean_identifier(text), check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise Invalid("email.invalid", "This is not an e-mail address.") from error
    address = f"{checked.local_part}@{checked.ascii_domain}".lower()
    if len(address) > MAX_EMAIL_LENGTH:
        raise Invalid("email.invalid", "This is not an e-mail address.")
    return address
