"""Recovery codes: each replaces an authenticator once."""

from __future__ import annotations

import hashlib
from typing import Final

from kernel.ids import new_code
from kernel.text import fold

#: How many a subject gets.
COUNT: Final = 10
# Crockford's letters and digits: none that look alike (I, L, O) and no U. 32 ** 12 is 60 bits.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 12
_GROUP: Final = 4
_MISREAD: Final = str.maketrans("ilo", "110")
# 16 MiB and some 50 ms a code: enough for 60 random bits.
_SCRYPT_N: Final = 2**14
_SCRYPT_R: Final = 8


def make_recovery_codes() -> tuple[str, ...]:
    """Return new codes in groups of four: "7k3m-9x2p-c4tw"."""
    codes = (new_code(_LENGTH, _ALPHABET) for _ in range(COUNT))
    return tuple("-".join(code[i : i + _GROUP] for i in range(0, _LENGTH, _GROUP)) for code in codes)


def clean_recovery_code(text: str) -> str | None:
    """Return the characters of a typed code, however they are grouped; None if it cannot be one."""
    code = "".join(character for character in fold(text) if character not in " -").translate(_MISREAD)
    return code if len(code) == _LENGTH and set(code) <= set(_ALPHABET) else None


def hash_recovery_code(clean: str, salt: bytes) -> bytes:
    """Return the scrypt hash of a cleaned code. It takes some 50 ms: call it in a thread."""
    return hashlib.scrypt(clean.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=1, dklen=32)


def hash_recovery_codes(codes: tuple[str, ...], salt: bytes) -> tuple[bytes, ...]:
    """Return the hashes of codes that `make_recovery_codes` returned; in a thread, as `hash_recovery_code`."""
    return tuple(hash_recovery_code(code.replace("-", ""), salt) for code in codes)
