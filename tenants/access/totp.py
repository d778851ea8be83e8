"""Codes of authenticators (RFC 6238): SHA-1, 6 digits, steps of 30 seconds, as every app knows them."""

from __future__ import annotations

import hmac
from base64 import b32encode
from typing import Final

from pyotp.totp import TOTP

from kernel.ids import new_secret

STEP_S: Final = 30
#: Codes of so many steps before and after the present one are accepted: clocks differ.
WINDOW: Final = 1
# 160 bits (RFC 4226, 4, R6): 32 characters of base32.
_SECRET_BYTES: Final = 20


def make_secret() -> str:
    """Return a random key in base32."""
    return b32encode(new_secret(_SECRET_BYTES)).decode()


def find_steps(secret: str, digits: str, *, now_s: int) -> tuple[int, ...]:
    """Return the steps of the window whose code this is: one, by chance more, none if the code is wrong.

    All steps of the window are compared, whatever matches.
    """
    totp, present = TOTP(secret, interval=STEP_S), now_s // STEP_S
    window = range(present - WINDOW, present + WINDOW + 1)
    return tuple(step for step in window if hmac.compare_digest(totp.generate_otp(step), digits))


def build_uri(secret: str, *, account: str, issuer: str) -> str:
    """Return the `otpauth` address that authenticators read from a QR code."""
    return TOTP(secret, interval=STEP_S).provisioning_uri(name=account, issuer_name=issuer)
