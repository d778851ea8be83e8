"""What the kernel says about Chromium's processes: their memory, and the hard way to end them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the memory that processes hold, each shared page counted once (PSS); 0 where /proc is not."""
    return sum(_proportional(pid) for pid in pids)


def group_of(pid: int) -> int:
    """Return the group that a process leads or belongs to; its own id when it is gone already."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return pid


def kill(pid: int, group: int) -> None:
    """End a process at once, and whoever is left of its group where that is not ours; gone already is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group == os.getpgrp():
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(group, signal.SIGKILL)


def _proportional(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
