"""Localization: messages (gettext), and numbers, amounts, dates, units and countries (CLDR)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cached_property, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_datetime, format_time, get_datetime_format
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_decimal, get_currency_symbol, parse_pattern
from babel.units import format_unit

from kernel import units
from kernel.errors import Invalid

if TYPE_CHECKING:
    from kernel.money import Money

KERNEL_CATALOGUES: Final = Path(__file__).parent / "locale"
_NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"
_CONTEXT: Final = Context(prec=80, rounding=ROUND_HALF_UP, Emin=MIN_EMIN, Emax=MAX_EMAX)
_TERRITORY: Final = re.compile(r"[-_]([A-Za-z]{2}|[0-9]{3})(?=[-_]|$)")
# CLDR supplemental measurementData, paperSize "US-Letter"; the rest of the world uses A4.
_LETTER_TERRITORIES: Final = frozenset(
    ("BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE")
)


@dataclass(frozen=True)
class Language:
    """A locale with its messages, from `Language.load`; safe to share between threads.

    Numbers have Latin digits, a minus sign (U+2212) and no-break spaces.
    """

    tag: str
    """The canonical BCP 47 tag: "de-DE", "zh-Hant-TW"."""
    message_tag: str
    """The language of the messages: "en" if there is no catalogue for the locale."""
    territory: str
    """ISO 3166-1 alpha-2 (or UN M49) of the tag, or else the likely one of the language (CLDR); may be empty."""
    _locale: Locale
    _translations: NullTranslations

    @staticmethod
    def load(tag: str, catalogues: tuple[Path, ...] = ()) -> Language:
        """Return the language of a BCP 47 tag, cached; raises Invalid("language.unknown").

        Each catalogue is a folder with <locale>/LC_MESSAGES/*.po or <locale>.po, with gettext's name of
        the locale (de, de_AT). The most specific translation of a message is used; without any it is English.
        """
        return _load(tag, catalogues)

    # Messages: the key is the English text, as usual with gettext.

    def gettext(self, message: str) -> str:
        """Return the message in this language."""
        # For "" gettext returns the header of the catalogue.
        return self._translations.gettext(message) if message else ""

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Return the plural form of the message for the number n."""
        return self._translations.ngettext(singular, plural, n)

    def pgettext(self, context: str, message: str) -> str:
        """Return the message in a context."""
        return self._translations.pgettext(context, message)

    def npgettext(self, context: str, singular: str, plural: str, n: int) -> str:
        """Return the plural form of the message for the number n in a context."""
        return self._translations.npgettext(context, singular, plural, n)

    # Numbers.

    def format_money(self, money: Money) -> str:
        """Return the amount with its currency's symbol and exactly its ISO 4217 digits: "−1.234,50 €"."""
        digits = money.currency.digits
        pattern = _set_digits(self._locale.currency_formats["standard"], digits, digits)
        code = money.currency.code
        with localcontext(_CONTEXT):
            text = pattern.apply(money.amount, self._locale, currency=code, currency_digits=False)
        return _replace_signs(_space_symbol(text, get_currency_symbol(code, locale=self._locale)))

    def format_amount(self, money: Money) -> str:
        """Return the amount without currency, with exactly the currency's ISO 4217 digits: "−1.234,50"."""
        return self.format_decimal(
            money.amount, min_digits=money.currency.digits, max_digits=money.currency.digits
        )

    def format_ungrouped_amount(self, money: Money) -> str:
        """Return the amount without currency and grouping, with all its digits: "1234,50"."""
        digits = money.currency.digits
        pattern = _set_digits(self._locale.decimal_formats[None], digits, digits)
        with localcontext(_CONTEXT):
            return _replace_signs(pattern.apply(money.amount, self._locale, group_separator=False))

    def format_decimal(self, value: Decimal, *, max_digits: int = 10, min_digits: int = 0) -> str:
        """Return a number with grouping, rounded half-up to `max_digits`, with `min_digits` at least."""
        pattern = _set_digits(self._locale.decimal_formats[None], min_digits, max_digits)
        with localcontext(_CONTEXT):
            return _replace_signs(pattern.apply(_round(value, max_digits), self._locale))

    def format_percent(self, value: Decimal, *, max_digits: int = 4) -> str:
        """Return a percentage; 19 is "19 %" or "19%", as the locale writes it."""
        pattern = _set_digits(self._locale.percent_formats[None], 0, max_digits)
        with localcontext(_CONTEXT):
            fraction = _round(value, max_digits).scaleb(-2)
            return _replace_signs(pattern.apply(fraction, self._locale))

    # Dates, names and layout.

    def format_date(self, day: date, style: Literal["short", "medium", "long", "full"] = "medium") -> str:
        """Return a date; TypeError for a datetime, whose date depends on the time zone."""
        if isinstance(day, datetime):
            raise TypeError("this needs a date; convert the datetime to the date in a time zone first")
        return format_date(day, format=style, locale=self._locale)

    def format_datetime(self, moment: datetime, zone: tzinfo) -> str:
        """Return date and time in a time zone, without seconds: "Nov 30, 2026, 6:40 PM"."""
        local = moment.astimezone(zone)
        pattern = str(get_datetime_format("medium", locale=self._locale))
        time = format_time(local, "short", locale=self._locale)
        return pattern.replace("{0}", time).replace("{1}", self.format_date(local.date()))

    def format_exact_datetime(self, moment: datetime, zone: tzinfo) -> str:
        """Return date, time with seconds, and the zone's name: "November 30, 2026 at 6:40:00 PM PST"."""
        return format_datetime(moment, "long", tzinfo=zone, locale=self._locale)

    def translate_unit(self, code: str, quantity: Decimal) -> str:
        """Return the name of a UN/ECE Rec. 20 unit for a quantity ("hours"); an unknown code is returned unchanged.

        Empty for "mutually defined", and for "one" where it has no translation.
        """
        if code in units.UNNAMED:
            return ""
        if code in units.COUNT_UNITS:
            name = self.npgettext("unit", *units.COUNT_UNITS[code], _find_plural_number(quantity))
            # An English "one" would not help readers of another language.
            is_foreign = self._locale.language != "en" and name in units.COUNT_UNITS[code]
            return "" if code == units.ONE and is_foreign else name
        if code in units.MEASURE_UNITS:
            return self._translate_measure(*units.MEASURE_UNITS[code], quantity) or code
        return code

    def translate_country(self, code: str) -> str:
        """Return the name of an ISO 3166-1 alpha-2 country in this language; an unknown code is returned unchanged."""
        return str(self._locale.territories.get(code, code))

    @cached_property
    def direction(self) -> Literal["ltr", "rtl"]:
        """The direction of the script."""
        return "rtl" if self._locale.text_direction == "rtl" else "ltr"

    @cached_property
    def page_size(self) -> Literal["A4", "Letter"]:
        """The usual size of paper in the territory (CLDR)."""
        return "Letter" if self.territory in _LETTER_TERRITORIES else "A4"

    def _translate_measure(self, unit: str, length: str, quantity: Decimal) -> str:
        if length == "short":
            # CLDR spells some abbreviations out for one and two; the plural form has the abbreviation.
            quantity = _PLURAL_QUANTITY
        with localcontext(_CONTEXT):
            number = format_decimal(quantity, locale=self._locale)
            # CLDR omits the long form if it equals a shorter one.
            for candidate in (length, "short", "narrow"):
                text = format_unit(quantity, unit, length=_LENGTHS[candidate], locale=self._locale)
                if unit not in text:
                    return text.replace(number, "").strip()
        return ""


_PLURAL_QUANTITY: Final = Decimal("2.5")
_LENGTHS: Final[dict[str, Literal["short", "long", "narrow"]]] = {
    "short": "short",
    "long": "long",
    "narrow": "narrow",
}


@lru_cache(maxsize=512)
def _load(tag: str, catalogues: tuple[Path, ...]) -> Language:
    locale = _find_locale(tag)
    found = [_read_catalogues(folder, locale) for folder in catalogues]
    message_tag = next((name for folder in found for name, _ in folder), "en")
    translations = NullTranslations()
    # Each catalogue falls back to the one before it: the most specific one comes last.
    for folder in reversed([*found, _read_catalogues(KERNEL_CATALOGUES, locale)]):
        for _, compiled in reversed(folder):
            catalogue = GNUTranslations(BytesIO(compiled))
            catalogue.add_fallback(translations)
            translations = catalogue
    territory = _TERRITORY.search(tag)
    likely = Locale.parse(get_global("likely_subtags").get(str(locale), str(locale)))
    return Language(
        tag=str(locale).replace("_", "-"),
        message_tag=message_tag.replace("_", "-"),
        territory=territory[1].upper() if territory else locale.territory or likely.territory or "",
        _locale=locale,
        _translations=translations,
    )


def _find_locale(tag: str) -> Locale:
    """Return CLDR's locale, or that of the language if there is none for the territory (de-US)."""
    plain = tag.replace("_", "-").split("-u-")[0]
    for candidate in (plain, plain.split("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise Invalid("language.unknown", f"There is no language called {tag[:40]!r}.", language=tag[:40])


def _read_catalogues(folder: Path, locale: Locale) -> list[tuple[str, bytes]]:
    """Return (locale name, compiled catalogue) of a folder for a locale, the most specific first."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder of catalogues at {folder}")
    language, script, territory = locale.language, locale.script, locale.territory
    parts = ((language, script, territory), (language, territory), (language, script), (language,))
    names = dict.fromkeys("_".join(filter(None, each)) for each in parts)
    return [
        (name, _compile(path))
        for name in names
        for path in (folder / f"{name}.po", *sorted((folder / name / "LC_MESSAGES").glob("*.po")))
        if path.is_file()
    ]


@lru_cache(maxsize=128)
def _compile(path: Path) -> bytes:
    with path.open("rb") as source:
        catalogue = read_po(source, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()


@lru_cache(maxsize=2048)
def _parse_pattern(pattern: str, min_digits: int, max_digits: int) -> NumberPattern:
    parsed = parse_pattern(pattern)
    parsed.frac_prec = (min_digits, max_digits)
    return parsed


def _set_digits(pattern: NumberPattern, min_digits: int, max_digits: int) -> NumberPattern:
    return _parse_pattern(pattern.pattern, min_digits, max_digits)


def _round(value: Decimal, digits: int) -> Decimal:
    """Round half-up, like amounts; Babel would round half to even."""
    if not value.is_finite():
        raise Invalid("number.not_finite", "This is not a finite number.")
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal((0, (1,), -digits))) if int(exponent) < -digits else value


def _find_plural_number(quantity: Decimal) -> int:
    """Return the whole number that selects the plural form: fractions are plural."""
    return int(abs(quantity)) if quantity == quantity.to_integral_value() else 2


def _space_symbol(text: str, symbol: str) -> str:
    """Put a no-break space between digits and a symbol that ends in letters (CLDR currencySpacing)."""
    sign = re.escape(symbol)
    if symbol[-1:].isalpha():
        text = re.sub(f"(?<={sign})(?=[0-9])", _NO_BREAK_SPACE, text)
    if symbol[:1].isalpha():
        text = re.sub(f"(?<=[0-9])(?={sign})", _NO_BREAK_SPACE, text)
    return text


def _replace_signs(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}").replace(" ", _NO_BREAK_SPACE)
