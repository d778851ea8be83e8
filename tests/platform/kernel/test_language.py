"""Each locale says amounts, dates, units and words its own way, with exact digits and real minus signs."""

from datetime import UTC, date, datetime
from decimal import Context, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import units
from kernel.errors import Invalid
from kernel.language import KERNEL_CATALOGUES, Language
from kernel.money import MAX_MINOR, MIN_MINOR, Money, find_currency, load_currencies

SP, NSP, MINUS, RLM = (
    "\N{NO-BREAK SPACE}",
    "\N{NARROW NO-BREAK SPACE}",
    "\N{MINUS SIGN}",
    "\N{RIGHT-TO-LEFT MARK}",
)
TAGS = (
    "de-DE",
    "en-US",
    "en-GB",
    "ja-JP",
    "ar",
    "he-IL",
    "fr-FR",
    "de-CH",
    "hi-IN",
    "sv-SE",
    "pt-BR",
    "fa-IR",
)
DE, EN, JA, AR = (Language.load(tag) for tag in ("de-DE", "en-US", "ja-JP", "ar"))

GERMAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Amount due"
msgstr "Offener Betrag"

#, fuzzy
msgid "Guessed"
msgstr "Geraten"

msgid "Untranslated"
msgstr ""

msgctxt "verb"
msgid "Print"
msgstr "Drucken"

msgid "due in %(days)s day"
msgid_plural "due in %(days)s days"
msgstr[0] "fällig in %(days)s Tag"
msgstr[1] "fällig in %(days)s Tagen"
"""
AUSTRIAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Amount due"
msgstr "Aushaftender Betrag"
"""


@pytest.fixture
def catalogues(tmp_path: Path) -> tuple[Path, ...]:
    folder = tmp_path / "locale"
    (folder / "de" / "LC_MESSAGES").mkdir(parents=True)
    (folder / "de" / "LC_MESSAGES" / "portal.po").write_text(GERMAN, encoding="utf-8")
    (folder / "de_AT.po").write_text(AUSTRIAN, encoding="utf-8")
    return (folder,)


@pytest.mark.parametrize(
    ("tag", "minor", "code", "said"),
    [
        ("de-DE", 123456, "EUR", f"1.234,56{SP}€"),
        ("de-DE", -123456, "EUR", f"{MINUS}1.234,56{SP}€"),
        ("de-DE", 123456, "CHF", f"1.234,56{SP}CHF"),
        ("en-US", 123456, "USD", "$1,234.56"),
        ("en-US", -5, "USD", f"{MINUS}$0.05"),
        ("en-US", 123456, "CHF", f"CHF{SP}1,234.56"),
        ("en-US", 123456, "CAD", "CA$1,234.56"),
        ("fr-FR", 123456, "EUR", f"1{NSP}234,56{SP}€"),
        ("de-CH", 123456, "CHF", f"CHF{SP}1’234.56"),
        ("ja-JP", 123456, "JPY", "￥123,456"),
        ("hi-IN", 12345678, "INR", "₹1,23,456.78"),
        ("ar", 123456, "EUR", f"{RLM}1,234.56{SP}€"),
        ("en-US", 1234, "KWD", f"KWD{SP}1.234"),
        # CLDR would write these with other digits than ISO 4217 has.
        ("en-US", 1234, "HUF", f"HUF{SP}12.34"),
        ("en-US", 1234, "ISK", f"ISK{SP}1,234"),
        ("en-US", 1234, "MGA", f"MGA{SP}12.34"),
        ("en-US", 0, "EUR", "€0.00"),
    ],
)
def test_amounts_are_said_as_people_there_write_them(tag: str, minor: int, code: str, said: str) -> None:
    assert Language.load(tag).format_money(Money(minor, find_currency(code))) == said


@pytest.mark.parametrize(
    ("tag", "minor", "code", "said"),
    [
        ("de-DE", -123456, "EUR", f"{MINUS}1.234,56"),
        ("en-US", 100, "USD", "1.00"),
        ("ja-JP", 5, "JPY", "5"),
        ("en-US", 5, "KWD", "0.005"),
    ],
)
def test_bare_amounts_have_all_digits_of_the_currency(tag: str, minor: int, code: str, said: str) -> None:
    assert Language.load(tag).format_amount(Money(minor, find_currency(code))) == said


@pytest.mark.parametrize(
    ("tag", "minor", "code", "typed"),
    [
        ("de-DE", 13345936, "EUR", "133459,36"),
        ("en-US", 13345936, "USD", "133459.36"),
        ("de-CH", 13345936, "CHF", "133459.36"),
        ("fr-FR", 5, "EUR", "0,05"),
        ("ar-BH", 1234567, "BHD", "1234.567"),
        ("ja-JP", 1234567, "JPY", "1234567"),
        ("de-DE", -100050, "EUR", f"{MINUS}1000,50"),
    ],
)
def test_an_amount_to_type_has_no_grouping(tag: str, minor: int, code: str, typed: str) -> None:
    assert Language.load(tag).format_ungrouped_amount(Money(minor, find_currency(code))) == typed


@given(
    st.sampled_from(TAGS),
    st.sampled_from(sorted(load_currencies())),
    st.integers(MIN_MINOR, MAX_MINOR),
    st.integers(2, 30),
)
def test_no_figure_of_an_amount_is_ever_lost(tag: str, code: str, minor: int, precision: int) -> None:
    money = Money(minor, find_currency(code))
    with localcontext(Context(prec=precision)):
        for said in (Language.load(tag).format_money(money), Language.load(tag).format_amount(money)):
            figures = "".join(character for character in said if character in "0123456789")
            assert int(figures) == abs(minor)
            assert (MINUS in said) == (minor < 0)
            assert " " not in said
            assert "-" not in said


@pytest.mark.parametrize(
    ("value", "german", "english"),
    [
        ("1.50000", "1,5", "1.5"),
        ("1234567.125", "1.234.567,125", "1,234,567.125"),
        ("-0.25", f"{MINUS}0,25", f"{MINUS}0.25"),
        ("100", "100", "100"),
        ("1E+3", "1.000", "1,000"),
        ("0.00000000005", "0,0000000001", "0.0000000001"),
        ("0.00000000004", "0", "0"),
    ],
)
def test_numbers_have_the_digits_they_have(value: str, german: str, english: str) -> None:
    assert DE.format_decimal(Decimal(value)) == german
    assert EN.format_decimal(Decimal(value)) == english


def test_numbers_round_half_up_and_may_have_digits_to_align_by() -> None:
    assert [EN.format_decimal(Decimal(value), max_digits=2) for value in ("0.125", "0.135", "-0.125")] == [
        "0.13",
        "0.14",
        f"{MINUS}0.13",
    ]
    assert [EN.format_decimal(Decimal(value), min_digits=2) for value in ("1", "1.5", "0.0275")] == [
        "1.00",
        "1.50",
        "0.0275",
    ]


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_what_is_no_number_is_not_written(value: str) -> None:
    with pytest.raises(Invalid, match=r"number\.not_finite"):
        EN.format_decimal(Decimal(value))


def test_percentages_are_given_as_percent() -> None:
    assert [DE.format_percent(Decimal(rate)) for rate in ("19", "7.0", "0", "5.5")] == [
        f"19{SP}%",
        f"7{SP}%",
        f"0{SP}%",
        f"5,5{SP}%",
    ]
    assert [EN.format_percent(Decimal(rate)) for rate in ("19", "8.875", "33.33335", "-3")] == [
        "19%",
        "8.875%",
        "33.3334%",
        f"{MINUS}3%",
    ]


def test_days() -> None:
    day = date(2026, 11, 2)
    assert (DE.format_date(day), DE.format_date(day, "long")) == ("02.11.2026", "2. November 2026")
    assert (EN.format_date(day), EN.format_date(day, "long")) == ("Nov 2, 2026", "November 2, 2026")
    assert (JA.format_date(day), JA.format_date(day, "long")) == ("2026/11/02", "2026年11月2日")


def test_a_moment_is_not_a_day() -> None:
    with pytest.raises(TypeError, match="time zone"):
        EN.format_date(datetime(2026, 11, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("code", "quantity", "german", "english"),
    [
        ("HUR", "1", "Stunde", "hour"),
        ("HUR", "2.5", "Stunden", "hours"),
        ("HUR", "1500", "Stunden", "hours"),
        ("HUR", "-1500", "Stunden", "hours"),
        ("DAY", "0", "Tage", "days"),
        ("MON", "1", "Monat", "month"),
        ("KGM", "1.5", "kg", "kg"),
        ("MTK", "20", "m²", "m²"),
        ("LTR", "1", "l", "L"),
        ("LTR", "22", "l", "L"),
        ("KWH", "3", "kWh", "kWh"),
        ("C62", "1", "Stück", "unit"),
        ("C62", "1.0", "Stück", "unit"),
        ("C62", "0.5", "Stück", "units"),
        ("XPP", "3", "Stück", "pieces"),
        ("ZZ", "3", "", ""),
        ("QQQ", "3", "QQQ", "QQQ"),
        ("", "3", "", ""),
    ],
)
def test_units_are_words_beside_their_quantity(code: str, quantity: str, german: str, english: str) -> None:
    assert DE.translate_unit(code, Decimal(quantity)) == german
    assert EN.translate_unit(code, Decimal(quantity)) == english


@pytest.mark.parametrize("tag", TAGS)
def test_every_unit_of_the_table_has_a_word_everywhere(tag: str) -> None:
    language = Language.load(tag)
    for code in {*units.MEASURE_UNITS, *units.COUNT_UNITS} - {units.ONE}:
        for quantity in (Decimal(1), Decimal(2), Decimal("2.5")):
            word = language.translate_unit(code, quantity)
            assert word
            assert word != code
            assert not set(word) & set("0123456789{}")


@pytest.mark.parametrize("tag", TAGS)
def test_a_sign_is_the_same_beside_every_number(tag: str) -> None:
    language = Language.load(tag)
    for code, (_unit, length) in units.MEASURE_UNITS.items():
        if length == "short":
            assert (
                len(
                    {language.translate_unit(code, Decimal(quantity)) for quantity in ("1", "2", "22", "0.5")}
                )
                == 1
            )


@pytest.mark.parametrize(("tag", "word"), [("ja-JP", ""), ("ar", ""), ("de-AT", "Stück"), ("en-GB", "units")])
def test_what_is_simply_counted_has_no_word_of_a_foreign_tongue(tag: str, word: str) -> None:
    assert Language.load(tag).translate_unit("C62", Decimal(3)) == word


def test_every_counted_unit_is_translated_into_german() -> None:
    same_in_both = {"Person"}
    for code, (singular, plural) in units.COUNT_UNITS.items():
        one, many = DE.translate_unit(code, Decimal(1)), DE.translate_unit(code, Decimal(2))
        assert (one, many) != (singular, plural), code
        assert one[0].isupper() or one in same_in_both


def test_no_code_is_in_two_tables() -> None:
    assert set(units.MEASURE_UNITS) & set(units.COUNT_UNITS) == set()
    assert units.UNNAMED & (set(units.MEASURE_UNITS) | set(units.COUNT_UNITS)) == set()


def test_countries() -> None:
    assert [language.translate_country("DE") for language in (DE, EN, JA)] == [
        "Deutschland",
        "Germany",
        "ドイツ",
    ]
    assert EN.translate_country("ZQ") == "ZQ"


@pytest.mark.parametrize(
    ("given_tag", "tag", "territory", "direction", "page_size"),
    [
        ("de-DE", "de-DE", "DE", "ltr", "A4"),
        ("de_AT", "de-AT", "AT", "ltr", "A4"),
        ("de", "de", "DE", "ltr", "A4"),
        ("en", "en", "US", "ltr", "Letter"),
        ("en-GB", "en-GB", "GB", "ltr", "A4"),
        ("fr-CA", "fr-CA", "CA", "ltr", "Letter"),
        ("es-MX", "es-MX", "MX", "ltr", "Letter"),
        ("ar", "ar", "EG", "rtl", "A4"),
        ("ar-SA", "ar-SA", "SA", "rtl", "A4"),
        ("he", "he", "IL", "rtl", "A4"),
        ("fa-IR", "fa-IR", "IR", "rtl", "A4"),
        ("zh-Hant-TW", "zh-Hant-TW", "TW", "ltr", "A4"),
        ("zh-CN", "zh-Hans-CN", "CN", "ltr", "A4"),
        ("es-419", "es-419", "419", "ltr", "A4"),
        ("de-US", "de", "US", "ltr", "Letter"),
        ("de-DE-u-nu-latn", "de-DE", "DE", "ltr", "A4"),
    ],
)
def test_a_tag_decides_place_direction_and_paper(
    given_tag: str, tag: str, territory: str, direction: str, page_size: str
) -> None:
    language = Language.load(given_tag)
    assert (language.tag, language.territory, language.direction, language.page_size) == (
        tag,
        territory,
        direction,
        page_size,
    )


@pytest.mark.parametrize("tag", ["", "xx", "xx-YY", "german", "../de", "de/..", "a" * 500, "\N{NULL}"])
def test_what_is_no_language_is_refused(tag: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Language.load(tag)
    assert refusal.value.code == "language.unknown"


def test_words_come_from_the_catalogue(catalogues: tuple[Path, ...]) -> None:
    german = Language.load("de-DE", catalogues)
    assert german.message_tag == "de"
    assert german.gettext("Amount due") == "Offener Betrag"
    assert german.pgettext("verb", "Print") == "Drucken"
    assert [german.ngettext("due in %(days)s day", "due in %(days)s days", n) for n in (1, 2, 0)] == [
        "fällig in %(days)s Tag",
        "fällig in %(days)s Tagen",
        "fällig in %(days)s Tagen",
    ]
    assert german.translate_unit("NAR", Decimal(2)) == "Artikel"


def test_a_word_without_translation_stays_english(catalogues: tuple[Path, ...]) -> None:
    german = Language.load("de-DE", catalogues)
    assert german.gettext("Untranslated") == "Untranslated"
    assert german.gettext("Guessed") == "Guessed"
    assert german.gettext("Print") == "Print"
    assert german.pgettext("noun", "Print") == "Print"
    assert german.gettext("") == ""


def test_the_nearer_catalogue_wins_word_by_word(catalogues: tuple[Path, ...]) -> None:
    austrian = Language.load("de-AT", catalogues)
    assert austrian.message_tag == "de-AT"
    assert austrian.gettext("Amount due") == "Aushaftender Betrag"
    assert austrian.pgettext("verb", "Print") == "Drucken"
    assert austrian.format_money(Money(100, find_currency("EUR"))) == f"€{SP}1,00"


def test_without_a_catalogue_words_are_english_and_numbers_are_not(catalogues: tuple[Path, ...]) -> None:
    french = Language.load("fr-FR", catalogues)
    assert french.message_tag == "en"
    assert french.gettext("Amount due") == "Amount due"
    assert french.ngettext("%(n)s line", "%(n)s lines", 0) == "%(n)s lines"
    assert french.npgettext("unit", "piece", "pieces", 1) == "piece"
    assert french.format_decimal(Decimal("1234.5")) == f"1{NSP}234,5"


def test_a_language_is_loaded_once(catalogues: tuple[Path, ...]) -> None:
    assert Language.load("de-DE", catalogues) is Language.load("de-DE", catalogues)
    assert Language.load("de-DE", catalogues) is not Language.load("de-DE")


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="catalogues"):
        Language.load("de-DE", (tmp_path / "missing",))


def test_no_compiled_catalogue_is_kept() -> None:
    assert [path.suffix for path in KERNEL_CATALOGUES.rglob("*") if path.is_file()] == [".po"]
