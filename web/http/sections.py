"""Pages joined from cached sections and from slots that each response fills.

A section is HTML that many responses share. It is deflated once, up to a full flush, so that its blocks refer to
nothing before them and end on a byte boundary. A slot is what one response has of its own: a nonce, a form token, the
block of the visitor. Slots are stored and never compressed, so that only their own length shows (BREACH: compressed
beside reflected input, a visitor's name leaked).
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Postgres stores no NUL in text and jsonb: only a template can write a slot.
_SLOT: Final = re.compile("\0([a-z_]+)\0")
_GZIP_HEADER: Final = (
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # RFC 1952: deflate, no time, unknown system
)
_LAST_BLOCK: Final = b"\x03\x00"  # RFC 1951: final, fixed codes, empty
_LARGEST_STORED: Final = 0xFFFF  # bytes; RFC 1951, 3.2.4
_OBJECT_BYTES: Final = 512


def mark_slot(name: str) -> str:
    """Return the text that marks the place of a slot in a template's output."""
    return f"\0{name}\0"


@dataclass(frozen=True, slots=True)
class CompressedHtml:
    """HTML without slots, plain and as deflate blocks."""

    plain: bytes
    deflated: bytes

    @classmethod
    def compress(cls, text: str) -> Self:
        """Return `text` with its deflate blocks."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        plain = text.encode()
        return cls(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


@dataclass(frozen=True, slots=True)
class Section:
    """Compressed HTML, and between its parts the names of slots."""

    parts: tuple[CompressedHtml | str, ...]

    @classmethod
    def split(cls, html: str) -> Self:
        """Split a template's output at its slots."""
        pieces = enumerate(_SLOT.split(html))
        return cls(
            tuple(piece if place % 2 else CompressedHtml.compress(piece) for place, piece in pieces if piece)
        )

    def divide(self, slot: str) -> tuple[Section, Section]:
        """Return what stands before a slot and what stands after it, so that other sections can be put between."""
        place = self.parts.index(slot)
        return Section(self.parts[:place]), Section(self.parts[place + 1 :])

    @classmethod
    def join(cls, sections: Iterable[Section]) -> Self:
        """Return sections as one; texts that stand beside each other become one."""
        parts: list[CompressedHtml | str] = []
        for section in sections:
            for part in section.parts:
                if parts and isinstance(part, CompressedHtml) and isinstance(parts[-1], CompressedHtml):
                    parts[-1] = CompressedHtml(
                        parts[-1].plain + part.plain, parts[-1].deflated + part.deflated
                    )
                else:
                    parts.append(part)
        return cls(tuple(parts))

    def fill(self, slot: str, html: str) -> Section:
        """Return the section with HTML in place of a slot: the same in all responses, so that it is compressed."""
        filled = CompressedHtml.compress(html)
        return Section.join([Section(tuple(filled if part == slot else part for part in self.parts))])

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        texts = (part for part in self.parts if isinstance(part, CompressedHtml))
        return _OBJECT_BYTES + sum(len(text.plain) + len(text.deflated) for text in texts)


def join_plain(sections: Iterable[Section], slots: Mapping[str, bytes]) -> list[bytes]:
    """Return the page in pieces; KeyError for a slot without a value."""
    parts = (part for section in sections for part in section.parts)
    return [slots[part] if isinstance(part, str) else part.plain for part in parts]


def join_gzipped(sections: Iterable[Section], slots: Mapping[str, bytes]) -> list[bytes]:
    """Return the page as one gzip member, in pieces; KeyError for a slot without a value."""
    blocks, checksum, size = [_GZIP_HEADER], 0, 0
    stored: dict[str, bytes] = {}
    for section in sections:
        for part in section.parts:
            if isinstance(part, str):
                plain = slots[part]
                # A form token stands in every form of a page.
                block = stored.get(part)
                if block is None:
                    block = stored[part] = _encode_stored_blocks(plain)
                blocks.append(block)
            else:
                plain = part.plain
                blocks.append(part.deflated)
            checksum = zlib.crc32(plain, checksum)
            size += len(plain)
    blocks += (_LAST_BLOCK, struct.pack("<II", checksum, size & 0xFFFFFFFF))
    return blocks


def _encode_stored_blocks(plain: bytes) -> bytes:
    """Return `plain` as deflate blocks that are not compressed."""
    if len(plain) <= _LARGEST_STORED:
        return _encode_stored_block(plain) if plain else b""
    starts = range(0, len(plain), _LARGEST_STORED)
    return b"".join(_encode_stored_block(plain[start : start + _LARGEST_STORED]) for start in starts)


def _encode_stored_block(block: bytes) -> bytes:
    return struct.pack("<BHH", 0, len(block), len(block) ^ _LARGEST_STORED) + block
