"""The name under which a client stores a file: Content-Disposition (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote

from kernel.text import clean_identifier

# File systems take 255 bytes; programs add " (1)" to a name, and paths have limits of their own.
LONGEST: Final = 150
# Separators and wildcards of the common systems; some programs decode a percent sign.
_RESERVED: Final = re.compile(r"[/\\:*?<>|%]")
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|\Z)", re.IGNORECASE)
# Characters whose decomposition has no ASCII letter.
_ASCII_FORMS: Final = str.maketrans(
    {"–": "-", "—": "-", "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l"}
)
_ATTR_CHAR: Final = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1, beside letters and digits


def format_content_disposition(stem: str, suffix: str, *, inline: bool = False) -> str:
    """Return the header's value for a file named `stem`, cleaned, and `suffix` (".pdf").

    A name beyond ASCII is sent twice, first in ASCII for clients that know only that (RFC 6266, appendix D).
    """
    name = clean_filename(stem) or "file"
    plain = name if name.isascii() else clean_filename(_fold_to_ascii(name)) or "file"
    value = f'{"inline" if inline else "attachment"}; filename="{plain}{suffix}"'
    if name != plain:
        value += f"; filename*=UTF-8''{quote(name + suffix, safe=_ATTR_CHAR)}"
    return value


def clean_filename(text: str, longest: int = LONGEST) -> str:
    """Return a text that is safe in a file's name: one line, no separator, at most `longest` bytes in UTF-8."""
    name = " ".join(_RESERVED.sub("-", clean_identifier(text).replace('"', "'")).split()).strip(". ")
    cut = name.encode()[:longest].decode(errors="ignore").rstrip(". ")
    return f"_{cut}"[:longest] if _DEVICE.match(cut) else cut


def _fold_to_ascii(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.translate(_ASCII_FORMS))
    # Dropped words leave their separators at the ends.
    return " ".join(folded.encode("ascii", "ignore").decode().split()).strip("-_ ")
