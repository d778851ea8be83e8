"""The product's hub, which also prints each pause by the garbage collector: `gc GENERATION MILLISECONDS`.

Milliseconds of processor time: the pause on a machine that has nothing else to do. SIGUSR2 has everything collected.
"""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path
from time import thread_time
from typing import Any, Final

from ops.cli import main

#: Shorter ones are not printed.
SHORTEST_MS: Final = 0.2
_PREFIX: Final = "gc "


def read_pauses(log: Path, since: int) -> list[float]:
    """Return the pauses, in milliseconds, that were printed to a log after a place."""
    lines = log.read_bytes()[since:].decode(errors="replace").splitlines()
    return [float(line.split()[2]) for line in lines if line.startswith(_PREFIX)]


def _watch_collector() -> None:
    started_at = 0.0

    def watch(phase: str, about: dict[str, Any]) -> None:
        nonlocal started_at
        if phase == "start":
            started_at = thread_time()
        elif (pause_ms := (thread_time() - started_at) * 1000) >= SHORTEST_MS:
            sys.stderr.write(f"{_PREFIX}{about['generation']} {pause_ms:.3f}\n")
            sys.stderr.flush()

    gc.callbacks.append(watch)
    # Full collections are rare: one is asked for where its pause is to be known.
    signal.signal(signal.SIGUSR2, lambda _number, _frame: gc.collect())


if __name__ == "__main__":
    _watch_collector()
    main()
