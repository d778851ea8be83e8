"""The product's own processes as children of the demo: started, watched, and named when one of them fails."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.services import end_process, ended, leashed, tail

READY_SECONDS = 60.0
STOP_SECONDS = 20.0


class ProgramFailed(RuntimeError):
    """A process ended or did not become ready; the message names it and ends with its log's tail."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its `portal` command and the internal port of its metrics and probes.

    `module` is what the command is given to: the `portal` command line, or another server that is measured.
    """

    name: str
    command: tuple[str, ...]
    metrics_port: int
    module: str = "ops.cli"

    @property
    def metrics_url(self) -> str:
        """Where Prometheus would read it."""
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
        """Raise ProgramFailed when the process is no longer there."""
        code = self.process.poll()
        if code is not None:
            message = (
                f"The {self.program.name} {ended(code)}. The end of its log {self.log}:\n{tail(self.log)}"
            )
            raise ProgramFailed(message)


def start(program: Program, environ: Mapping[str, str], logs: Path) -> RunningProgram:
    """Start a program; its output goes to <logs>/<name>.log. It ends with this process even when that is killed."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{program.name}.log"
    with log.open("wb") as out:
        # Its own session: Ctrl-C at the terminal must reach the demo alone, which then stops things in order.
        process = subprocess.Popen(
            leashed([sys.executable, "-m", program.module, *program.command]),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).resolve().parent.parent,
            start_new_session=True,
        )
    return RunningProgram(program, process, log)


def wait_until_ready(running: RunningProgram, probe: str = "/readyz") -> None:
    """Wait for 200 from one of the program's probes; raises ProgramFailed."""
    deadline = time.monotonic() + READY_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline:
        running.raise_if_ended()
        answer = _ask(running.program.metrics_port, probe)
        if answer == "200":
            return
        time.sleep(0.05)
    message = (
        f"The {running.program.name} did not become ready within {READY_SECONDS:.0f} s: {probe} answered {answer}. "
        f"The end of its log {running.log}:\n{tail(running.log)}"
    )
    raise ProgramFailed(message)


def stop(running: RunningProgram) -> None:
    """Ask the process to end, so that it finishes what it is doing; kill it when it does not."""
    end_process(running.process, signal.SIGTERM, STOP_SECONDS)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    return listenable("127.0.0.1", port)


def listenable(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with exactly the given PORTAL_ variables in it."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return rest | dict(settings)


def _ask(port: int, probe: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", probe)
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
