"""Child processes that end with this process: started, stopped, and described when they fail."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PARENT_DEATH_SIGNAL = Path(__file__).with_name("parent_death_signal.py")


def bind_to_parent(
    command: Sequence[str], *, stop_signal: signal.Signals = signal.SIGTERM, user: str | None = None
) -> list[str]:
    """Return the command line that runs `command` so that it gets `stop_signal` when this process dies."""
    as_user = ["--user", user] if user else []
    return [
        sys.executable,
        "-I",
        str(PARENT_DEATH_SIGNAL),
        "--parent",
        str(os.getpid()),
        "--signal",
        str(int(stop_signal)),
        *as_user,
        "--",
        *command,
    ]


def stop_process(process: subprocess.Popen[bytes], stop_signal: signal.Signals, grace_seconds: float) -> None:
    """Send the signal to a child, wait for its end, and kill it after the grace period."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def describe_exit(code: int) -> str:
    """Return how a process ended, from its return code."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def read_log_end(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file, or that there are none."""
    if not log.exists():
        return "(no log)"
    text = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    return "\n".join(text[-lines:]) or "(the log is empty)"
