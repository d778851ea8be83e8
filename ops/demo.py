"""The demo: a real Postgres and Redis, seeded workspaces, the product's processes, and links to click."""

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

from ops import programs, services, visit
from ops.demonstration import Demo, DemoFailed

ROOT = Path(__file__).resolve().parent.parent
USUAL_PORT = 8000
OWN_DATABASE = "portal"
LINKS_SHOWN = 3  # of each workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until Ctrl-C, or check it once; returns the exit code."""
    given = _arguments(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a script may have told us to ignore them
        signal.signal(number, signal.default_int_handler)
    try:
        return _check() if given.check else _run(given)
    except (DemoFailed, services.ServiceFailed, programs.ProgramFailed, visit.VisitFailed) as error:
        return _failed(str(error), as_json=given.check)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130 if given.check else 0


def _run(given: argparse.Namespace) -> int:
    state = given.state.resolve()
    external = os.environ.get("PORTAL_DATABASE_URL")
    if given.fresh and external:
        message = "--fresh would delete the database that PORTAL_DATABASE_URL names: drop that one yourself."
        raise DemoFailed(message)
    with _locked(state):
        if given.fresh:
            _wipe(state)
        port = _usable_port(given.port)
        metrics_port = port + 1100 if programs.port_is_free(port + 1100) else programs.free_port()
        database = _database_of(external) if external else OWN_DATABASE
        demo = Demo(state, port, metrics_port, database)
        began = time.monotonic()
        with _ending(demo):
            demo.start()
            _show(demo, time.monotonic() - began)
            demo.watch()


def _check() -> int:
    """Everything once, on free ports with a fresh state; the last line is one JSON object with timings."""
    (ROOT / ".portal").mkdir(exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="check-", dir=ROOT / ".portal"))
    external = os.environ.get("PORTAL_DATABASE_URL")
    name = f"portal_check_{os.getpid()}" if external else OWN_DATABASE
    demo = Demo(state, programs.free_port(), programs.free_port(), name)
    began = time.monotonic()
    try:
        with _ending(demo):
            demo.start()
            ready = time.monotonic() - began
            with demo.step("pages", "Visiting what was seeded"):
                visited = demo.visited()
            if demo.no_chromium:
                raise DemoFailed(demo.no_chromium)
            with demo.step("pdfs", "Downloading every PDF, again, and after a restart of the worker"):
                pdfs = demo.downloaded()
            metrics = [visit.fetch(running.program.metrics_url).status for running in demo.running]
            if set(metrics) != {200}:
                message = f"A process does not show its metrics: {metrics}."
                raise DemoFailed(message)
    finally:
        shutil.rmtree(state, ignore_errors=True)
        if external:
            asyncio.run(_drop(external, name))
    result = {"ok": True, "ready_s": round(ready, 2), "pages": visited, "pdfs": pdfs, "seconds": demo.seconds}
    print(json.dumps(result))
    return 0


async def _drop(admin_url: str, name: str) -> None:
    from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415

    from kernel.store.roles import drop_database  # noqa: PLC0415

    # Where it could not even be reached there is nothing to drop, and the first failure is the one to report.
    with contextlib.suppress(PostgresError, InterfaceError, OSError):
        await drop_database(admin_url, name)


def _failed(message: str, *, as_json: bool) -> int:
    print(flush=True)
    print(message, file=sys.stderr, flush=True)
    if as_json:
        print(json.dumps({"ok": False, "failure": message.splitlines()[0]}))
    return 1


@contextlib.contextmanager
def _ending(demo: Demo) -> Iterator[None]:
    """Whatever happens, end with everything stopped; Ctrl-C while stopping does not leave half of it running."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
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


def _wipe(state: Path) -> None:
    """Remove what a demo leaves in its folder, and nothing else."""
    for name in ("postgres", "redis", "run", "logs", "blobs"):
        shutil.rmtree(state / name, ignore_errors=True)
    for name in ("postgres.log", "redis.log", "demo.json"):
        (state / name).unlink(missing_ok=True)


def _usable_port(asked: int | None) -> int:
    if asked is not None:
        if not programs.port_is_free(asked):
            message = f"Port {asked} is in use. Choose another with --port, or leave --port out."
            raise DemoFailed(message)
        return asked
    if programs.port_is_free(USUAL_PORT):
        return USUAL_PORT
    port = programs.free_port()
    print(f"Port {USUAL_PORT} is in use; taking {port}.")
    return port


def _database_of(url: str) -> str:
    name = unquote(urlsplit(url).path.lstrip("/"))
    # The maintenance database is no place for tables.
    return name if name not in {"", "postgres", "template1"} else OWN_DATABASE


def _show(demo: Demo, seconds: float) -> None:
    print(f"\nReady after {seconds:.1f} s. Some of what there is to open:")
    for workspace in demo.workspaces:
        own = (invoice for invoice in demo.invoices if invoice["workspace"] == workspace["slug"])
        opening = [invoice for invoice in own if not visit.REFUSED & set(invoice["tags"])]
        print(f"\n  {workspace['name']}")
        for invoice in opening[:LINKS_SHOWN]:
            print(f"    {invoice['url']}  {invoice['number']} ({', '.join(invoice['tags'])})")
    print(f"\nAll {len(demo.invoices)} links: {demo.state / 'demo.json'}\nLogs: {demo.state / 'logs'}")
    print("The PDF of an invoice: its link with /invoice.pdf behind it.")
    print("Chrome, Edge and Firefox find *.localhost by themselves; Safari needs the hosts in /etc/hosts.")
    if demo.no_chromium:
        print(f"\nWithout a Chromium pages can be read, but no PDF is made. {demo.no_chromium}\n")
    print("Ctrl-C stops everything.", flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ops/demo",
        description="Sets up, starts and seeds the portal on this machine and prints links to click. "
        "PORTAL_DATABASE_URL (of a role that may create roles and databases) and PORTAL_REDIS_URL name other servers "
        "than the embedded ones.",
    )
    parser.add_argument("--port", type=int, help=f"port of the pages (default: {USUAL_PORT}, or a free one)")
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".portal" / "demo",
        help="folder of data and logs (default: .portal/demo)",
    )
    parser.add_argument("--fresh", action="store_true", help="throw the data of earlier runs away first")
    parser.add_argument(
        "--check",
        action="store_true",
        help="start on free ports with fresh data, fetch seeded pages and PDFs, print timings as JSON, stop",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
