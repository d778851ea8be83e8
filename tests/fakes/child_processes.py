"""Finds and signals the descendants of a process, by /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def find_descendants(pid: int) -> list[int]:
    """Return the ids of all descendants of a process."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and (stat := _read_stat(int(each.name))):
            children.setdefault(int(stat[1]), []).append(int(each.name))
    found, parents = [], [pid]
    while parents:
        parents += (new := children.get(parents.pop(), []))
        found += new
    return found


def find_chromium_processes(pid: int, kind: str) -> list[int]:
    """Return the driver, the browser or the renderer processes below a worker."""
    match kind:
        case "driver":
            return [each for each in find_descendants(pid) if "run-driver" in _read_command(each)]
        case "browser":
            return [
                each
                for each in find_descendants(pid)
                if "--remote-debugging-pipe" in _read_command(each) and "--type=" not in _read_command(each)
            ]
        case _:
            return [each for each in find_descendants(pid) if f"--type={kind}" in _read_command(each)]


def send_signal(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to all processes that still exist."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def find_alive(pids: Iterable[int]) -> list[int]:
    """Return the processes that have not ended; a zombie has ended."""
    return [pid for pid in pids if _read_stat(pid)[:1] not in ([], ["Z"])]


def _read_stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _read_command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
