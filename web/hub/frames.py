"""The frames that readers get, ready to be written to a transport: JSON text in one unmasked frame (RFC 6455, 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from websockets.frames import Frame, Opcode

if TYPE_CHECKING:
    from kernel.live import Cursor

PING: Final = Frame(Opcode.PING, b"").serialize(mask=False)


def encode_frame(text: bytes) -> bytes:
    """Return a text frame: the bytes that `websockets.broadcast()` sends, made once for all readers."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


def encode_hello(head: Cursor, heartbeat_s: float) -> bytes:
    """Return the first frame: the log and its newest event; a heartbeat comes at least every `heartbeat_s`."""
    return encode_frame(
        b'{"type":"hello","epoch":"%b","head":%d,"heartbeat_s":%d}'
        % (str(head.epoch).encode(), head.seq, round(heartbeat_s))
    )


def encode_heartbeat(seq: int) -> bytes:
    """Return a heartbeat with the newest event, and the ping that the client's network stack answers."""
    return PING + encode_frame(b'{"type":"heartbeat","head":%d}' % seq)


def encode_drain(after_s: float) -> bytes:
    """Return the request to connect to another hub after so many seconds."""
    return encode_frame(b'{"type":"drain","after_ms":%d}' % (after_s * 1000))


def encode_reset(present: Cursor) -> bytes:
    """Return the frame before CloseCode.RESET: where the log is now."""
    return encode_frame(
        b'{"type":"reset","epoch":"%b","head":%d}' % (str(present.epoch).encode(), present.seq)
    )
