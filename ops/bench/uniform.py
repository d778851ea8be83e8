"""Compares answers to addresses that are known to a workspace with answers to others, in bytes and in time.

Pairs of a known and an unknown address, in random order, ask a gateway over HTTP for a code to sign in, enter a wrong
code, ask for a code to write a comment, and ask for fresh links. The medians must not differ by more than 5 %, and
no byte may.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.settings import Profile
from kernel.store import Database, fetch
from kernel.store.roles import Urls
from ops.bench.result import Row, report
from ops.bench.uniform_answers import Answer, Browser, Comparison, compare
from ops.command_context import identify_operator
from ops.dev import programs, servers
from ops.migrate import prepare_database
from ops.ports import find_free_port
from ops.seed.businesses import ACME, OAKRIDGE
from ops.seed.lines import SALES, build_lines
from tenants.access.actions import make_code
from tenants.customers.actions import add_contact, create_customer
from tenants.customers.values import CustomerDetails
from tenants.ids import CodeId
from tenants.invoices import actions as invoices
from tenants.invoices.content import Content
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode
from tenants.workspaces.profile import NewWorkspace

TARGET: Final = 1.05
_WARM_UP: Final = 30
_SLUG: Final = "uniform"
_BASE_DOMAIN: Final = "localhost"
_SEALER: Final = Sealer((("demo", DEMO_SECRET),))
_PENDING: Final = "SELECT code_id FROM one_time_code WHERE workspace_id = $1 AND code_hash IS NULL"


@dataclass(frozen=True, slots=True)
class Site:
    """A workspace with contacts, and a link to an invoice on which only contacts write."""

    urls: Urls
    workspace_id: WorkspaceId
    token: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the RESULT line; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="ops/bench/uniform", description=__doc__)
    parser.add_argument("--pairs", type=int, default=500, help="pairs of addresses for each request (500)")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the pairs (1)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        gateway: programs.RunningProgram | None = None
        try:
            admin, redis = servers.start_postgres(state, environ={}), servers.start_redis(state, environ={})
            count = options.pairs + _WARM_UP
            site = asyncio.run(_create_site(admin, count))
            port, gateway = _start_gateway(state, site.urls, redis)
            compared = _measure(site, port, count, random.Random(options.seed))
        finally:
            if gateway is not None:
                programs.stop(gateway)
            servers.stop_redis(state)
            servers.stop_postgres(state)
    _print_table(compared)
    return report([row for each in compared for row in _build_rows(each)])


def _name(kind: str, number: int) -> str:
    """Return an address; all have the same length."""
    return f"{kind}-{number:05d}@oakridge.example"


async def _create_site(admin_url: str, count: int) -> Site:
    urls = (await prepare_database(admin_url, "bench_uniform")).urls
    database = await Database.open(urls.app, size=1, name="bench", actor=identify_operator())
    workspace_id, clock = WorkspaceId(new_id()), SystemClock()
    try:
        async with database.scope(workspace_id):
            await create_workspace(
                NewWorkspace(_SLUG, "Uniform Ltd"),
                base_domain=_BASE_DOMAIN,
                reserved_hosts=(),
                sealer=_SEALER,
                clock=clock,
            )
            customer = await create_customer(CustomerDetails(name=OAKRIDGE.name), clock=clock)
            # Codes to sign in, and codes to write: an address may ask once a minute, whatever for.
            for number in range(2 * count):
                await add_contact(customer.customer_id, email=_name("known", number), clock=clock)
            content = Content(
                currency="USD", seller=ACME, buyer=OAKRIDGE, lines=tuple(build_lines(10, "USD", SALES))
            )
            invoice_id = await invoices.create_draft(customer.customer_id, content, clock=clock)
            await invoices.issue(invoice_id, clock=clock)
            await invoices.set_write_authority(
                invoice_id, WriteAuthority.create(WriteMode.OTP, otp_policy=OtpPolicy.CONTACTS)
            )
            link = await invoices.issue_link(invoice_id, sealer=_SEALER, clock=clock)
    finally:
        await database.close()
    return Site(urls, workspace_id, link.token)


def _start_gateway(state: Path, urls: Urls, redis: str) -> tuple[int, programs.RunningProgram]:
    port, metrics_port = find_free_port(), find_free_port()
    environ = {
        "PORTAL_PROFILE": Profile.DEMO.value,
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_REDIS_URL": redis,
        "PORTAL_PUBLIC_SCHEME": "http",
        "PORTAL_PORT": str(port),
        "PORTAL_METRICS_PORT": str(metrics_port),
        "PORTAL_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    started = programs.start(
        programs.Program("gateway", ("gateway",), metrics_port),
        programs.build_environ(environ),
        state / "logs",
    )
    programs.wait_until_ready(started)
    return port, started


def _measure(site: Site, port: int, count: int, dice: random.Random) -> list[Comparison]:
    browser, page = Browser(port, f"{_SLUG}.{_BASE_DOMAIN}:{port}"), f"/i/{site.token}"
    token = browser.get_token("/sign-in")
    signing_in = [(_name("known", number), _name("other", number)) for number in range(count)]
    writing = [(_name("known", number), _name("other", number)) for number in range(count, 2 * count)]

    def run(name: str, ask: Callable[[str, str], Answer], pairs: list[tuple[str, str]]) -> Comparison:
        print(f"{len(pairs)} pairs: {name} …", flush=True)
        return compare(name, ask, pairs, warm_up=_WARM_UP, dice=dice)

    def request_code(address: str, client: str) -> Answer:
        return browser.post("/sign-in", {"form_token": token, "email": address}, client, status=200)

    def enter_code(address: str, client: str) -> Answer:
        fields = {"form_token": token, "email": address, "code": "000000"}
        return browser.post("/sign-in/code", fields, client, status=403)

    def request_links(address: str, client: str) -> Answer:
        return browser.post("/links", {"email": address}, client, status=200)

    compared = [run("code to sign in", request_code, signing_in)]
    # What a worker does meanwhile: a code for each known address, none for the others.
    asyncio.run(_make_codes(site))
    compared.append(run("wrong code", enter_code, signing_in))
    compared.append(run("fresh links", request_links, signing_in))
    token = browser.get_token(page)

    def write(address: str, client: str) -> Answer:
        fields = {
            "form_token": token,
            "client_id": str(new_id()),
            "name": "Ana",
            "email": address,
            "body": "When is it due?",
        }
        return browser.post(f"{page}/comments", fields, client, status=403)

    compared.append(run("code to write", write, writing))
    return compared


async def _make_codes(site: Site) -> None:
    database = await Database.open(site.urls.app, size=1, name="bench", actor=identify_operator())
    try:
        async with database.scope(site.workspace_id):
            pending = await fetch(_PENDING, site.workspace_id)
            made = [await make_code(CodeId(row["code_id"]), _SEALER) for row in pending]
    finally:
        await database.close()
    if sum(each is not None for each in made) * 2 != len(made):
        message = "The worker's part made no code for one of two addresses."
        raise RuntimeError(message)


def _print_table(compared: Sequence[Comparison]) -> None:
    print(f"\n{'request':<16} {'known ms':>9} {'unknown ms':>11} {'p90 ms':>8} {'p90 ms':>8}")
    for each in compared:
        middle = [statistics.median(times) * 1000 for times in (each.known, each.unknown)]
        slow = [statistics.quantiles(times, n=10)[8] * 1000 for times in (each.known, each.unknown)]
        print(f"{each.name:<16} {middle[0]:>9.2f} {middle[1]:>11.2f} {slow[0]:>8.2f} {slow[1]:>8.2f}")
        if each.example:
            print(f"An answer that differs:\n{each.example}")
    print()


def _build_rows(compared: Comparison) -> list[Row]:
    return [
        Row(f"{compared.name}: medians", compared.ratio, TARGET, at_most=True),
        Row(f"{compared.name}: answers that differ", float(compared.differences), 0.0, at_most=True),
    ]


if __name__ == "__main__":
    sys.exit(main())
