"""One demo: the servers, the seeded workspaces and the product's processes, started and stopped together."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ops import downloads, programs, services, visit


class DemoFailed(RuntimeError):
    """Something that the person at the keyboard can cure; the message says how."""


@dataclass(slots=True)
class Demo:
    """One run: where it lives, what it started, how long each step took."""

    state: Path
    port: int
    metrics_port: int
    database: str
    seconds: dict[str, float] = field(default_factory=dict)
    running: list[programs.RunningProgram] = field(default_factory=list)
    workspaces: list[dict[str, Any]] = field(default_factory=list)
    invoices: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    no_chromium: str = ""

    @property
    def base_url(self) -> str:
        """Address of the gateway; a workspace's host is <slug> before it."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Find a Chromium, start the servers, migrate, seed, start the processes, write demo.json."""
        with self.step("chromium", "Looking for a Chromium"):
            self.variables |= self._printing()
        with self.step("postgres", "Starting Postgres"):
            admin_url = services.start_postgres(self.state)
        with self.step("redis", "Starting Redis"):
            redis_url = services.start_redis(self.state)
        self.variables |= asyncio.run(self._prepared(admin_url, redis_url))
        with self.step("processes", "Starting gateway, relay, worker and scheduler"):
            for program in self._table():
                self.running.append(self._started(program))
            for running in self.running:
                programs.wait_until_ready(running, self._probe(running.program))
        self._write_facts()

    def watch(self) -> NoReturn:
        """Wait for Ctrl-C; raises ServiceFailed or ProgramFailed when a server or a process ends by itself."""
        while True:
            services.raise_if_ended(self.state)
            for running in self.running:
                running.raise_if_ended()
            time.sleep(0.2)

    def visited(self) -> int:
        """Fetch what was seeded; returns how many answers were right, raises VisitFailed with the logs' ends."""
        with self._logs_told():
            return visit.visit(self.workspaces, self.invoices)

    def downloaded(self) -> int:
        """Download every PDF three times, the worker being restarted before the third; returns how many there are.

        Then one blob is removed: what is printed anew must be what was pinned. Raises VisitFailed.
        """
        with self._logs_told():
            first = downloads.downloads(self.invoices, waiting=True)
            downloads.refused(self.invoices)
            downloads.compare(first, downloads.downloads(self.invoices, waiting=False))
            self._restart("worker")
            downloads.compare(first, downloads.downloads(self.invoices, waiting=False))
            for lost in self.state.glob(f"blobs/**/*{first[0].sha256}*"):
                lost.unlink()
            downloads.compare(first, downloads.downloads(self.invoices, waiting=True))
        return len(first)

    def _restart(self, name: str) -> None:
        place = next(i for i, running in enumerate(self.running) if running.program.name == name)
        programs.stop(self.running[place])
        self.running[place] = self._started(self.running[place].program)
        programs.wait_until_ready(self.running[place])

    @contextlib.contextmanager
    def _logs_told(self) -> Iterator[None]:
        try:
            yield
        except visit.VisitFailed as error:
            logs = [
                f"The end of {running.log.name}:\n{services.tail(running.log)}" for running in self.running
            ]
            raise visit.VisitFailed("\n".join([str(error), *logs])) from error

    def stop(self) -> None:
        """Stop what was started, in the opposite order."""
        for running in reversed(self.running):
            programs.stop(running)
        self.running.clear()
        services.stop_redis(self.state)
        services.stop_postgres(self.state)
        (self.state / "demo.json").unlink(missing_ok=True)

    def _started(self, program: programs.Program) -> programs.RunningProgram:
        ports = {"PORTAL_PORT": str(self.port), "PORTAL_METRICS_PORT": str(program.metrics_port)}
        return programs.start(program, programs.environment(self.variables | ports), self.state / "logs")

    def _table(self) -> tuple[programs.Program, ...]:
        behind = ("relay", "worker", "scheduler")
        return (
            programs.Program("gateway", ("gateway",), self.metrics_port),
            *(programs.Program(name, (name,), programs.free_port()) for name in behind),
        )

    def _probe(self, program: programs.Program) -> str:
        # Without a Chromium the worker does everything but print, and looks for one again and again.
        return "/healthz" if program.name == "worker" and self.no_chromium else "/readyz"

    def _printing(self) -> dict[str, str]:
        """Return what concerns PDFs; without any Chromium the pages are there all the same."""
        from ops import browser  # noqa: PLC0415

        blobs = {"PORTAL_BLOBS_URL": str(self.state / "blobs")}
        if wanted := os.environ.get("PORTAL_CHROMIUM"):
            return blobs | {"PORTAL_CHROMIUM": wanted}
        try:
            return blobs | {"PORTAL_CHROMIUM": browser.ensure(_aside)}
        except browser.NoBrowser as error:
            self.no_chromium = str(error)
            return blobs

    async def _prepared(self, admin_url: str, redis_url: str) -> dict[str, str]:
        # Imported here and below: `ops/demo --help` runs before anything is installed.
        from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415

        from kernel.errors import PortalError  # noqa: PLC0415

        try:
            return await self._prepare(admin_url, redis_url)
        except (PortalError, PostgresError, InterfaceError, OSError) as error:
            message = f"The database could not be prepared: {error}"
            raise DemoFailed(message) from error

    async def _prepare(self, admin_url: str, redis_url: str) -> dict[str, str]:
        from kernel.settings import Settings  # noqa: PLC0415
        from kernel.store import Database  # noqa: PLC0415
        from ops.migrate import prepare  # noqa: PLC0415
        from ops.seed import seed  # noqa: PLC0415
        from ops.session import operator  # noqa: PLC0415

        with self.step("migrate", "Preparing the database"):
            urls = (await prepare(admin_url, self.database)).urls
        variables = {
            "PORTAL_PROFILE": "demo",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_DATABASE_OWNER_URL": urls.owner,
            "PORTAL_DATABASE_SVC_URL": urls.svc,
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_BASE_DOMAIN": "localhost",
            "PORTAL_PUBLIC_SCHEME": "http",
            "PORTAL_PUBLIC_PORT": str(self.port),
            # Whoever looks at it comes from the same address.
            "PORTAL_PAGE_LIMIT_PER_MINUTE": "2400",
        }
        if keys := os.environ.get("PORTAL_SECRET_KEYS"):
            variables["PORTAL_SECRET_KEYS"] = keys
        settings = Settings.from_environ(variables)
        with self.step("seed", "Seeding workspaces and invoices"):
            database = await Database.open(settings.database_url, name="portal seed", actor=operator())
            try:
                seeded = await seed(database, settings, _aside)
            finally:
                await database.close()
        self.workspaces, self.invoices = list(seeded.workspaces), list(seeded.invoices)
        return variables

    def _write_facts(self) -> None:
        pids = {running.program.name: running.process.pid for running in self.running}
        pids |= {name: pid for name in ("postgres", "redis") if (pid := services.pid_of(self.state, name))}
        facts = {
            "base_url": self.base_url,
            "workspaces": self.workspaces,
            "invoices": self.invoices,
            "metrics": {running.program.name: running.program.metrics_url for running in self.running},
            "pids": pids,
        }
        written = self.state / "demo.json.new"
        written.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.rename(self.state / "demo.json")

    @contextlib.contextmanager
    def step(self, name: str, words: str) -> Iterator[None]:
        """Say what is being done, and how many seconds it took."""
        print(f"· {words} …", end="", flush=True)
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)
        print(f" {self.seconds[name]:.1f} s", flush=True)


def _aside(words: str) -> None:
    """Say what a step is doing, below its own line."""
    print(f"\n    {words}", end="", flush=True)
