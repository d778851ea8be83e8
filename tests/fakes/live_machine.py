"""A state machine over `live_world`: all that can happen, in any order."""

# ruff: noqa: FBT001  -- hypothesis passes the arguments of rules by name

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kernel.live import Audience, Cursor
from kernel.live.room_set import RoomSet
from tests.fakes.held_reader import HeldReader
from tests.fakes.live_world import NODES, World

nodes = st.integers(0, NODES - 1)
indexes = st.integers(0, 7)
audiences = st.sampled_from(Audience)
publicities = st.lists(st.booleans(), min_size=1, max_size=3)
inlines = st.sampled_from([True, True, False])
# Where a client believes to be: at the head, before it, at the start, where another client is, beyond the head, or in
# an epoch that never was.
places = st.sampled_from(["head", "behind", "start", "other", "ahead", "epoch"])


class LiveMachine(RuleBasedStateMachine):
    """Drives a world of two processes; what makes others impossible is rarer than they are."""

    build: ClassVar[Callable[[HeldReader], RoomSet]]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(type(self).build)

    @initialize(count=st.integers(1, 6), audience=audiences, is_calm=st.booleans())
    def begin(self, count: int, audience: Audience, is_calm: bool) -> None:
        """Have some events, and a reader on one node; maybe nothing will be lost: then nothing may be late."""
        self.is_calm = is_calm
        self.world.commit([True] * count, inline=True)
        self.world.join(0, audience, Cursor(self.world.log.epoch, count))
        self.world.settle()

    @rule(publicity=publicities, inline=inlines, twice=st.booleans())
    def commit(self, publicity: list[bool], inline: bool, twice: bool) -> None:
        """Append events, in one transaction or in two."""
        self.world.commit(publicity, inline=inline)
        if twice:
            self.world.commit(publicity, inline=inline)

    @rule(node=nodes, inline=inlines, rests=st.booleans())
    def overtake(self, node: int, inline: bool, rests: bool) -> None:
        """Append events whose wake arrives before the answer to a query that does not show them."""
        self.world.commit([True], inline=inline)
        self.world.receive(node, -1)
        self.world.answer(node, 0, late=False)
        if rests:
            self.world.settle()

    @rule(node=nodes, how=st.sampled_from(["next", "next", "newest", "newest", "copy", "lost"]))
    def deliver(self, node: int, how: str) -> None:
        """Let a message arrive, or not."""
        match how:
            case "next":
                self.world.receive(node, 0)
            case "newest":
                self.world.receive(node, -1)
            case "copy":
                self.world.receive(node, 0, copies=True)
            case _:
                if not self.is_calm:
                    self.world.lose(node)

    @rule(node=nodes, audience=audiences, place=places, distance=st.integers(1, 8), count=st.integers(1, 2))
    def join(self, node: int, audience: Audience, place: str, distance: int, count: int) -> None:
        """Follow from somewhere: one, whom the database answers, or two, who wait."""
        head, epoch = self.world.log.find_head(audience), self.world.log.epoch
        others = [each for each in self.world.clients if each.key.audience is audience]
        match place:
            case "behind":
                cursor = Cursor(epoch, max(0, head - distance))
            case "start":
                cursor = Cursor(epoch, 0)
            case "ahead":
                cursor = Cursor(epoch, head + distance)
            case "epoch":
                cursor = Cursor(UUID(int=7), head)
            case "other" if others:
                other = others[distance % len(others)]
                cursor = Cursor(other.cursor.epoch, other.seq)
            case _:
                cursor = Cursor(epoch, head)
        for _ in range(count):
            self.world.join(node, audience, cursor)
        if count == 1:
            self.world.answer_all(node)

    @rule(node=nodes, index=indexes, late=st.booleans())
    def answer(self, node: int, index: int, late: bool) -> None:
        """Let Postgres answer a query."""
        self.world.answer(node, index, late=late)

    @rule(node=nodes)
    def reconcile(self, node: int) -> None:
        """Compare with Postgres."""
        self.world.reconcile(node)

    @rule(index=indexes, how=st.sampled_from(["leave", "cancel", "revoke"]))
    def end(self, index: int, how: str) -> None:
        """End a reader."""
        if how == "revoke":
            self.world.revoke(index)
        else:
            self.world.leave(index, cancels=how == "cancel")

    @rule(
        node=nodes, how=st.sampled_from(["restart", "restore", "restore", "fail"]), number=st.integers(0, 4)
    )
    def disturb(self, node: int, how: str, number: int) -> None:
        """Have a fault."""
        if how == "restart" and number <= 1:
            self.world.restart(node)
        elif how == "restore" and not self.is_calm:
            self.world.restore(number)
        elif how == "fail" and not self.is_calm:
            self.world.answer(node, number, late=False, fails=True)

    @rule(how=st.sampled_from(["settle", "settle", "quiesce", "no", "no", "no"]))
    def rest(self, how: str) -> None:
        """Let everything come to an end."""
        if how == "settle":
            self.world.settle()
        elif how == "quiesce":
            self.world.quiesce()

    @invariant()
    def each_reader_has_got_its_log(self) -> None:
        """Check what must hold after every step."""
        self.world.check()

    def teardown(self) -> None:
        """Check the end."""
        self.world.close()


def run_machine(build: Callable[[HeldReader], RoomSet], examples: int, *, shrinks: bool = False) -> None:
    machine = type("Machine", (LiveMachine,), {"build": staticmethod(build)})
    phases = [Phase.generate, Phase.shrink] if shrinks else [Phase.generate]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
