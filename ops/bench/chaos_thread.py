"""One thread of a chaos run: its readers, and its log at the end of each epoch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import asyncpg

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.live import Audience, Cursor, Ticket, Tickets, change_epochs
from kernel.seals import Sealer
from kernel.store import Database
from ops.bench.live_client import Reader, Transport
from ops.bench.live_comparison import Faults, Log, compare
from ops.bench.live_transports import Address, FindTicket, PollTransport, SocketTransport

PUBLIC_READERS, NAIVE_READERS = 4, 2
_TICKET_LIFE = dt.timedelta(minutes=4)
#: Events that a restored database does not have.
_REWOUND = 3

_SELECT_HEADS = """
SELECT epoch, staff_head, public_head FROM live_stream WHERE workspace_id = $1 AND stream_id = $2 FOR UPDATE
"""
_SELECT_LOG = """
SELECT staff_seq, public_seq, client_id FROM live_event WHERE workspace_id = $1 AND stream_id = $2
"""
_DELETE_NEWEST = "DELETE FROM live_event WHERE workspace_id = $1 AND stream_id = $2 AND staff_seq > $3"
_REWIND = """
UPDATE live_stream s SET epoch = $3, staff_head = e.staff_head, public_head = e.public_head
FROM (SELECT coalesce(max(staff_seq), 0) AS staff_head, coalesce(max(public_seq), 0) AS public_head
      FROM live_event WHERE workspace_id = $1 AND stream_id = $2) e
WHERE s.workspace_id = $1 AND s.stream_id = $2
"""


@dataclass(slots=True)
class ChaosThread:
    """A thread; `admin_url` is the database as its administrator."""

    workspace_id: WorkspaceId
    address: Address
    admin_url: str
    readers: dict[str, Reader] = field(default_factory=dict)
    logs: dict[Audience, dict[UUID, Log]] = field(default_factory=lambda: {each: {} for each in Audience})

    async def create_readers(self, hubs: tuple[int, ...], sealer: Sealer, random: Random) -> None:
        """Create customers with the gate, two without it, and one of the staff."""
        heads = await self.load_heads()
        socket = SocketTransport(self.address, hubs, self.address.fetch_ticket)
        staff_socket = SocketTransport(self.address, hubs, self._make_staff_tickets(sealer))
        public: tuple[Transport, ...] = (socket, socket, PollTransport(self.address))
        kinds: dict[str, tuple[Transport, ...]] = {
            **{f"customer {number}": public for number in range(PUBLIC_READERS)},
            **{f"without gate {number}": public for number in range(NAIVE_READERS)},
            "staff": (staff_socket,),
        }
        self.readers = {
            name: Reader(
                name,
                Cursor(heads.epoch, 0),
                transports,
                random=Random(random.random()),
                is_gated=not name.startswith("without gate"),
            )
            for name, transports in kinds.items()
        }

    async def rewind(self) -> None:
        """Take the newest events away and begin an epoch, in one transaction, as nobody sees a restore half done.

        Nobody may write meanwhile.
        """
        key = (self.workspace_id, self.address.invoice_id)
        connection = await asyncpg.connect(self.admin_url)
        try:
            async with connection.transaction():
                heads = await connection.fetchrow(_SELECT_HEADS, *key)
                self._store_log(heads["epoch"], await connection.fetch(_SELECT_LOG, *key))
                await connection.execute(_DELETE_NEWEST, *key, heads["staff_head"] - _REWOUND)
                await connection.execute(_REWIND, *key, new_id())
        finally:
            await connection.close()

    async def keep_log(self, epoch: UUID) -> None:
        """Remember the present log as that of an epoch."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            rows = await connection.fetch(_SELECT_LOG, self.workspace_id, self.address.invoice_id)
        finally:
            await connection.close()
        self._store_log(epoch, rows)

    async def compare(self) -> tuple[Faults, Faults]:
        """Return the faults of the readers with the gate, and of those without."""
        await self.keep_log((await self.load_heads()).epoch)
        with_gate, without_gate = Faults(), Faults()
        for name, reader in self.readers.items():
            faults = compare(reader.records, self.logs[_find_audience(name)])
            if reader.is_gated:
                with_gate += faults
            else:
                without_gate += faults
        return with_gate, without_gate

    async def list_late(self) -> list[str]:
        """Return the readers with the gate that have not read everything, with their place and the head."""
        heads = await self.load_heads()
        late: list[str] = []
        for name, reader in self.readers.items():
            head = heads.staff if _find_audience(name) is Audience.STAFF else heads.public
            if reader.is_gated and reader.cursor != Cursor(heads.epoch, head):
                late.append(f"{name}: {reader.cursor.seq} of {head}, {reader.counts}")
        return late

    async def load_heads(self) -> _Heads:
        """Return epoch and heads, after the transactions of others have ended."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            row = await connection.fetchrow(_SELECT_HEADS, self.workspace_id, self.address.invoice_id)
        finally:
            await connection.close()
        return _Heads(row["epoch"], row["staff_head"], row["public_head"])

    def _store_log(self, epoch: UUID, rows: list[asyncpg.Record]) -> None:
        self.logs[Audience.STAFF][epoch] = {row["staff_seq"]: row["client_id"] for row in rows}
        self.logs[Audience.PUBLIC][epoch] = {
            row["public_seq"]: row["client_id"] for row in rows if row["public_seq"] is not None
        }

    def _make_staff_tickets(self, sealer: Sealer) -> FindTicket:
        clock = SystemClock()
        tickets = Tickets(sealer, clock)

        async def issue() -> str:
            ticket = Ticket(
                workspace_id=self.workspace_id,
                stream_id=self.address.invoice_id,
                audience=Audience.STAFF,
                viewers=frozenset({new_id()}),
                origin=self.address.origin,
                expires_at=clock.now() + _TICKET_LIFE,
            )
            return tickets.issue(ticket)

        return issue


async def change_all_epochs(database: Database, threads: Sequence[ChaosThread]) -> None:
    """Change the epochs of a workspace's threads as the command does; nobody may write meanwhile."""
    epochs = [(await thread.load_heads()).epoch for thread in threads]
    await _keep_logs(threads, epochs)
    async with database.scope(threads[0].workspace_id):
        await change_epochs()
    # Views, which the gateway writes when it likes, may have come meanwhile.
    await _keep_logs(threads, epochs)


async def _keep_logs(threads: Sequence[ChaosThread], epochs: Sequence[UUID]) -> None:
    for thread, epoch in zip(threads, epochs, strict=True):
        await thread.keep_log(epoch)


@dataclass(frozen=True, slots=True)
class _Heads:
    epoch: UUID
    staff: int
    public: int


def _find_audience(reader: str) -> Audience:
    return Audience.STAFF if reader == "staff" else Audience.PUBLIC
