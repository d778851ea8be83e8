"""What work has cost: the processor time of this process and of everything below it, and the memory of others."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_OWN: Final = ("Pss_Anon:", "Pss_Shmem:")


@dataclass(frozen=True, slots=True)
class Cost:
    """One print: milliseconds on the wall clock and of all processors."""

    wall: float
    cpu: float


def adopt_orphans() -> None:
    """Become the parent of processes whose own has ended; OSError where the kernel refuses.

    What an ended process has used is in its parent's account only when the parent waits for it. A browser that closes
    leaves its renderers' parent behind, whose account would be lost with it: here it stays below us, to be read, as a
    zombie for which nobody waits.
    """
    if not sys.platform.startswith("linux"):
        message = "Processor time of a tree of processes is read from Linux's /proc."
        raise OSError(message)
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def spent_s() -> float:
    """Return the seconds that this process and everything below it have used, those that ended included."""
    ours = process_time()
    stats = dict(_stats())
    # Of this process only its ended children: its own time is exact above, and without the reading itself.
    ended = sum(map(int, stats[os.getpid()][13:15]))
    below = sum(sum(map(int, stats[pid][11:15])) for pid in _below(os.getpid(), stats))
    return ours + (ended + below) / _TICKS


def own_bytes(pids: Iterable[int]) -> int:
    """Return the memory that processes have for themselves: nothing that comes from files.

    Pages of a file are shared with every other Chromium of the machine: their share changes when one of those ends.
    """
    found = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        found += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_OWN))
    return found


def children_of(pid: int) -> dict[int, str]:
    """Return everything below a process, by id, with its command line; what has ended is left out."""
    stats = dict(_stats())
    found: dict[int, str] = {}
    for each in _below(pid, stats):
        try:
            command = Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if command and stats[each][0] != "Z":
            found[each] = command
    return found


def _below(pid: int, stats: Mapping[int, list[str]]) -> set[int]:
    family, grew = {pid}, True
    while grew:
        more = {each for each, stat in stats.items() if int(stat[1]) in family} - family
        family |= more
        grew = bool(more)
    return family - {pid}


def _stats() -> Iterable[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
