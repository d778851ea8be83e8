"""Money: whole minor units of one ISO 4217 currency."""

from __future__ import annotations

import csv
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from kernel.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

# The range of Postgres' bigint.
MAX_MINOR: Final = 2**63 - 1
MIN_MINOR: Final = -(2**63)

# Independent of the thread's context, which a caller may have changed.
_DECIMAL_CONTEXT: Final = Context(
    prec=60, rounding=ROUND_HALF_UP, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation]
)
_MAX_DIGITS: Final = 20


class Currency(msgspec.Struct, frozen=True):
    """A currency: its ISO 4217 code and how many decimal digits its amounts have (0, 2 or 3)."""

    code: str
    digits: int

    def __str__(self) -> str:
        return self.code


class Money(msgspec.Struct, frozen=True):
    """An exact amount: `minor` units (cents, yen, fils) of one currency.

    Arithmetic and comparison of two currencies raise Invalid("money.currency"), an amount outside the range of bigint
    Invalid("money.range"), other types than Money TypeError.
    """

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        """Validate the types and the range."""
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        if not isinstance(self.currency, Currency):
            raise TypeError(f"currency is a Currency, not {type(self.currency).__name__}")
        if not MIN_MINOR <= self.minor <= MAX_MINOR:
            raise _make_range_error(self.currency)

    @classmethod
    def zero(cls, currency: Currency) -> Self:
        """Return an amount of zero, the start of a sum."""
        return cls(0, currency)

    @classmethod
    def from_decimal(cls, amount: Decimal, currency: Currency) -> Self:
        """Convert an amount in major units exactly; raises Invalid("money.inexact") if it would be rounded."""
        money = cls.round_decimal(amount, currency)
        if money.amount != amount:
            # Shortened, because an imported number may be very long.
            shown = str(amount)[:40]
            text = f"{shown} has more than the {currency.digits} decimal digits of {currency.code}."
            raise Invalid("money.inexact", text, amount=shown, currency=currency.code)
        return money

    @classmethod
    def round_decimal(cls, amount: Decimal, currency: Currency) -> Self:
        """Convert an amount in major units, rounded half away from zero (EN 16931)."""
        if not isinstance(amount, Decimal):
            raise TypeError(f"an amount is a Decimal, not {type(amount).__name__}")
        # Checked first: for a huge exponent quantize raises an error without a message.
        if not amount.is_finite() or (amount and amount.adjusted() > _MAX_DIGITS):
            raise _make_range_error(currency)
        minor = _DECIMAL_CONTEXT.quantize(amount, Decimal((0, (1,), -currency.digits)))
        return cls(int(_DECIMAL_CONTEXT.scaleb(minor, currency.digits)), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with exactly the currency's digits."""
        return _DECIMAL_CONTEXT.scaleb(Decimal(self.minor), -self.currency.digits)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._require_minor(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._require_minor(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._require_minor(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._require_minor(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._require_minor(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._require_minor(other)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency.code}"

    def _require_minor(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"the other operand is Money, not {type(other).__name__}")
        if other.currency != self.currency:
            text = f"{self.currency.code} and {other.currency.code} cannot be mixed."
            raise Invalid("money.currency", text, left=self.currency.code, right=other.currency.code)
        return other.minor


@cache
def load_currencies() -> Mapping[str, Currency]:
    """Return the supported currencies by code (ISO 4217 minor units, from currencies.csv)."""
    rows = csv.DictReader((files("kernel") / "currencies.csv").read_text(encoding="utf-8").splitlines())
    return MappingProxyType({row["code"]: Currency(row["code"], int(row["digits"])) for row in rows})


def find_currency(code: str) -> Currency:
    """Return the currency of an ISO 4217 code in capitals; raises Invalid("currency.unknown")."""
    try:
        return load_currencies()[code]
    except KeyError:
        raise Invalid("currency.unknown", f"The currency {code!r} is not supported.", currency=code) from None


def _make_range_error(currency: Currency) -> Invalid:
    return Invalid(
        "money.range", f"The amount in {currency.code} is too large to be stored.", currency=currency.code
    )
