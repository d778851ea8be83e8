"""Text is cleaned into one form: NFC, without control and invisible characters."""

from __future__ import annotations

import ast
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.text import clean_identifier, clean_line, clean_lines, fold, isolate

ROOT = Path(__file__).parents[3]
PRODUCT = ("platform/kernel", "tenants", "workers", "web")
CLEANERS = pytest.mark.parametrize("clean", [clean_line, clean_lines, clean_identifier, fold])
# Format characters that are printed: they enclose or precede digits (Unicode: Prepended_Concatenation_Mark).
PRINTED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
JOINERS = frozenset("\u200c\u200d")
VARIATION_SELECTORS = frozenset(
    map(chr, [*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
# Default_Ignorable_Code_Point, but no format character, or not assigned (DerivedCoreProperties.txt).
OTHER_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\ufff0\ufff8\U000e0000\U000e0080\U000e0fff"
)
NONCHARACTERS = frozenset(
    map(
        chr,
        [
            *range(0xFDD0, 0xFDF0),
            *(plane + end for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF)),
        ],
    )
)

# Everything that the rules treat differently, often side by side.
HOSTILE = st.text(
    st.sampled_from(
        "aA1e\u0301\u0323 \t\n\r\v\f\x00\x1c\x85\xa0\u2028\u2800\u200b\u200c\u200d\u200e\u202e\u2066\ufeff\xad\ufe0f"
        "\u0915\u0958\u094d\u093c\u09b0\u09cd\u0627\u0654\u06cc\u062e\u064b\u2764\U0001f468\U000e0100\u845b\u1820"
        "\u180b\ud800\udc00\ufffe\U000e0041\u1100\u1161\u11a8\u115f\ufb1d\u0344ß\u212b\uff21\U0001f3fb\ue000\u0378"
    ),
    max_size=40,
)
ANY = st.text(st.characters(exclude_categories=())) | HOSTILE


@CLEANERS
@given(text=ANY)
@example(text="\u0301\u200d\u094d\u200c\u094d\u200c\u094d")
@example(text="\u0915" + "\u0301\u200d\u094d\u200c" * 10)
@example(text="\ud83d\ude00")
def test_clean_text_is_clean(clean: Callable[[str], str], text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.normalize("NFC", cleaned) == cleaned
    cleaned.encode()
    allowed = PRINTED | (frozenset("\n") if clean is clean_lines else frozenset())
    if clean in {clean_line, clean_lines}:
        allowed |= JOINERS
    assert {c for c in cleaned if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} <= allowed
    assert set(cleaned).isdisjoint(NONCHARACTERS | OTHER_INVISIBLE)
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned


@pytest.mark.parametrize("clean", [clean_line, clean_lines, clean_identifier])
@given(text=ANY)
def test_cleaning_adds_nothing(clean: Callable[[str], str], text: str) -> None:
    assert len(clean(text)) <= len(unicodedata.normalize("NFC", text))


@given(ANY)
def test_an_identifier_has_no_character_that_cannot_be_seen(text: str) -> None:
    assert set(clean_identifier(text)).isdisjoint(JOINERS | VARIATION_SELECTORS)


@given(ANY)
def test_the_order_of_the_cleaners_makes_no_difference(text: str) -> None:
    assert clean_identifier(clean_line(text)) == clean_identifier(text)
    assert clean_line(clean_lines(text)) == clean_line(text)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_printable_ascii_is_unchanged(text: str) -> None:
    assert [clean(text) for clean in (clean_line, clean_lines, clean_identifier)] == [text] * 3


def test_every_format_and_control_character_is_removed() -> None:
    characters = map(chr, range(sys.maxunicode + 1))
    hidden = {c for c in characters if unicodedata.category(c) in {"Cf", "Cc", "Cs"} and not c.isspace()}
    assert len(hidden) > 2200
    hidden |= OTHER_INVISIBLE | NONCHARACTERS | VARIATION_SELECTORS
    left = {
        c for c in hidden if clean_identifier(f"INV{c}-7") != "INV-7" or clean_line(f"{c}a{c}b{c}") != "ab"
    }
    assert left == PRINTED


def test_no_character_that_is_seen_is_removed() -> None:
    seen = (c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] in "LMNPS")
    lost = {c for c in seen if not clean_identifier(f"\ue000{c}")[1:]}
    # Hangul fillers, inherent vowels of Khmer, the blank of braille.
    assert lost == VARIATION_SELECTORS | set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def test_letters_that_unicode_added_later_stay() -> None:
    unassigned, private = "\u0378", "\ue000"
    assert clean_line(f"a{unassigned}{private}") == f"a{unassigned}{private}"


def test_white_space_becomes_single_spaces() -> None:
    assert clean_line("  Teststraße \n\t 12\u00a0a ") == "Teststraße 12 a"
    assert clean_line("a\u2028b\u3000c\x85d\u2800e\x1cf") == "a b c d e f"


def test_lines_stay_lines() -> None:
    assert clean_lines("\n  first \r\n\r\nsecond\tline\rthird\n\n") == "first\n\nsecond line\nthird"
    assert clean_lines("a\u2028b\u2029c\x85d") == "a\nb\nc\nd"
    assert clean_lines("\u200b\n\ufeff\na") == "a"


@pytest.mark.parametrize(
    "hidden",
    [
        "\x00", "\x07", "\x1b", "\x7f", "\x85", "\u00ad", "\u061c", "\u200b", "\u200e", "\u200f", "\u202e", "\u2060",
        "\u2066", "\u2069", "\ufe0f", "\ufeff", "\ufffe", "\ufdd0", "\ud800", "\U000e0041", "\U000e0100",
    ],
    ids=ascii,
)  # fmt: skip
def test_hidden_characters_are_removed(hidden: str) -> None:
    assert clean_line(f"DE79{hidden} 0000") == "DE79 0000"
    assert clean_lines(f"DE79 0000{hidden}") == "DE79 0000"
    assert clean_identifier(f"{hidden}DE79 0000") == "DE79 0000"


def test_text_from_right_to_left_loses_its_marks_and_no_letter() -> None:
    assert clean_line("شركة اللؤلؤ\u200f ١٢") == "شركة اللؤلؤ ١٢"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("می\u200cخواهم", id="persian"),
        pytest.param("خانه\u200cای", id="persian suffix"),
        pytest.param("क्\u200dष", id="devanagari half form"),
        pytest.param("क्\u200cष", id="devanagari visible virama"),
        pytest.param("ර්\u200dය", id="sinhala"),
        pytest.param("র\u200d্যাব", id="bengali ya-phalaa"),
        pytest.param("👩\u200d❤\ufe0f\u200d👨", id="emoji sequence"),
        pytest.param("🧑🏽\u200d🚀", id="emoji with skin tone"),
        pytest.param("葛\U000e0100城", id="ideographic variation"),
        pytest.param("ᠠ\u180b", id="mongolian"),
    ],
)
def test_joiners_and_variation_selectors_stay_where_they_have_an_effect(text: str) -> None:
    assert clean_line(text) == text
    assert clean_lines(f"a\n{text}") == f"a\n{text}"
    assert clean_identifier(text) != text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("INV\u200d-77", "INV-77"),
        ("INV-7\u200c7", "INV-77"),
        ("\u200cمی", "می"),
        ("می\u200c", "می"),
        ("ا\u200cا", "اا"),
        ("a\u200d👩", "a👩"),
        ("👩\u200da", "👩a"),
        ("می\u200c\u200cخ", "میخ"),
        ("1\ufe0f", "1"),
        ("a\U000e0100", "a"),
        ("a\u180b", "a"),
        ("葛\ufe00", "葛"),
    ],
    ids=ascii,
)
def test_joiners_and_variation_selectors_without_effect_are_removed(text: str, cleaned: str) -> None:
    assert clean_line(text) == cleaned


@pytest.mark.parametrize(
    "part", ["\u0301\u0323", "\u0344", "\u0301\u200d\u094d\u200c", "\u200d", "\u0915\u200d\u094d"], ids=ascii
)
def test_hostile_text_is_cleaned_in_linear_time(part: str) -> None:
    """In quadratic time, one of these takes minutes: marks are sorted, and joiners depend on their neighbours."""
    cleaned = clean_line("\u0915" + part * 100_000)
    assert clean_line(cleaned) == cleaned


def test_many_joiners_between_the_same_letters_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[str] = []
    is_valid = idna.valid_contextj

    def record(label: str, place: int) -> bool:
        labels.append(label)
        return is_valid(label, place)

    monkeypatch.setattr(idna, "valid_contextj", record)
    text = "\u0628\u064b\u200c\u062a" * 1_000
    assert clean_line(text) == text
    assert len(labels) <= 2


def test_no_character_has_more_than_thirty_combining_marks() -> None:
    assert clean_line("\u0915" + "\u0301" * 31 + "b") == "\u0915" + "\u0301" * 30 + "b"
    assert clean_line("\u0915" + "\u0301\u200d" * 31) == "\u0915" + "\u0301" * 30


def test_keys_ignore_case_width_spacing_and_joiners() -> None:
    assert fold("Ｍüller  GMBH") == fold("MU\u0308LLER gm\u200dbh\u200b") == "müller gmbh"
    assert fold("Straße") == fold("STRASSE")


def test_no_other_module_cleans_text() -> None:
    """With a second cleaner, two numbers that look alike may be different."""
    names = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    assert len(names) > 150
    others = {str(path.relative_to(ROOT)) for path in names if cleans_text(path.read_text(encoding="utf-8"))}
    # The second one folds the name of a file to ASCII, for clients that know only that.
    assert others == {"platform/kernel/text.py", "web/http/content_disposition.py"}


@pytest.mark.parametrize(
    "source",
    [
        "import unicodedata as u",
        "from unicodedata import normalize as nfc",
        "ok = all(map(str.isprintable, text))",
    ],
)
def test_a_second_cleaner_would_be_found(source: str) -> None:
    assert cleans_text(source)


def cleans_text(source: str) -> bool:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(alias.name == "unicodedata" for alias in names):
                return True
            case ast.ImportFrom(module="unicodedata") | ast.Attribute(attr="isprintable"):
                return True
            case _:
                pass
    return False


def test_a_name_in_a_sentence_is_isolated_where_it_would_reorder_the_words() -> None:
    assert isolate("Ana Müller, 株式会社") == "Ana Müller, 株式会社"
    assert isolate("عائشة") == "\u2068عائشة\u2069"
    assert isolate("") == ""
