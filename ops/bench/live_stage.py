"""What the measurements of the realtime benchmark share: a workspace, who writes in it, and how its readers connect."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from uuid import UUID

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id, new_nonce
from kernel.live import Audience, Ticket, Tickets, append, create_stream
from kernel.store import Database, fetch
from kernel.wakeup import Publisher
from ops.bench.live_installation import LiveInstallation, create_workspace_with_threads
from ops.bench.live_transports import Address
from ops.bench.socket_readers import SocketReaders, SocketRequest
from ops.command_context import identify_operator
from ops.dev import programs

_TICKET_LIFE = dt.timedelta(minutes=4)
_SELECT_STREAMS = """
SELECT stream_id, epoch, public_head FROM live_stream WHERE workspace_id = $1 AND stream_id = ANY ($2)
"""
_STARTED_AT = perf_counter()
_KIND = "comment.posted"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that readers follow, with its epoch: all that a hub knows of a thread."""

    stream_id: UUID
    epoch: UUID
    head: int


@dataclass(frozen=True, slots=True)
class Stage:
    """An installation with one workspace, and a database that publishes after commits as a gateway does."""

    installation: LiveInstallation
    database: Database
    workspace_id: WorkspaceId
    thread: Address

    async def create_streams(self, count: int) -> list[Stream]:
        """Create streams without invoices."""
        ids = [new_id() for _ in range(count)]
        async with self.database.scope(self.workspace_id):
            for stream_id in ids:
                await create_stream(stream_id)
        return await self.load_streams(ids)

    async def load_streams(self, ids: list[UUID]) -> list[Stream]:
        """Return streams by their ids."""
        async with self.database.scope(self.workspace_id, read_only=True):
            rows = await fetch(_SELECT_STREAMS, self.workspace_id, ids)
        return [Stream(row["stream_id"], row["epoch"], row["public_head"]) for row in rows]

    async def post(self, stream: Stream, size: int = 0) -> float:
        """Write an event in a unit of work of its own, which publishes it; returns when it began."""
        started_at = perf_counter()
        payload = {"comment_id": str(stream.stream_id)} | ({"padding": "x" * size} if size else {})
        async with self.database.scope(self.workspace_id):
            await append(stream.stream_id, Audience.PUBLIC, _KIND, payload, client_id=new_nonce())
        return started_at

    def list_requests(self, streams: list[Stream], hub: int = 0) -> Iterator[SocketRequest]:
        """Yield the handshakes of customers who read the streams, each from an address of its own."""
        clock = SystemClock()
        tickets = Tickets(self.installation.sealer, clock)
        issued: dict[UUID, str] = {}
        for number, stream in enumerate(streams):
            if stream.stream_id not in issued:
                issued[stream.stream_id] = tickets.issue(
                    Ticket(
                        workspace_id=self.workspace_id,
                        stream_id=stream.stream_id,
                        audience=Audience.PUBLIC,
                        viewers=frozenset({new_id()}),
                        origin=self.thread.origin,
                        expires_at=clock.now() + _TICKET_LIFE,
                    )
                )
            yield SocketRequest(
                self.installation.hub_ports[hub],
                self.thread.host,
                f"/realtime?invoice={stream.stream_id}&since={stream.head}&epoch={stream.epoch}",
                (
                    f"Origin: {self.thread.origin}",
                    f"Sec-WebSocket-Protocol: portal.v1, ticket.{issued[stream.stream_id]}",
                    f"X-Forwarded-For: 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
                ),
                says_hello=True,
            )

    async def restart_hub(self) -> programs.RunningProgram:
        """Replace the hub by a new process on the same processor and port."""
        self.installation.kill_hub(0)
        hub = self.installation.start_hub(0)
        bind_to_processor(hub.process.pid, 0)
        await asyncio.to_thread(programs.wait_until_ready, hub)
        return hub

    async def open_readers(
        self, streams: list[Stream], hub: int = 0, *, receive_buffer: int = 0
    ) -> SocketReaders:
        """Open a reader for each item of the list, after the present head of its stream."""
        readers = SocketReaders()
        heads = {
            each.stream_id: each.head
            for each in await self.load_streams(list({s.stream_id for s in streams}))
        }
        requests = self.list_requests([replace(each, head=heads[each.stream_id]) for each in streams], hub)
        readers.open(requests, receive_buffer=receive_buffer)
        return readers


def say(text: str) -> None:
    """Print what begins now, with the seconds since this module was loaded."""
    print(f"{perf_counter() - _STARTED_AT:4.0f} s  {text}", flush=True)


def bind_to_processor(pid: int, processor: int) -> None:
    """Keep a process on one processor, where the system can and there are two."""
    if hasattr(os, "sched_setaffinity") and {0, 1} <= os.sched_getaffinity(0):
        os.sched_setaffinity(pid, {processor})


@asynccontextmanager
async def open_stage(installation: LiveInstallation) -> AsyncIterator[Stage]:
    """Create a workspace with one thread."""
    publisher = Publisher(installation.redis_url)
    database = await Database.open(
        installation.urls.app, size=4, name="bench", actor=identify_operator(), publish=publisher.publish
    )
    try:
        workspace = await create_workspace_with_threads(database, installation, "bench", 1)
        yield Stage(installation, database, workspace.workspace_id, workspace.threads[0])
    finally:
        await database.close()
        await publisher.close()
