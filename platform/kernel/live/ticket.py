"""Tickets: what lets a reader follow a log of another process, which verifies it without a query."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.errors import Denied
from kernel.ids import WorkspaceId
from kernel.live.log import Audience

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.seals import Sealer

#: The longest life of a ticket, and so the longest that a revoked reader keeps reading where the message was lost.
TICKET_LIFE: Final = timedelta(minutes=5)
_PURPOSE: Final = "realtime-ticket"
_VERSION: Final = 1
_MAC_BYTES: Final = 32
_ID_BYTES: Final = 16
# Version, workspace, stream, audience, end of life in milliseconds since 1970, number of viewers; then the viewers and
# the origin.
_HEADER: Final = Struct(">B16s16sBQB")
_AUDIENCES: Final = (Audience.PUBLIC, Audience.STAFF)
# A subprotocol is one header line, which servers limit to some thousand bytes.
_MAX_CHARACTERS: Final = 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to follow one log until `expires_at`, from pages of `origin` only.

    `viewers` are the link and, if there is one, the session that let the reader in: the reader ends when one of them
    is revoked.
    """

    workspace_id: WorkspaceId
    stream_id: UUID
    audience: Audience
    viewers: frozenset[UUID]
    origin: str
    expires_at: datetime


class Tickets:
    """Issues and reads tickets."""

    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        """Sign with the current secret; tickets of the older ones are valid too."""
        self._sealer = sealer
        self._clock = clock

    def issue(self, ticket: Ticket) -> str:
        """Return a ticket as a token of HTTP (RFC 9110, 5.6.2); ValueError for one that lives too long."""
        if ticket.expires_at > self._clock.now() + TICKET_LIFE:
            raise ValueError("a ticket is valid for five minutes at most")
        content = _encode(ticket)
        return urlsafe_b64encode(content + self._sealer.compute_hash(_PURPOSE, content)).rstrip(b"=").decode()

    def read(self, text: str) -> Ticket:
        """Return a ticket that is valid now; raises Denied("ticket.invalid" | "ticket.expired")."""
        content, mac = _split(text)
        hashes = self._sealer.compute_hashes(_PURPOSE, content)
        # All are compared: the time must not tell which secret is right.
        if not sum(hmac.compare_digest(each, mac) for each in hashes):
            raise _make_invalid()
        ticket = _decode(content)
        if ticket.expires_at <= self._clock.now():
            raise Denied("ticket.expired", "The ticket is no longer valid: ask for another.")
        return ticket


def _encode(ticket: Ticket) -> bytes:
    header = _HEADER.pack(
        _VERSION,
        ticket.workspace_id.bytes,
        ticket.stream_id.bytes,
        _AUDIENCES.index(ticket.audience),
        (ticket.expires_at - _EPOCH) // timedelta(milliseconds=1),
        len(ticket.viewers),
    )
    return header + b"".join(sorted(viewer.bytes for viewer in ticket.viewers)) + ticket.origin.encode()


def _split(text: str) -> tuple[bytes, bytes]:
    """Return content and signature of a text of plausible form."""
    if len(text) > _MAX_CHARACTERS or not text.isascii():
        raise _make_invalid()
    try:
        signed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except Base64Error:
        raise _make_invalid() from None
    # Base64 decoding ignores foreign characters and spare bits: only one text of each ticket is valid.
    if len(signed) <= _MAC_BYTES or urlsafe_b64encode(signed).rstrip(b"=").decode() != text:
        raise _make_invalid()
    return signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]


def _decode(content: bytes) -> Ticket:
    """Return the ticket of signed bytes; those of another version are invalid."""
    if len(content) < _HEADER.size or content[0] != _VERSION:
        raise _make_invalid()
    _, workspace, stream, audience, expires_ms, count = _HEADER.unpack_from(content)
    end = _HEADER.size + count * _ID_BYTES
    viewers = (content[at : at + _ID_BYTES] for at in range(_HEADER.size, end, _ID_BYTES))
    return Ticket(
        WorkspaceId(UUID(bytes=workspace)),
        UUID(bytes=stream),
        _AUDIENCES[audience],
        frozenset(UUID(bytes=viewer) for viewer in viewers),
        content[end:].decode(),
        _EPOCH + timedelta(milliseconds=expires_ms),
    )


def _make_invalid() -> Denied:
    return Denied("ticket.invalid", "The ticket is not valid.")
