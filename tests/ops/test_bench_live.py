"""The readers of the realtime benchmarks, and how what they applied is compared with the log."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

from kernel.ids import new_id
from kernel.live import Cursor
from ops.bench.live_client import EpochRecord, Reader, ReceivedEvent
from ops.bench.live_comparison import Faults, compare

ONE, OTHER = new_id(), new_id()
LOG = {seq: f"id {seq}" for seq in range(1, 6)}


def event(seq: int) -> dict[str, Any]:
    return {"seq": seq, "kind": "comment.posted", "client_id": f"id {seq}"}


def record(*seqs: int, start: int = 0, epoch: UUID = ONE) -> EpochRecord:
    events = [ReceivedEvent(seq, "comment.posted", f"id {seq}") for seq in seqs]
    return EpochRecord(epoch, start, events)


def read(*seqs: int, is_gated: bool) -> tuple[Reader, list[bool]]:
    reader = Reader("reader", Cursor(ONE, 0), (), random=Random(1), is_gated=is_gated)
    return reader, [reader.take(ONE, event(seq)) for seq in seqs]


def test_the_gate_takes_each_event_once_and_in_order_and_asks_for_what_is_missing() -> None:
    reader, taken = read(1, 2, 2, 1, 4, 3, is_gated=True)
    assert taken == [True, True, True, True, False, True]
    assert [each.seq for each in reader.records[-1].events] == [1, 2, 3]
    assert reader.is_behind(ONE, 4)
    assert not reader.is_behind(ONE, 3)


def test_without_the_gate_everything_is_applied_as_it_comes() -> None:
    reader, taken = read(1, 2, 2, 4, 3, is_gated=False)
    assert all(taken)
    assert compare(reader.records, {ONE: LOG}) == Faults(lost=1, doubled=1, reordered=1)


def test_a_reader_that_begins_anew_ignores_transports_of_the_epoch_before() -> None:
    reader, _ = read(1, 2, is_gated=True)
    asked = reader.cursor
    reader.reset(asked, OTHER, 1)
    reader.reset(asked, OTHER, 3)
    assert reader.take(ONE, event(3))
    assert reader.take(OTHER, event(2))
    assert reader.records == [record(1, 2), record(2, start=1, epoch=OTHER)]


def test_the_last_epoch_must_have_been_read_to_its_end_and_others_without_a_hole() -> None:
    logs = {ONE: LOG, OTHER: LOG}
    assert compare([record(1, 2, 3), record(3, 4, 5, start=2, epoch=OTHER)], logs) == Faults()
    assert compare([record(1, 3), record(3, 4, start=2, epoch=OTHER)], logs) == Faults(lost=2)


def test_an_event_that_is_not_the_logs_is_foreign() -> None:
    assert compare([record(1, 2, 3, 4, 5)], {ONE: LOG | {2: "another"}}) == Faults(foreign=1)
    assert compare([record(6, start=5)], {ONE: LOG}) == Faults(foreign=1)
    assert compare([record(1)], {}) == Faults(foreign=1)
