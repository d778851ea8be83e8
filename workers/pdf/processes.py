"""Measures and kills Chromium's processes."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def measure_memory(pids: Iterable[int]) -> int:
    """Return the bytes that processes hold, each shared page counted once (PSS); 0 where there is no /proc."""
    return sum(_read_pss(pid) for pid in pids)


def find_process_group(pid: int) -> int:
    """Return the process group of a process; its own id when it has ended already."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return pid


def kill(pid: int, group: int) -> None:
    """Kill a process, and its process group when that is not ours; no error when they have ended already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group == os.getpgrp():
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(group, signal.SIGKILL)


def _read_pss(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
