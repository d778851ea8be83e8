"""Invoice numbers: how one is written from its series."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kernel.errors import Invalid

_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_PREFIX: Final = re.compile(r"[^\W_]?[\w./#-]{0,19}")
MOST_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Series:
    """A series of numbers: `prefix`, then the running number with at least `digits` digits."""

    name: str
    prefix: str
    digits: int


DEFAULT_SERIES: Final = Series("invoices", "INV-", 5)


def check_series(series: Series) -> Series:
    """Return it; Invalid("series.invalid") if name, prefix or number of digits cannot be."""
    named = _NAME.fullmatch(series.name) and _PREFIX.fullmatch(series.prefix)
    if not named or not 1 <= series.digits <= MOST_DIGITS:
        words = (
            "A series has a name of lower-case letters, a prefix of up to 20 characters and 1 to 12 digits."
        )
        raise Invalid("series.invalid", words, series=series.name[:40])
    return series


def write_number(prefix: str, digits: int, running: int) -> str:
    """Return the number as it stands on the invoice: INV-00042."""
    return f"{prefix}{running:0{digits}}"
