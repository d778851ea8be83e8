"""Bank accounts as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tenants.invoices.content import Content, Transfer

# ISO 13616: country, two check digits, up to 30 letters and digits.
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")


def is_iban(account: str) -> bool:
    """Whether an account number has the form of an IBAN (ISO 13616) and its check digits hold (ISO 7064)."""
    plain = compact(account)
    if not _IBAN.fullmatch(plain):
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def holder(transfer: Transfer, content: Content) -> str:
    """Return whose account it is: where it is not said, that of the payee, else of the seller."""
    return transfer.holder or (content.payee.name if content.payee else content.seller.name)


def compact(account: str) -> str:
    """Return an account number without spaces, in capitals: what a bank's form takes."""
    return "".join(account.split()).upper()


def readable(account: str) -> str:
    """Return an IBAN in groups of four (ISO 13616, print format), anything else as it was written."""
    if not is_iban(account):
        return account.strip()
    plain = compact(account)
    return " ".join(plain[place : place + 4] for place in range(0, len(plain), 4))
