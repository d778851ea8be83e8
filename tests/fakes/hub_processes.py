"""Hubs as processes of a test's own, which it may kill, stop for a while and start again."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from ops.dev.programs import Program, RunningProgram, build_environ, start, stop, wait_until_ready
from ops.ports import find_free_port


@dataclass(frozen=True, slots=True)
class HubProcesses:
    """Hubs by number, each at a port that it keeps when it is started again."""

    folder: Path
    #: The PORTAL_ variables of all of them.
    variables: dict[str, str]
    ports: tuple[int, ...] = field(default_factory=lambda: (find_free_port(), find_free_port()))
    running: dict[int, RunningProgram] = field(default_factory=dict)

    @property
    def realtime_url(self) -> str:
        """PORTAL_REALTIME_URL of the gateway whose pages use these hubs."""
        return ",".join(f"ws://{{host}}:{port}" for port in self.ports)

    @property
    def pids(self) -> dict[int, int]:
        """The process ids of those that run."""
        return {number: running.process.pid for number, running in self.running.items()}

    def metrics_url(self, number: int) -> str:
        """Return the URL of the metrics of a hub."""
        return self.running[number].program.metrics_url

    async def start(self, *numbers: int) -> None:
        """Start hubs, all by default, and wait until they are ready."""
        begun = {each: self._start(each) for each in numbers or range(len(self.ports))}
        self.running.update(begun)
        for running in begun.values():
            await asyncio.to_thread(wait_until_ready, running)

    async def stop(self, number: int) -> None:
        """End a hub as an operator would."""
        await asyncio.to_thread(stop, self.running.pop(number))

    async def kill(self, number: int) -> None:
        """End a hub as a crash would."""
        running = self.running.pop(number)
        running.process.kill()
        await asyncio.to_thread(running.process.wait)

    def freeze(self, number: int) -> None:
        """Let a hub do nothing, with its connections open."""
        os.kill(self.pids[number], signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Let it go on."""
        os.kill(self.pids[number], signal.SIGCONT)

    def kill_all(self) -> None:
        """End what still runs."""
        while self.running:
            process = self.running.popitem()[1].process
            process.kill()
            process.wait()

    def _start(self, number: int) -> RunningProgram:
        program = Program(f"hub-{number}", ("hub",), find_free_port())
        ports = {"PORTAL_PORT": str(self.ports[number]), "PORTAL_METRICS_PORT": str(program.metrics_port)}
        return start(program, build_environ(self.variables | ports), self.folder / "logs")
