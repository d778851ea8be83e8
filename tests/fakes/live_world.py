"""A log, two processes with rooms that follow it, and all that can happen between them, one step at a time.

The rooms are the product's; only the database's answers and the messages are handed out by hand, so that every order of
events can be tried without waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kernel.errors import Denied, Unavailable
from kernel.live import Audience, Cursor, Entry, LogKey, ResetRequired
from kernel.live.room_set import RoomSet
from kernel.live.wake import Revocation, encode_revocation, encode_wake
from tests.fakes.held_reader import STREAM, WORKSPACE, HeldReader, Log

NODES = 2


@dataclass(eq=False, slots=True)
class Client:
    """A reader that complains of everything that it should not get."""

    log: Log
    node: int
    key: LogKey
    cursor: Cursor
    viewers: frozenset[UUID]
    errors: list[str]
    was_valid: bool
    joining: asyncio.Task[Cursor] | None = None
    is_live: bool = False
    end: str = ""
    seq: int = 0

    def deliver(self, entry: Entry) -> None:
        """Check an event against the log."""
        event = json.loads(entry.frame)
        if self.end:
            self.errors.append(f"event {entry.seq} after {self.end}")
        if entry.seq != self.seq + 1 or event["seq"] != entry.seq:
            self.errors.append(f"event {entry.seq} after {self.seq}")
        records = self.log.list_records(self.key.audience, self.cursor.epoch)
        if entry.seq > len(records) or bytes(records[entry.seq - 1].payload) not in entry.frame:
            self.errors.append(f"event {entry.seq} is not of this log")
        self.seq = entry.seq

    def reset(self, _cursor: Cursor) -> None:
        """Check that only an end that is not final yet ends."""
        self._end("reset")

    def revoke(self) -> None:
        """End for good."""
        self._end("revoked")

    def _end(self, how: str) -> None:
        if self.end:
            self.errors.append(f"{how} after {self.end}")
        self.end = how


@dataclass(slots=True)
class Node:
    """A process: its rooms, its database, and the messages that are on their way to it."""

    rooms: RoomSet
    reader: HeldReader
    mail: list[bytes] = field(default_factory=list)
    is_lossy: bool = False
    """Whether something was lost that only a reconciliation finds."""


class World:
    """Everything, and what must hold."""

    def __init__(self, build: Callable[[HeldReader], RoomSet]) -> None:
        """`build` makes the rooms of a process."""
        self.log = Log()
        self.errors: list[str] = []
        self.clients: list[Client] = []
        self._build = build
        self._viewers = 1000
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, context: self.errors.append(str(context)))
        self.nodes = [self._start_node() for _ in range(NODES)]

    # What can happen.

    def commit(self, publicity: Iterable[bool], *, inline: bool) -> None:
        """Append events in one transaction and send the wake to every node."""
        count = 0
        for public in publicity:
            self.log.write(public=public)
            count += 1
        for node in self.nodes:
            node.mail.append(encode_wake(self.log.make_wake(count, inline=inline)))

    def receive(self, node_index: int, index: int, *, copies: bool = False) -> None:
        """Let a message arrive, in or out of order; maybe it will arrive again."""
        node = self.nodes[node_index]
        if not node.mail:
            return
        index %= len(node.mail)
        message = node.mail[index] if copies else node.mail.pop(index)
        self.run(self._call(node.rooms.receive, message))

    def lose(self, node_index: int) -> None:
        """Lose the next wake."""
        node = self.nodes[node_index]
        if node.mail:
            node.mail.pop(0)
            node.is_lossy = True

    def join(self, node_index: int, audience: Audience, cursor: Cursor) -> None:
        """Begin to follow."""
        self._viewers += 1
        key = LogKey(WORKSPACE, STREAM, audience)
        client = Client(
            self.log,
            node_index,
            key,
            cursor,
            frozenset({UUID(int=self._viewers)}),
            self.errors,
            was_valid=self._is_valid(audience, cursor),
            seq=cursor.seq,
        )
        self.clients.append(client)
        client.joining = self._loop.create_task(self.nodes[node_index].rooms.join(key, cursor, client))
        # Of a client that has gone nobody asks how its attempt ended.
        client.joining.add_done_callback(lambda task: task.cancelled() or task.exception())
        self.spin()

    def leave(self, index: int, *, cancels: bool) -> None:
        """Stop following, or break off the attempt."""
        if not self.clients:
            return
        client = self.clients.pop(index % len(self.clients))
        if cancels and client.joining is not None:
            client.joining.cancel()
        else:
            self.nodes[client.node].rooms.leave(client.key, client)
            client.end = client.end or "left"
        self.spin()

    def revoke(self, index: int) -> None:
        """Revoke what let a client in; every node hears of it at once."""
        if not self.clients:
            return
        client = self.clients[index % len(self.clients)]
        (viewer,) = client.viewers
        for node in self.nodes:
            message = encode_revocation(Revocation(WORKSPACE, viewer))
            self.run(self._call(node.rooms.receive, message))
        assert client.end

    def answer(self, node_index: int, index: int, *, late: bool, fails: bool = False) -> None:
        """Let Postgres answer one query."""
        node = self.nodes[node_index]
        if node.reader.requests:
            # What fails is tried again by a reconciliation.
            node.is_lossy |= fails
            node.reader.answer(index, late=late, fails=fails)
            self.spin()

    def answer_all(self, node_index: int) -> None:
        """Let Postgres answer until nothing is asked."""
        self._answer_all_of(self.nodes[node_index])

    def reconcile(self, node_index: int) -> None:
        """Begin a reconciliation."""
        self._loop.create_task(self._reconcile(self.nodes[node_index]))
        self.spin()

    def restart(self, node_index: int) -> None:
        """Kill a process: its clients are cut off."""
        for client in [each for each in self.clients if each.node == node_index]:
            if client.joining is not None:
                client.joining.cancel()
            self.clients.remove(client)
        self.run(self.nodes[node_index].rooms.close())
        for request in self.nodes[node_index].reader.requests:
            request.answer.cancel()
        self.spin()
        self.nodes[node_index] = self._start_node()

    def restore(self, lost: int) -> None:
        """Restore the database to an earlier state and change the epoch; nothing wakes anybody."""
        self.log.restore(lost)
        for node in self.nodes:
            node.is_lossy = True

    # What must hold.

    def check(self) -> None:
        """Check what must hold after every step."""
        for client in self.clients:
            if client.joining is not None and client.joining.done():
                self._check_joined(client, client.joining)
                client.joining = None
        assert not self.errors, self.errors

    def settle(self) -> None:
        """Let everything that is on its way arrive: where nothing was lost, nothing is missing."""
        for node in self.nodes:
            while node.mail:
                self.run(self._call(node.rooms.receive, node.mail.pop(0)))
            self._answer_all_of(node)
        self.check()
        for client in self.clients:
            if not self.nodes[client.node].is_lossy:
                self._check_complete(client)

    def quiesce(self) -> None:
        """Lose what is on its way, and reconcile: nothing is missing then, and nothing runs any more."""
        for index, node in enumerate(self.nodes):
            node.mail.clear()
            self._answer_all_of(node)
            self.reconcile(index)
            self._answer_all_of(node)
            node.is_lossy = False
        self.check()
        for client in self.clients:
            self._check_complete(client)
        for index, node in enumerate(self.nodes):
            keys = {each.key for each in self.clients if each.node == index and not each.end}
            assert len(node.rooms) == len(keys), "a room without followers"
            assert len(node.rooms._filler) == 0

    def close(self) -> None:
        """Quiesce, and let everybody leave."""
        try:
            self.quiesce()
            while self.clients:
                self.leave(0, cancels=False)
            assert [len(node.rooms) for node in self.nodes] == [0] * NODES
            assert not self.errors, self.errors
        finally:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self.spin()
            self._loop.close()

    def spin(self) -> None:
        """Run the loop until everybody waits."""
        while self._loop._ready:  # type: ignore[attr-defined]
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that does not wait for an answer, and what follows from it."""
        self._loop.run_until_complete(work)
        self.spin()

    def _start_node(self) -> Node:
        reader = HeldReader(self.log)
        return Node(self._build(reader), reader)

    def _answer_all_of(self, node: Node) -> None:
        for _ in range(200):
            if not node.reader.requests:
                return
            node.reader.answer(0, late=True, fails=False)
            self.spin()
        raise AssertionError("there is no end of queries")

    def _is_valid(self, audience: Audience, cursor: Cursor) -> bool:
        return cursor.epoch == self.log.epoch and cursor.seq <= self.log.find_head(audience)

    def _check_joined(self, client: Client, joining: asyncio.Task[Cursor]) -> None:
        """Check how an attempt to join ended."""
        try:
            cursor = joining.result()
        except ResetRequired:
            assert client.end == "reset"
            assert not (client.was_valid and client.cursor.epoch == self.log.epoch), "reset for no reason"
        except Denied:
            assert client.end == "revoked"
        except Unavailable:
            assert self.nodes[client.node].is_lossy
            client.end = "failed"
        else:
            client.is_live = True
            assert not client.end or client.end == "reset"
            assert client.end or cursor.seq <= client.seq, "live before the backlog"
            assert client.cursor.seq <= len(
                self.log.list_records(client.key.audience, client.cursor.epoch)
            ), "accepted though it is ahead of the log"

    def _check_complete(self, client: Client) -> None:
        assert client.joining is None, "still joining"
        if not client.end:
            assert client.cursor.epoch == self.log.epoch, "still in an earlier epoch"
            assert client.seq == self.log.find_head(client.key.audience), "events are missing"

    @staticmethod
    async def _call(function: Callable[[bytes], None], message: bytes) -> None:
        function(message)

    @staticmethod
    async def _reconcile(node: Node) -> None:
        with contextlib.suppress(Unavailable):
            await node.rooms.reconcile()
