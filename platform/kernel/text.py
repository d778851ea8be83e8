"""Cleans text from people and files: one form (NFC), without control and invisible characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna

# Control characters, except those that are white space; surrogates; noncharacters; format characters (Cf, except
# U+0600 to U+0605 and other visible ones) and further code points with Default_Ignorable_Code_Point (UAX #44).
# Joiners and variation selectors stand in _CONDITIONAL.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
# U+200C and U+200D, and variation selectors: Mongolian, general, ideographic.
_CONDITIONAL: Final = re.compile("[\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Normalization sorts the combining marks of one character in quadratic time. No language has so many (UAX #15, 13).
_MAX_MARKS: Final = 30
_MANY_MARKS: Final = re.compile(f"[\u0300-\U0010ffff]{{{_MAX_MARKS + 1}}}")
# The blank of braille has no ink, but is no white space in Unicode.
_BRAILLE_BLANK: Final = "\u2800"
_ZWNJ: Final = "\u200c"
_ZWJ: Final = "\u200d"
_BEH: Final = "\u0628"  # joins on both sides
_VIRAMA: Final = 9  # canonical combining class
# Joining looks past combining marks. Natural text has few; the bound keeps the time linear.
_CONTEXT: Final = 16
_MAX_PASSES: Final = 4


def clean_line(text: str) -> str:
    """Return text as one line with single spaces."""
    return text if _is_plain(text) else " ".join(_clean(text).split())


def clean_lines(text: str) -> str:
    """Return text of several lines, each with single spaces; outer empty lines are removed."""
    if _is_plain(text):
        return text
    return "\n".join(" ".join(line.split()) for line in _clean(text).splitlines()).strip("\n")


def clean_identifier(text: str) -> str:
    """Return a number, a code or a reference as one line without any invisible character, joiners included."""
    return text if _is_plain(text) else clean_line(_CONDITIONAL.sub("", text))


def fold(text: str) -> str:
    """Return a key for comparison: compatibility forms, case and invisible characters make no difference."""
    # Casefold may leave a form that NFKC changes, and the reverse (Unicode Standard, 3.13, D145 and D146).
    folded = unicodedata.normalize("NFKC", clean_identifier(text)).casefold()
    return clean_identifier(unicodedata.normalize("NFKC", folded).casefold())


def isolate(text: str) -> str:
    """Return a text for the middle of a sentence: right-to-left letters in it do not reorder what stands around it.

    Between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (UAX #9, 2.4), which are added where they have an effect.
    """
    needs_isolation = not text.isascii() and any(
        unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in text
    )
    return f"\u2068{text}\u2069" if needs_isolation else text


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "  " not in text and text == text.strip()


def _clean(text: str) -> str:
    visible = _INVISIBLE.sub("", text.replace(_BRAILLE_BLANK, " "))
    # Normalization may decompose a mark into two.
    normalized = _limit_marks(unicodedata.normalize("NFC", _limit_marks(visible)))
    return _drop_conditional(normalized)


def _limit_marks(text: str) -> str:
    if not _MANY_MARKS.search(text):
        return text
    result, marks = [], 0
    for character in text:
        if unicodedata.combining(character):
            marks += 1
        elif not _CONDITIONAL.match(character):
            marks = 0
        if marks <= _MAX_MARKS:
            result.append(character)
    return "".join(result)


def _drop_conditional(text: str) -> str:
    """Remove the joiners and variation selectors that have no effect on the characters around them."""
    # Without a character, normalization may reorder its neighbours, which are the context of others.
    for _ in range(_MAX_PASSES):
        if not _CONDITIONAL.search(text):
            return text
        changed = _CONDITIONAL.sub(lambda match: match[0] if _has_effect(match) else "", text)
        before, text = text, unicodedata.normalize("NFC", changed)
        if text == before:
            return text
    return unicodedata.normalize("NFC", _CONDITIONAL.sub("", text))


def _has_effect(match: re.Match[str]) -> bool:
    start, end = match.span()
    text, character = match.string, match[0]
    before, after = text[start - 1 : start], text[end : end + 1]
    if not before:
        return False
    if character in "\u200c\u200d":
        return _joins(text, start) or (character == _ZWJ and _is_emoji(before) and _is_emoji(after))
    if character in "\ufe0e\ufe0f":
        return _is_emoji(before)
    if character >= "\U000e0100":
        return _is_ideograph(before)
    return "\u1820" <= before <= "\u18aa" and character < "\u200c"


def _joins(text: str, place: int) -> bool:
    """Tell whether a joiner stands where Arabic and Indic scripts need it (UAX #31, 2.3; RFC 5892, A.1 and A.2)."""
    # Bengali writes ZWJ before the virama as well (Unicode Standard, 12.2, "ya-phalaa").
    after = text[place + 1 : place + 2]
    if text[place] == _ZWJ and after and unicodedata.combining(after) == _VIRAMA:
        return text[place - 1].isalpha()
    before = text[place - 1]
    if text[place] == _ZWJ or unicodedata.combining(before) == _VIRAMA:
        return unicodedata.combining(before) == _VIRAMA
    left = _find_letter(text[max(0, place - _CONTEXT) : place][::-1])
    right = _find_letter(text[place + 1 : place + _CONTEXT])
    return left != "" and _is_valid_joiner(left + _ZWNJ + _BEH) and _is_valid_joiner(_BEH + _ZWNJ + right)


def _find_letter(text: str) -> str:
    """Return the first character that joining does not look past, "" if there is none."""
    return next((letter for letter in text if unicodedata.category(letter) not in {"Mn", "Me"}), "")


# Without a cache, a file of 20 MiB with a joiner behind each letter would take minutes.
@lru_cache(maxsize=4096)
def _is_valid_joiner(label: str) -> bool:
    try:
        return idna.valid_contextj(label, 1)
    except ValueError:  # a neighbour without a name
        return False


def _is_emoji(character: str) -> bool:
    """Tell whether a character is in a block of symbols or emoji, or follows one in an emoji (UTS #51)."""
    return (
        "\u2190" <= character <= "\u2bff"
        or "\U0001f000" <= character <= "\U0001faff"
        or character == "\ufe0f"
    )


def _is_ideograph(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff"
