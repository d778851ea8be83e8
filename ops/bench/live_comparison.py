"""Compares what readers applied with the logs in the database, for each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ops.bench.live_client import EpochRecord

#: The client id of each event of an epoch by its place, as the database had them when the epoch ended.
Log = Mapping[int, str | None]


@dataclass(frozen=True, slots=True)
class Faults:
    """Events that readers did not apply, applied twice, late, or that are not those of the log."""

    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    foreign: int = 0

    def __add__(self, other: Faults) -> Faults:
        return Faults(
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.reordered + other.reordered,
            self.foreign + other.foreign,
        )

    @property
    def total(self) -> int:
        """The number of all faults."""
        return self.lost + self.doubled + self.reordered + self.foreign


def compare(records: Sequence[EpochRecord], logs: Mapping[UUID, Log]) -> Faults:
    """Return the faults of a reader that has read up to the end of the last epoch."""
    faults = Faults()
    for index, record in enumerate(records):
        is_last = index == len(records) - 1
        faults += compare_epoch(record, logs.get(record.epoch, {}), is_complete=is_last)
    return faults


def compare_epoch(record: EpochRecord, log: Log, *, is_complete: bool) -> Faults:
    """Return the faults within an epoch; `is_complete` when the reader should have read it to its end.

    After a change of the epoch a page loads everything anew: what it had not read before is not lost.
    """
    seen: set[int] = set()
    doubled = reordered = foreign = 0
    latest = record.start
    for event in record.events:
        if event.seq in seen:
            doubled += 1
        elif event.seq < latest:
            reordered += 1
        elif event.seq not in log or log[event.seq] != event.client_id:
            foreign += 1
        seen.add(event.seq)
        latest = max(latest, event.seq)
    end = max(log, default=0) if is_complete else latest
    lost = sum(1 for seq in range(record.start + 1, end + 1) if seq not in seen)
    return Faults(lost, doubled, reordered, foreign)
