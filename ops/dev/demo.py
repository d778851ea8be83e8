"""The command `ops/demo`: runs the demo until Ctrl-C, or checks it once."""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ops.dev.demo_environment import DemoEnvironment, DemoFailed
from ops.dev.loopback import fetch_url
from ops.dev.programs import ProgramFailed
from ops.dev.server_files import ServerFailed
from ops.dev.smoke_test import SmokeTestFailed, has_open_link
from ops.ports import LOOPBACK, can_listen, find_free_port

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 8000
DEFAULT_DATABASE = "portal"
METRICS_PORT_OFFSET = 1100
PRINTED_LINKS = 3  # of each workspace
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until Ctrl-C, or check it once; returns the exit code."""
    options = _parse_arguments(arguments)
    # A script that starts this one may have made it ignore them.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        return _check() if options.check else _run(options)
    except (DemoFailed, ServerFailed, ProgramFailed, SmokeTestFailed) as error:
        return _report_failure(str(error), as_json=options.check)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130 if options.check else 0


def _run(options: argparse.Namespace) -> int:
    state = options.state.resolve()
    external = os.environ.get("PORTAL_DATABASE_URL")
    if options.fresh and external:
        message = "--fresh would delete the database that PORTAL_DATABASE_URL names: drop that one yourself."
        raise DemoFailed(message)
    with _lock(state):
        if options.fresh:
            _delete_data(state)
        port = _choose_port(options.port)
        metrics_port = port + METRICS_PORT_OFFSET
        if not can_listen(LOOPBACK, metrics_port):
            metrics_port = find_free_port()
        database = _read_database_name(external) if external else DEFAULT_DATABASE
        demo = DemoEnvironment(state, port, metrics_port, database)
        started_at = time.monotonic()
        with _stop_at_exit(demo):
            demo.start()
            _print_links(demo, time.monotonic() - started_at)
            demo.wait_for_failure()


def _check() -> int:
    """Check everything once, on free ports with a fresh state; the last line is one JSON object with timings."""
    (ROOT / ".portal").mkdir(exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="check-", dir=ROOT / ".portal"))
    external = os.environ.get("PORTAL_DATABASE_URL")
    database = f"portal_check_{os.getpid()}" if external else DEFAULT_DATABASE
    demo = DemoEnvironment(state, find_free_port(), find_free_port(), database)
    started_at = time.monotonic()
    try:
        with _stop_at_exit(demo):
            demo.start()
            ready = time.monotonic() - started_at
            with demo.step("pages", "Fetching the seeded pages"):
                pages = demo.check_pages()
            if demo.chromium_error:
                raise DemoFailed(demo.chromium_error)
            with demo.step("pdfs", "Downloading every PDF, again, and after a restart of the worker"):
                pdfs = demo.check_pdfs()
            statuses = [fetch_url(running.program.metrics_url).status for running in demo.running]
            if set(statuses) != {200}:
                message = f"The metrics of the processes answered {statuses}."
                raise DemoFailed(message)
    finally:
        shutil.rmtree(state, ignore_errors=True)
        if external:
            asyncio.run(_drop_database(external, database))
    result = {"ok": True, "ready_s": round(ready, 2), "pages": pages, "pdfs": pdfs, "seconds": demo.seconds}
    print(json.dumps(result))
    return 0


async def _drop_database(admin_url: str, name: str) -> None:
    from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415

    from kernel.store.roles import drop_database  # noqa: PLC0415

    # An unreachable server has nothing to drop, and the first failure is the one to report.
    with contextlib.suppress(PostgresError, InterfaceError, OSError):
        await drop_database(admin_url, name)


def _report_failure(message: str, *, as_json: bool) -> int:
    print(flush=True)
    print(message, file=sys.stderr, flush=True)
    if as_json:
        print(json.dumps({"ok": False, "failure": message.splitlines()[0]}))
    return 1


@contextlib.contextmanager
def _stop_at_exit(demo: DemoEnvironment) -> Iterator[None]:
    """Stop everything at the end of the block; a signal during the stop does not interrupt it."""
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        demo.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def _lock(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True)
    with (state / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = (
                f"A demo already runs on {state}. Stop it first, or give this one a folder with --state."
            )
            raise DemoFailed(message) from None
        yield


def _delete_data(state: Path) -> None:
    """Delete what a demo writes into its folder, and nothing else."""
    for name in ("postgres", "redis", "run", "logs", "blobs"):
        shutil.rmtree(state / name, ignore_errors=True)
    for name in ("postgres.log", "redis.log", "demo.json", "stripe.json"):
        (state / name).unlink(missing_ok=True)


def _choose_port(requested: int | None) -> int:
    if requested is not None:
        if not can_listen(LOOPBACK, requested):
            message = f"Port {requested} is in use. Choose another with --port, or leave --port out."
            raise DemoFailed(message)
        return requested
    if can_listen(LOOPBACK, DEFAULT_PORT):
        return DEFAULT_PORT
    port = find_free_port()
    print(f"Port {DEFAULT_PORT} is in use; using {port}.")
    return port


def _read_database_name(url: str) -> str:
    name = unquote(urlsplit(url).path.lstrip("/"))
    # The maintenance databases must not get tables.
    return name if name not in {"", "postgres", "template1"} else DEFAULT_DATABASE


def _print_links(demo: DemoEnvironment, seconds: float) -> None:
    print(f"\nReady after {seconds:.1f} s. Some of the seeded invoices:")
    for workspace in demo.workspaces:
        print(f"\n  {workspace['name']}")
        own = [invoice for invoice in demo.invoices if invoice["workspace"] == workspace["slug"]]
        for invoice in list(filter(has_open_link, own))[:PRINTED_LINKS]:
            print(f"    {invoice['url']}  {invoice['number']} ({', '.join(invoice['tags'])})")
    print(f"\nAll {len(demo.invoices)} links: {demo.state / 'demo.json'}\nLogs: {demo.state / 'logs'}")
    print(f"Mails are delivered to nobody, and shown at {demo.mailbox_url}")
    print(f"Cards are charged by nobody: play the bank at {demo.stripe.bank_url}")
    print("The PDF of an invoice: its link followed by /invoice.pdf.")
    print("Chrome, Edge and Firefox resolve *.localhost themselves; Safari needs the hosts in /etc/hosts.")
    if demo.chromium_error:
        print(f"\nWithout a Chromium pages can be read, but no PDF is made. {demo.chromium_error}\n")
    print("Ctrl-C stops everything.", flush=True)


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ops/demo",
        description="Sets up, starts and seeds the portal on this machine and prints links to click. "
        "PORTAL_DATABASE_URL (of a role that may create roles and databases) and PORTAL_REDIS_URL name other servers "
        "than the embedded ones.",
    )
    parser.add_argument(
        "--port", type=int, help=f"port of the pages (default: {DEFAULT_PORT}, or a free one)"
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".portal" / "demo",
        help="folder of data and logs (default: .portal/demo)",
    )
    parser.add_argument("--fresh", action="store_true", help="delete the data of earlier runs first")
    parser.add_argument(
        "--check",
        action="store_true",
        help="start on free ports with fresh data, fetch seeded pages and PDFs, print timings as JSON, stop",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
