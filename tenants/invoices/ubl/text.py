"""Cleans the texts of imported documents: no control characters, no hidden changes of direction."""

from __future__ import annotations

import re
from typing import Final

# Control characters but tab and line feed, embeddings and overrides of direction (which make a text
# read as another one), surrogates, and what Unicode says is never a character.
_UNWANTED: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
# UNTDID 4451, before the text of a note as XRechnung and Peppol write it in UBL: "#ADU#text".
_SUBJECT_CODE: Final = re.compile(r"#[A-Z]{3}#\s*")


def one_line(text: str) -> str:
    """Return the text without control characters, its white space as single spaces."""
    return " ".join(_visible(text).split())


def many_lines(text: str) -> str:
    """Return the text without control characters, line by line; empty lines around it are dropped."""
    return "\n".join(" ".join(line.split()) for line in _visible(text).split("\n")).strip("\n")


def strip_subject_code(note: str) -> str:
    """Return a note without the subject code (BT-21) that stands before its text."""
    match = _SUBJECT_CODE.match(note)
    return note[match.end() :] if match else note


def _visible(text: str) -> str:
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
