"""The hub's prebuilt frames against those of the library."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from kernel.ids import new_id
from kernel.live import Cursor
from tests.web.hub.conftest import TIMEOUT_S
from web.hub.frames import encode_drain, encode_frame, encode_heartbeat, encode_hello, encode_reset


class _RecordingConnection(ServerConnection):
    """A connection of the library that keeps the bytes that it sends."""

    def send_data(self) -> None:
        sent.extend(self.protocol.writes)
        super().send_data()


sent: list[bytes] = []


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_a_frame_has_the_bytes_that_broadcast_sends(size: int) -> None:
    message = b'"' + b"x" * size + b'"'

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(
        wait, "127.0.0.1", 0, compression=None, create_connection=_RecordingConnection
    ) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None, max_size=None) as client:
            sent.clear()
            broadcast(server.connections, message, text=True)
            async with asyncio.timeout(TIMEOUT_S):
                assert await client.recv() == message.decode()
            assert encode_frame(message) == b"".join(sent)


def test_frames_are_read_by_a_client_as_they_are_meant() -> None:
    cursor = Cursor(new_id(), 7)
    client = Protocol(Side.CLIENT)
    frames = (encode_hello(cursor, 25), encode_heartbeat(7), encode_drain(1.5), encode_reset(cursor))
    client.receive_data(b"".join(frames))
    events = [event for event in client.events_received() if isinstance(event, Frame)]
    assert [event.opcode for event in events] == [
        Opcode.TEXT,
        Opcode.PING,
        Opcode.TEXT,
        Opcode.TEXT,
        Opcode.TEXT,
    ]
    epoch = str(cursor.epoch)
    assert [json.loads(bytes(event.data)) for event in events if event.opcode is Opcode.TEXT] == [
        {"type": "hello", "epoch": epoch, "head": 7, "heartbeat_s": 25},
        {"type": "heartbeat", "head": 7},
        {"type": "drain", "after_ms": 1500},
        {"type": "reset", "epoch": epoch, "head": 7},
    ]
