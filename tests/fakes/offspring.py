"""The processes below one process, as /proc tells them: found, stopped, killed, and waited for."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def below(pid: int) -> list[int]:
    """Return all processes below one."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and (stat := _stat(int(each.name))):
            children.setdefault(int(stat[1]), []).append(int(each.name))
    found, open_ends = [], [pid]
    while open_ends:
        open_ends += (new := children.get(open_ends.pop(), []))
        found += new
    return found


def of_kind(pid: int, kind: str) -> list[int]:
    """Return the driver, the browser or the renderers below a worker."""
    match kind:
        case "driver":
            return [each for each in below(pid) if "run-driver" in _command(each)]
        case "browser":
            return [
                each
                for each in below(pid)
                if "--remote-debugging-pipe" in _command(each) and "--type=" not in _command(each)
            ]
        case _:
            return [each for each in below(pid) if f"--type={kind}" in _command(each)]


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal; who is gone already gets none."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def alive(pids: Iterable[int]) -> list[int]:
    """Return those that are still there and more than an exit code."""
    return [pid for pid in pids if _stat(pid)[:1] not in ([], ["Z"])]


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
