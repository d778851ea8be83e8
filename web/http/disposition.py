"""The name under which a client stores a file: Content-Disposition (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from web.http.security import Header

# File systems take 255 bytes; programs add " (1)" to a name, and paths have limits of their own.
LONGEST: Final = 150
# Separators and wildcards, of one system or another; a percent sign would be decoded by some.
_RESERVED: Final = re.compile(r"[/\\:*?<>|%]")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # control, bidi, surrogate, unassigned
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|\Z)", re.IGNORECASE)
# What decomposes into nothing that ASCII has.
_PLAIN: Final = str.maketrans(
    {"–": "-", "—": "-", "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l"}
)
_ATTR_CHAR: Final = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1, beside letters and digits


def disposition(stem: str, suffix: str, *, inline: bool = False) -> Header:
    """Return the header for a file called `stem`, made harmless, and `suffix` (".pdf").

    A name beyond ASCII is sent twice, the plain one first for those who know no other (RFC 6266, appendix D).
    """
    name = safe(stem) or "file"
    plain = name if name.isascii() else safe(_ascii(name)) or "file"
    value = f'{"inline" if inline else "attachment"}; filename="{plain}{suffix}"'
    if name != plain:
        value += f"; filename*=UTF-8''{quote(name + suffix, safe=_ATTR_CHAR)}"
    return (b"content-disposition", value.encode("ascii"))


def safe(text: str, longest: int = LONGEST) -> str:
    """Return a text as part of a file's name, of at most `longest` bytes in UTF-8: one line, and no path."""
    shown = "".join(
        " " if each.isspace() else each
        for each in unicodedata.normalize("NFC", text)
        if each.isspace() or unicodedata.category(each) not in _UNSEEN
    )
    name = " ".join(_RESERVED.sub("-", shown.replace('"', "'")).split()).strip(". ")
    cut = name.encode()[:longest].decode(errors="ignore").rstrip(". ")
    return f"_{cut}"[:longest] if _DEVICE.match(cut) else cut


def _ascii(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.translate(_PLAIN))
    # Without what stood between words that are gone.
    return " ".join(folded.encode("ascii", "ignore").decode().split()).strip("-_ ")
