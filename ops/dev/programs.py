"""The product's processes as children of the demo, the tests and the benchmarks."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.dev.child_processes import bind_to_parent, describe_exit, read_log_end, stop_process
from ops.dev.loopback import fetch_url

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
PROBE_SECONDS = 5.0


class ProgramFailed(RuntimeError):
    """A process ended or did not become ready; the message names it and ends with the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its `portal` command and the internal port of its metrics and probes.

    `module` is what gets the command: the `portal` command line, or another server that is measured.
    """

    name: str
    command: tuple[str, ...]
    metrics_port: int
    module: str = "ops.cli"

    @property
    def metrics_url(self) -> str:
        """The URL of its metrics."""
        return self.internal_url("/metrics")

    def internal_url(self, path: str) -> str:
        """Return the URL of a path on the internal port."""
        return f"http://127.0.0.1:{self.metrics_port}{path}"


@dataclass(frozen=True, slots=True)
class RunningProgram:
    """A started program with its child process and its log file."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path

    def raise_if_ended(self) -> None:
        """Raise ProgramFailed when the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise self.build_error(describe_exit(code))

    def build_error(self, reason: str) -> ProgramFailed:
        """Return the error for a reason, with the end of the log."""
        log_end = read_log_end(self.log)
        return ProgramFailed(f"The {self.program.name} {reason}. The end of its log {self.log}:\n{log_end}")


def start(program: Program, environ: Mapping[str, str], logs: Path) -> RunningProgram:
    """Start a program; its output goes to <logs>/<name>.log. It ends with this process even when that is killed."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{program.name}.log"
    with log.open("wb") as out:
        # Its own session: Ctrl-C at the terminal must reach the demo alone, which then stops things in order.
        process = subprocess.Popen(
            bind_to_parent([sys.executable, "-m", program.module, *program.command]),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            start_new_session=True,
        )
    return RunningProgram(program, process, log)


def wait_until_ready(running: RunningProgram, probe: str = "/readyz") -> None:
    """Wait for 200 from one of the program's probes; raises ProgramFailed."""
    deadline = time.monotonic() + READY_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline:
        running.raise_if_ended()
        answer = _fetch_status(running.program.internal_url(probe))
        if answer == "200":
            return
        time.sleep(0.05)
    raise running.build_error(f"did not become ready within {READY_SECONDS:.0f} s: {probe} answered {answer}")


def stop(running: RunningProgram) -> None:
    """Ask the process to end after the work that it has begun; kill it after the grace period."""
    stop_process(running.process, signal.SIGTERM, STOP_SECONDS)


def build_environ(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with exactly the given PORTAL_ variables."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return rest | dict(settings)


def _fetch_status(url: str) -> str:
    try:
        return str(fetch_url(url, timeout_seconds=PROBE_SECONDS).status)
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
