"""Tokens of mute links: whoever got a mail about new comments can mute the thread without signing in."""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel.errors import Invalid, Missing
from kernel.identifiers import check_email
from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from tenants.ids import InvoiceId

_PURPOSE: Final = "mute"
_MAC_BYTES: Final = 16
_ID_BYTES: Final = 16
_MAX_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
class MutedThread:
    """The thread that a token mutes, for one address."""

    invoice_id: InvoiceId
    email: str


def make_mute_token(sealer: Sealer, workspace_id: WorkspaceId, thread: MutedThread) -> str:
    """Return the token that mutes a thread for an address, in this workspace only; it does not expire."""
    content = thread.invoice_id.bytes + thread.email.encode()
    mac = sealer.compute_hash(_PURPOSE, workspace_id.bytes + content)[:_MAC_BYTES]
    return urlsafe_b64encode(mac + content).rstrip(b"=").decode()


def read_mute_token(sealer: Sealer, workspace_id: WorkspaceId, token: str) -> MutedThread:
    """Return what a token mutes; Missing("mute.not_found") whatever is wrong with it."""
    content = _decode(token)
    mac, signed = content[:_MAC_BYTES], content[_MAC_BYTES:]
    hashes = sealer.compute_hashes(_PURPOSE, workspace_id.bytes + signed)
    if not any(hmac.compare_digest(mac, each[:_MAC_BYTES]) for each in hashes):
        raise _missing()
    try:
        return MutedThread(
            InvoiceId(UUID(bytes=signed[:_ID_BYTES])), check_email(signed[_ID_BYTES:].decode())
        )
    except (Invalid, UnicodeDecodeError) as error:
        raise _missing() from error


def _decode(token: str) -> bytes:
    if len(token) > _MAX_LENGTH or not token.isascii():
        raise _missing()
    try:
        content = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        raise _missing() from None
    # Bits that the decoder ignores: each token has one form.
    if len(content) <= _MAC_BYTES + _ID_BYTES or urlsafe_b64encode(content).rstrip(b"=").decode() != token:
        raise _missing()
    return content


def _missing() -> Missing:
    return Missing("mute.not_found", "This link mutes nothing.")
