"""The demo's servers, seeded workspaces and processes, started and stopped together."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ops.dev import pdf_smoke_test, programs, servers, smoke_test
from ops.dev.child_processes import read_log_end
from ops.dev.stripe_sandbox import StripeSandbox
from ops.ports import find_free_port

HUBS = ("hub-1", "hub-2")
BACKGROUND_PROCESSES = ("relay", "worker", "scheduler")


class DemoFailed(RuntimeError):
    """The demo cannot start or is not as it should be; the message says what to do."""


@dataclass(slots=True)
class DemoEnvironment:
    """One run of the demo: its folder, what it has started and seeded, and how long each step took."""

    state: Path
    port: int
    metrics_port: int
    database: str
    seconds: dict[str, float] = field(default_factory=dict)
    running: list[programs.RunningProgram] = field(default_factory=list)
    workspaces: list[dict[str, Any]] = field(default_factory=list)
    invoices: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    chromium_error: str = ""
    hub_ports: dict[str, int] = field(default_factory=lambda: {name: find_free_port() for name in HUBS})
    mailbox_url: str = ""
    """The page that shows the mails that were sent."""
    stripe: StripeSandbox = field(init=False)
    _stripe: programs.RunningProgram | None = None
    _mailbox: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.stripe = StripeSandbox.choose(self.port, self.state)

    @property
    def base_url(self) -> str:
        """The URL of the gateway; a workspace's host is <slug>.localhost."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Find a Chromium, start the servers, migrate, seed, start the processes, write demo.json."""
        with self.step("chromium", "Looking for a Chromium"):
            self.variables |= self._find_pdf_settings()
        with self.step("postgres", "Starting Postgres"):
            admin_url = servers.start_postgres(self.state)
        with self.step("redis", "Starting Redis"):
            redis_url = servers.start_redis(self.state)
        with self.step("mailbox", "Starting the mailbox"):
            self.variables |= self._start_mailbox()
        with self.step("stripe", "Starting Stripe's stand-in"):
            self._stripe = self._start_stripe()
        self.variables |= asyncio.run(self._prepare(admin_url, redis_url))
        with self.step("processes", "Starting gateway, hubs, relay, worker and scheduler"):
            for program in self._list_programs():
                self.running.append(self._start_program(program))
            for running in self.running:
                programs.wait_until_ready(running, self._choose_probe(running.program))
        self._write_demo_json()

    def wait_for_failure(self) -> NoReturn:
        """Wait until a server or a process ends by itself: raises ServerFailed or ProgramFailed."""
        while True:
            servers.raise_if_ended(self.state)
            for running in self._list_running():
                running.raise_if_ended()
            time.sleep(0.2)

    def check_pages(self) -> int:
        """Fetch the seeded pages; returns the number of responses. Raises SmokeTestFailed with the ends of the logs."""
        with self._add_logs_to_errors():
            return smoke_test.check_pages(self.workspaces, self.invoices)

    def check_pdfs(self) -> int:
        """Download every PDF three times, the last after a restart of the worker; returns the number of PDFs.

        Then delete one blob: the PDF that is rendered again must have the bytes of the pinned one.
        Raises SmokeTestFailed.
        """
        with self._add_logs_to_errors():
            first = pdf_smoke_test.download_pdfs(self.invoices, wait=True)
            pdf_smoke_test.check_closed_links(self.invoices)
            self._compare_downloads(first, wait=False)
            self._restart("worker")
            self._compare_downloads(first, wait=False)
            for blob in self.state.glob(f"blobs/**/*{first[0].sha256}*"):
                blob.unlink()
            self._compare_downloads(first, wait=True)
        return len(first)

    def _compare_downloads(self, first: list[pdf_smoke_test.Download], *, wait: bool) -> None:
        pdf_smoke_test.require_same_bytes(first, pdf_smoke_test.download_pdfs(self.invoices, wait=wait))

    def _restart(self, name: str) -> None:
        index = next(i for i, running in enumerate(self.running) if running.program.name == name)
        programs.stop(self.running[index])
        self.running[index] = self._start_program(self.running[index].program)
        programs.wait_until_ready(self.running[index])

    @contextlib.contextmanager
    def _add_logs_to_errors(self) -> Iterator[None]:
        try:
            yield
        except smoke_test.SmokeTestFailed as error:
            logs = [
                f"The end of {running.log.name}:\n{read_log_end(running.log)}"
                for running in self._list_running()
            ]
            raise smoke_test.SmokeTestFailed("\n".join([str(error), *logs])) from error

    def stop(self) -> None:
        """Stop what was started, in reverse order."""
        for running in reversed(self._list_running()):
            programs.stop(running)
        self.running.clear()
        self._stripe = None
        self._mailbox.close()
        servers.stop_redis(self.state)
        servers.stop_postgres(self.state)
        (self.state / "demo.json").unlink(missing_ok=True)

    def _list_running(self) -> list[programs.RunningProgram]:
        return [*([] if self._stripe is None else [self._stripe]), *self.running]

    def _start_stripe(self) -> programs.RunningProgram:
        """Start Stripe's stand-in with the accounts of the seeded workspaces."""
        running = programs.start(self.stripe.program, programs.build_environ({}), self.state / "logs")
        programs.wait_until_ready(running, "/bank")
        self.stripe.add_accounts()
        self.variables |= self.stripe.variables
        return running

    def _start_program(self, program: programs.Program) -> programs.RunningProgram:
        port = self.hub_ports.get(program.name, self.port)
        ports = {"PORTAL_PORT": str(port), "PORTAL_METRICS_PORT": str(program.metrics_port)}
        return programs.start(program, programs.build_environ(self.variables | ports), self.state / "logs")

    def _list_programs(self) -> tuple[programs.Program, ...]:
        return (
            programs.Program("gateway", ("gateway",), self.metrics_port),
            *(programs.Program(name, ("hub",), find_free_port()) for name in HUBS),
            *(programs.Program(name, (name,), find_free_port()) for name in BACKGROUND_PROCESSES),
        )

    def _choose_probe(self, program: programs.Program) -> str:
        # Without a Chromium the worker runs all other jobs, but is not ready.
        return "/healthz" if program.name == "worker" and self.chromium_error else "/readyz"

    def _find_pdf_settings(self) -> dict[str, str]:
        """Return the settings for PDFs; without a Chromium the demo shows its pages all the same."""
        from ops.dev import chromium  # noqa: PLC0415

        blobs = {"PORTAL_BLOBS_URL": str(self.state / "blobs")}
        if configured := os.environ.get("PORTAL_CHROMIUM"):
            return blobs | {"PORTAL_CHROMIUM": configured}
        try:
            return blobs | {"PORTAL_CHROMIUM": chromium.find_or_install(_print_detail)}
        except chromium.ChromiumMissing as error:
            self.chromium_error = str(error)
            return blobs

    def _start_mailbox(self) -> dict[str, str]:
        """Start the mail server, which keeps what it gets, in threads of this process; returns its setting."""
        from ops.sandbox.mailbox import Mailbox  # noqa: PLC0415
        from ops.sandbox.mailbox_page import MailboxPage  # noqa: PLC0415

        mailbox = Mailbox().start()
        self._mailbox.callback(mailbox.stop)
        page = MailboxPage(mailbox)
        self._mailbox.callback(page.stop)
        self.mailbox_url = page.url
        return {"PORTAL_SMTP_URL": mailbox.url, "PORTAL_MAIL_FROM": "no-reply@portal.example"}

    async def _prepare(self, admin_url: str, redis_url: str) -> dict[str, str]:
        """Migrate and seed the database; returns the settings of the processes. Raises DemoFailed."""
        # Imported here and below: `ops/demo --help` runs before anything is installed.
        from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415

        from kernel.errors import PortalError  # noqa: PLC0415

        try:
            return await self._migrate_and_seed(admin_url, redis_url)
        except (PortalError, PostgresError, InterfaceError, OSError) as error:
            message = f"The database could not be prepared: {error}"
            raise DemoFailed(message) from error

    async def _migrate_and_seed(self, admin_url: str, redis_url: str) -> dict[str, str]:
        from kernel.settings import Settings  # noqa: PLC0415
        from kernel.store import Database  # noqa: PLC0415
        from ops.command_context import identify_operator  # noqa: PLC0415
        from ops.migrate import prepare_database  # noqa: PLC0415
        from ops.seed import seed  # noqa: PLC0415
        from ops.seed.payments import pay_examples  # noqa: PLC0415

        with self.step("migrate", "Preparing the database"):
            urls = (await prepare_database(admin_url, self.database)).urls
        variables = {
            "PORTAL_PROFILE": "demo",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_DATABASE_OWNER_URL": urls.owner,
            "PORTAL_DATABASE_SVC_URL": urls.svc,
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_BASE_DOMAIN": "localhost",
            "PORTAL_PUBLIC_SCHEME": "http",
            "PORTAL_PUBLIC_PORT": str(self.port),
            "PORTAL_REALTIME_URL": ",".join(f"ws://{{host}}:{port}" for port in self.hub_ports.values()),
            # All visitors of the demo have the same address.
            "PORTAL_PAGE_LIMIT_PER_MINUTE": "2400",
            "PORTAL_SIGN_IN_LIMIT_PER_MINUTE": "400",
        }
        if keys := os.environ.get("PORTAL_SECRET_KEYS"):
            variables["PORTAL_SECRET_KEYS"] = keys
        settings = Settings.from_environ(self.variables | variables)
        with self.step("seed", "Seeding workspaces and invoices"):
            database = await Database.open(
                settings.database_url, name="portal seed", actor=identify_operator()
            )
            try:
                seeded = await seed(database, settings, _print_detail)
                await pay_examples(
                    database, settings, seeded, play=self.stripe.control, payer=identify_operator()
                )
            finally:
                await database.close()
        self.workspaces, self.invoices = list(seeded.workspaces), list(seeded.invoices)
        self.contacts = list(seeded.contacts)
        return variables

    def _write_demo_json(self) -> None:
        pids = {running.program.name: running.process.pid for running in self._list_running()}
        pids |= {name: pid for name in ("postgres", "redis") if (pid := servers.find_pid(self.state, name))}
        description = {
            "base_url": self.base_url,
            "mailbox_url": self.mailbox_url,
            **self.stripe.describe(),
            "workspaces": self.workspaces,
            "invoices": self.invoices,
            "contacts": self.contacts,
            "metrics": {running.program.name: running.program.metrics_url for running in self.running},
            "pids": pids,
        }
        new = self.state / "demo.json.new"
        new.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        new.rename(self.state / "demo.json")

    @contextlib.contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Print what is being done, and how many seconds it took."""
        print(f"· {title} …", end="", flush=True)
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)
        print(f" {self.seconds[name]:.1f} s", flush=True)


def _print_detail(text: str) -> None:
    """Print what a step is doing, below its own line."""
    print(f"\n    {text}", end="", flush=True)
