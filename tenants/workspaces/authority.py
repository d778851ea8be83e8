"""Write authority: what somebody must prove to write a comment."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

import msgspec

from kernel.errors import Invalid


class WriteMode(StrEnum):
    """Who may write; the values are stored."""

    CLOSED = "closed"
    """Nobody."""
    LINK = "link"
    """Whoever holds the link, with a name and an e-mail address."""
    OTP = "otp"
    """Whoever enters the code that was sent to the address given."""
    CUSTOMER = "customer"
    """A contact of the customer who has signed in."""


class OtpPolicy(StrEnum):
    """Which addresses get a code under `WriteMode.OTP`; the values are stored."""

    ANY = "any"
    CONTACTS = "contacts"


class WriteAuthority(msgspec.Struct, frozen=True):
    """A complete setting: an invoice has one of its own, or its customer's, or the workspace's."""

    mode: WriteMode
    requires_totp: bool = False
    otp_policy: OtpPolicy = OtpPolicy.ANY

    @classmethod
    def create(
        cls, mode: WriteMode, *, requires_totp: bool = False, otp_policy: OtpPolicy | None = None
    ) -> Self:
        """Return a checked setting. An authenticator belongs to a contact: with one, only contacts get a code.

        Invalid("write_authority.totp") if a mode has no contact: a code of an authenticator could not be checked.
        """
        if requires_totp and mode not in {WriteMode.OTP, WriteMode.CUSTOMER}:
            message = f"With the mode {mode.value} nobody signs in, so no authenticator can be required."
            raise Invalid("write_authority.totp", message, mode=mode.value)
        if requires_totp and mode is WriteMode.OTP and otp_policy is OtpPolicy.ANY:
            message = "Only contacts have an authenticator: with it, only contacts can get a code."
            raise Invalid("write_authority.totp", message, mode=mode.value)
        default = OtpPolicy.CONTACTS if requires_totp else OtpPolicy.ANY
        return cls(mode, requires_totp, otp_policy or default)


def read_authority(row: Mapping[str, Any]) -> WriteAuthority | None:
    """Return the setting in the columns of a row, or None if it has none of its own."""
    if row["write_mode"] is None:
        return None
    return WriteAuthority(WriteMode(row["write_mode"]), row["write_totp"], OtpPolicy(row["otp_policy"]))


def build_columns(authority: WriteAuthority | None) -> dict[str, str | bool | None]:
    """Return the columns of a setting as workspaces, customers and invoices store it; None for none of its own."""
    if authority is None:
        return {"write_mode": None, "write_totp": None, "otp_policy": None}
    return {
        "write_mode": authority.mode.value,
        "write_totp": authority.requires_totp,
        "otp_policy": authority.otp_policy.value,
    }
