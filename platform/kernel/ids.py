"""The only source of randomness: row ids, secrets, nonces, and link tokens with a checksum."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from typing import Final, NewType
from uuid import UUID, uuid4

WorkspaceId = NewType("WorkspaceId", UUID)

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_BODY_LENGTH: Final = 22  # 62 ** 22 is 131 bits
TOKEN_LENGTH: Final = TOKEN_BODY_LENGTH + 2

_DIGIT_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_BASE: Final = len(ALPHABET)
# The largest prime below 62 ** 2. Since it is a prime and larger than the alphabet, the change of one character and
# the transposition of two adjacent ones always change the checksum.
_MODULUS: Final = 3833
_WEIGHTS: Final = tuple(pow(2, place + 1, _MODULUS) for place in range(TOKEN_BODY_LENGTH))


def new_id() -> UUID:
    """Return a random id for a row (UUID version 4, RFC 9562)."""
    return uuid4()


def new_secret(size: int = 32) -> bytes:
    """Return `size` random bytes from the operating system."""
    return secrets.token_bytes(size)


def new_nonce() -> str:
    """Return 128 random bits as 22 URL-safe characters: a CSP nonce or a request id."""
    return urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def choose_between(least: float, most: float) -> float:
    """Return a random number from `least` to `most`: pauses that many clients or processes must not make in step."""
    return secrets.SystemRandom().uniform(least, most)


def new_token() -> str:
    """Return a link token: 22 random base62 characters (131 bits) and 2 of checksum."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_BODY_LENGTH))
    return body + _checksum(body)


def new_code(length: int, alphabet: str) -> str:
    """Return `length` random characters of an alphabet, each as likely as any other: for codes that people type."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def is_well_formed_token(text: str) -> bool:
    """Tell whether the length, the alphabet and the checksum are those of a token.

    Detects each single wrong character and each transposition, so that most mistyped links cost no query. It does not
    tell whether the token was issued.
    """
    if len(text) != TOKEN_LENGTH or not all(character in _DIGIT_VALUES for character in text):
        return False
    return _checksum(text[:TOKEN_BODY_LENGTH]) == text[TOKEN_BODY_LENGTH:]


def _checksum(body: str) -> str:
    total = sum(_DIGIT_VALUES[character] * weight for character, weight in zip(body, _WEIGHTS, strict=True))
    high, low = divmod(total % _MODULUS, _BASE)
    return ALPHABET[high] + ALPHABET[low]
