"""Processor time of this process and its descendants, and private memory of other processes."""

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
_PRIVATE: Final = ("Pss_Anon:", "Pss_Shmem:")


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one PDF in milliseconds: wall clock, and processor time of all processes."""

    wall: float
    cpu: float


def become_subreaper() -> None:
    """Become the parent of descendants whose parent ends; OSError where the kernel refuses.

    The processor time of an ended process is added to its parent's only when the parent waits for it. A browser that
    closes orphans the parent of its renderers, whose time would be lost. As a zombie below this process it can be read.
    """
    if not sys.platform.startswith("linux"):
        message = "Processor time of a tree of processes is read from Linux's /proc."
        raise OSError(message)
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def read_cpu_seconds() -> float:
    """Return the processor time of this process and all its descendants, ended ones included."""
    own = process_time()
    stats = dict(_read_stats())
    # Of this process only its ended children: its own time is exact above, and excludes this reading.
    ended = sum(map(int, stats[os.getpid()][13:15]))
    running = sum(sum(map(int, stats[pid][11:15])) for pid in _find_descendants(os.getpid(), stats))
    return own + (ended + running) / _TICKS


def read_thread_seconds(pid: int) -> float:
    """Return the processor time of a process' running threads, exact to less than a microsecond; Linux only."""
    stats = (task / "schedstat" for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


def read_private_bytes(pids: Iterable[int]) -> int:
    """Return the memory of processes without pages of files.

    Pages of a file are shared with every other Chromium of the machine: their share changes when one of those ends.
    """
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_PRIVATE))
    return total


def list_descendants(pid: int) -> dict[int, str]:
    """Return the command lines of the running descendants of a process, by process id."""
    stats = dict(_read_stats())
    found: dict[int, str] = {}
    for each in _find_descendants(pid, stats):
        try:
            command = Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if command and stats[each][0] != "Z":
            found[each] = command
    return found


def _find_descendants(pid: int, stats: Mapping[int, list[str]]) -> set[int]:
    found = {pid}
    while children := {each for each, stat in stats.items() if int(stat[1]) in found} - found:
        found |= children
    return found - {pid}


def _read_stats() -> Iterable[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
