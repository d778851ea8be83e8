"""Two workspaces: nothing of one is reached through the other, by any route, with any id, by any mistake."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from litestar import MediaType, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.clock import SystemClock
from kernel.errors import Missing
from kernel.ids import new_id, new_nonce, new_token
from kernel.jobs import enqueue
from kernel.store import Database, execute, fetch, fetch_one
from kernel.store.policies import APP_POLICY
from tenants import schema
from tenants.comments.actions import mute_thread, post_comment
from tenants.customers.actions import add_contact
from tenants.invoices.actions import record_views, request_fresh_links
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.values import ActorClass, View
from tenants.workspaces.jobs import PurgeReleasedDomains
from tests.conftest import OPERATOR
from tests.fakes.sample_threads import ANA
from web.http.context import GatewayRequest
from web.http.unknown_host import PAGE as UNKNOWN_HOST_PAGE
from web.portal.account.routes import FORMS, FORMS_WITHOUT_TOKEN, PAGES

CLOCK = SystemClock()
# The sessions of visitors: tests/tenants/access tries these; payments and accounts: tests/tenants/payments and connect.
WITHOUT_ROWS = {
    "authenticator",
    "fresh_link_request",
    "ledger_entry",
    "one_time_code",
    "payment_attempt",
    "payment_dispute",
    "payment_refund",
    "recovery_code",
    "session",
    "stripe_connection",
    "stripe_inbox",
    "stripe_onboarding",
    "stripe_payment_domain",
}
COMMENT: Final[dict[str, Any]] = {
    "client_id": "client-of-isolation",
    "name": "Ana",
    "email": "ana@kunde.example",
    "body": "Hello",
}
# What a session opens, not a link: tests/web/portal/account/test_isolation.py tries these.
ACCOUNT_PATHS: Final = {path for handler in (*PAGES, *FORMS, *FORMS_WITHOUT_TOKEN) for path in handler.paths}
# The headers that differ from one request to the next and say nothing about what was asked.
PASSING: Final = {"x-request-id", "date"}


@route("/forgetful/{invoice_id:uuid}", http_method=["GET", "HEAD"])
async def forgetful(
    request: GatewayRequest, invoice_id: FromPath[UUID], invoice_data: NamedDependency[Any]
) -> Response[str]:
    """A route as it must never be written: it forgets which workspace it serves.

    Every query of the product names its workspace, so that behind those the policies are never what decides.
    Behind this one they are all there is.
    """
    async with invoice_data._database.scope(request.context.workspace.workspace_id, read_only=True):
        row = await fetch_one("SELECT number FROM invoice WHERE invoice_id = $1", invoice_id)
    if row is None:
        raise Missing("invoice.not_found", "There is no such invoice.")
    return Response(str(row["number"]), media_type=MediaType.TEXT)


@dataclass(frozen=True, slots=True)
class Attempt:
    """For one route: a path that is the other's, one that is nobody's, and one that is one's own."""

    foreign: str
    nobodys: str
    own: str
    form: dict[str, str] | None = None
    """What is posted; None: the route is read."""
    action: str = "language"
    """The form of one's own page whose token is sent."""
    expected: int = 303
    """The status of a post to one's own path."""

    async def make(self, visitor: Any, path: str, host: str, own: Known, method: str) -> Any:
        """Ask for a path on a host; forms are sent with the token and the cookie of one's own page."""
        if self.form is None:
            return await visitor.ask(path, host, method=method)
        form = await visitor.open_form(own.path, own.host, f"{own.path}/{self.action}")
        return await visitor.send_form(path, host, form, **self.form)


def attempts(own: Any, foreign: Any) -> dict[str, Attempt | None]:
    """What to try on each route. None: it shows nothing of any workspace, only of this release."""

    def logo(tenant: Any) -> str:
        return str(tenant.logo)

    def thread(route: str, expected: int = 303, **form: str) -> Attempt:
        foreigns, nobodys, mine = (
            f"{each}/{route}" for each in (foreign.path, f"/i/{new_token()}", own.path)
        )
        return Attempt(foreigns, nobodys, mine, form=form, action="comments", expected=expected)

    def comment(deed: str) -> Attempt:
        """A comment exists that another browser wrote: that is another answer than for what does not exist."""
        foreigns, nobodys, mine = (
            f"{own.path}/comments/{each}/{deed}" for each in (foreign.comment_id, new_id(), own.comment_id)
        )
        return Attempt(foreigns, nobodys, mine, form={"body": "x"}, action="comments", expected=403)

    def events(path: str) -> str:
        return f"{path}/events?since=0&epoch={own.epoch}&wait=0"

    return {
        "/i/{token:str}/events": Attempt(events(foreign.path), events(f"/i/{new_token()}"), events(own.path)),
        "/i/{token:str}/ticket": Attempt(
            f"{foreign.path}/ticket", f"/i/{new_token()}/ticket", f"{own.path}/ticket"
        ),
        "/i/{token:str}/thread": Attempt(
            f"{foreign.path}/thread", f"/i/{new_token()}/thread", f"{own.path}/thread"
        ),
        "/i/{token:str}/comments": thread("comments", **COMMENT),
        "/i/{token:str}/comments/{comment_id:uuid}/edit": comment("edit"),
        "/i/{token:str}/comments/{comment_id:uuid}/delete": comment("delete"),
        "/i/{token:str}/seen": thread("seen", 204, seq="1"),
        "/i/{token:str}/forget": thread("forget"),
        "/i/{token:str}": Attempt(foreign.path, f"/i/{new_token()}", own.path),
        "/i/{token:str}/invoice.json": Attempt(
            f"{foreign.path}/invoice.json", f"/i/{new_token()}/invoice.json", f"{own.path}/invoice.json"
        ),
        "/i/{token:str}/invoice.pdf": Attempt(
            f"{foreign.path}/invoice.pdf", f"/i/{new_token()}/invoice.pdf", f"{own.path}/invoice.pdf"
        ),
        "/i/{token:str}/language": Attempt(
            f"{foreign.path}/language",
            f"/i/{new_token()}/language",
            f"{own.path}/language",
            form={"language": "de"},
        ),
        "/brand/{name:str}": Attempt(logo(foreign), f"/brand/{'0' * 64}.png", logo(own)),
        "/forgetful/{invoice_id:uuid}": Attempt(
            f"/forgetful/{foreign.invoice_id}", f"/forgetful/{new_id()}", f"/forgetful/{own.invoice_id}"
        ),
        "/assets/{name:str}": None,
        "/robots.txt": None,
    }


@dataclass(frozen=True, slots=True)
class Known:
    """A tenant, the path of its logo, the epoch of its stream and the id of its first comment, if it has one."""

    tenant: Any
    logo: str
    epoch: str
    comment_id: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tenant, name)


async def known(visitor: Any, tenant: Any) -> Known:
    page = await visitor.ask(tenant.path, tenant.host)
    found = re.search(r"/brand/[0-9a-f]{64}\.png", page.text)
    assert found is not None
    epoch = re.search(r'data-epoch="([^"]+)"', page.text)
    assert epoch is not None
    comment = re.search(r'data-comment="([^"]+)"', page.text)
    return Known(tenant, found[0], epoch[1], "" if comment is None else comment[1])


def fingerprint(answer: Any) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    """Everything of an answer that could tell one cause of a miss from another."""
    headers = tuple(sorted((k, v) for k, v in answer.headers.items() if k not in PASSING))
    return answer.status_code, answer.content, headers


async def fill(tenants: Any, tenant: Any) -> None:
    """Give a tenant rows in the tables that its invoice alone leaves empty."""
    async with tenants.database.scope(tenant.profile.workspace_id):
        await add_contact(tenant.customer_id, email="a@kunde.example", clock=CLOCK)
        await record_views(
            [
                View(
                    view_id=new_id(),
                    invoice_id=tenant.invoice_id,
                    link_id=tenant.link_id,
                    actor=ActorClass.HUMAN,
                    viewed_at=CLOCK.now(),
                    address=None,
                    user_agent="",
                    request_id="",
                )
            ]
        )
        await enqueue(PurgeReleasedDomains())
        await request_fresh_links("a@kunde.example")
        await post_comment(tenant.invoice_id, ANA, "Hello", client_id=new_nonce(), clock=CLOCK)
        await mute_thread(tenant.invoice_id, ANA.email)
        await store_pdf(
            tenant.invoice_id, 1, "en-US", bytes(32), b"%PDF-", is_pinned=False, created_at=CLOCK.now()
        )


async def leaks(portal: Any, tenants: Any, add_pdf: Any) -> list[str]:
    """Try everything of one workspace on the other's host and everywhere else; name what got through."""
    ours, theirs = await tenants.make(logo=True), await tenants.make(logo=True, name="Bolt Ltd")
    for tenant in (ours, theirs):
        await fill(tenants, tenant)
        await add_pdf(tenant, over=tenants.database)
    fresh = portal.visitor
    own, foreign = await known(fresh(), ours), await known(fresh(), theirs)
    found: list[str] = []
    table = attempts(own, foreign)
    for each in portal.gateway.surfaces["portal"].app.routes:
        if each.path in ACCOUNT_PATHS:
            continue
        attempt = table[each.path]
        if attempt is None:
            continue
        for method in ("GET", "HEAD") if attempt.form is None else ("POST",):
            # A visitor for each request: nobody is limited, and nothing is remembered of the one before.
            shown = await attempt.make(fresh(), attempt.own, own.host, own, method)
            assert shown.status_code == (200 if attempt.form is None else attempt.expected), attempt.own
            miss = await attempt.make(fresh(), attempt.nobodys, own.host, own, method)
            assert miss.status_code == 404, attempt.nobodys
            tried = await attempt.make(fresh(), attempt.foreign, own.host, own, method)
            if fingerprint(tried) != fingerprint(miss):
                found.append(f"{method} {each.path}: a foreign id is answered {tried.status_code}")
        for host in ("nobody.localhost", "127.0.0.1"):
            stray = await attempt.make(fresh(), attempt.own, host, own, "GET")
            nowhere = await attempt.make(fresh(), attempt.nobodys, host, own, "GET")
            is_plain = (stray.status_code, stray.content) == (404, UNKNOWN_HOST_PAGE)
            if not is_plain or fingerprint(stray) != fingerprint(nowhere):
                found.append(f"{each.path}: answered {stray.status_code} on the host {host}")
    return found + await rows_that_leak(portal.gateway.services.database, own, foreign)


async def tables_of(database: Database) -> list[str]:
    """Name every table of tenants' rows, from the catalog."""
    async with database.unbound(read_only=True):
        tables = await fetch(
            """SELECT table_name AS name FROM information_schema.columns
               WHERE table_schema = 'public' AND column_name = 'workspace_id' ORDER BY 1"""
        )
    assert len(tables) >= 10
    return [table["name"] for table in tables]


async def rows_that_leak(database: Database, own: Known, foreign: Known) -> list[str]:
    """Read and write every table of tenants' rows without naming a workspace, as a careless query would."""
    found: list[str] = []
    mine, other = own.profile.workspace_id, foreign.profile.workspace_id
    for name in await tables_of(database):
        if other in await read_workspaces(database, mine, name):
            found.append(f"{name}: rows of another workspace are read")
        # Only names from the catalog are put into it.
        sql = f'UPDATE "{name}" SET workspace_id = workspace_id WHERE workspace_id = $1'  # noqa: S608
        if await changed(database, mine, sql, other):
            found.append(f"{name}: rows of another workspace are changed")
    return found


async def read_workspaces(database: Database, workspace_id: Any, table: str) -> set[Any]:
    """Return the workspaces whose rows of a table are read; none where the role may not read them at all."""
    try:
        async with database.scope(workspace_id, read_only=True):
            rows = await fetch(f'SELECT DISTINCT workspace_id FROM "{table}"')  # noqa: S608  -- from the catalog
    except asyncpg.InsufficientPrivilegeError:
        return set()
    return {row["workspace_id"] for row in rows}


class Undone(Exception):
    """Ends a unit of work without storing anything; says how many rows it would have changed."""


async def changed(database: Database, workspace_id: Any, sql: str, *args: object) -> int:
    """Run a statement that must find no row, undo it, and return how many it did find."""

    async def tried() -> None:
        async with database.scope(workspace_id):
            raise Undone(int((await execute(sql, *args)).rsplit(" ", 1)[1]))

    try:
        await tried()
    except Undone as undone:
        return int(undone.args[0])
    except asyncpg.InsufficientPrivilegeError:
        # The role may not write the table at all.
        return 0
    except asyncpg.RestrictViolationError:
        # A trigger that protects issued rows refused: it did find one.
        return 1
    raise AssertionError


async def test_every_route_has_its_attempt_and_a_new_one_without_fails_here(
    make_portal: Any, acme: Any
) -> None:
    portal = make_portal(extra_handlers=[forgetful])
    own = await known(portal.visitor(), acme)
    paths = {each.path for each in portal.gateway.surfaces["portal"].app.routes}
    assert paths == set(attempts(own, own)) | ACCOUNT_PATHS


async def test_nothing_of_one_workspace_is_reached_through_another(
    make_portal: Any, tenants: Any, add_pdf: Any
) -> None:
    assert await leaks(make_portal(extra_handlers=[forgetful]), tenants, add_pdf) == []


@pytest.mark.usefixtures("rendering_worker")
async def test_the_same_pdf_in_two_workspaces_is_two_blobs(
    portal: Any, tenants: Any, acme: Any, add_pdf: Any
) -> None:
    """Whoever knows a hash, or has a row that tells of it, still has only blobs of their own workspace."""
    bolt = await tenants.make(name="Bolt Ltd")
    data = await add_pdf(bolt)
    async with tenants.database.scope(acme.profile.workspace_id):
        await store_pdf(acme.invoice_id, 1, "en-US", bytes(32), data, is_pinned=True, created_at=CLOCK.now())
    portal.gateway.drain()
    visitor = portal.visitor()
    assert (await visitor.ask(f"{bolt.path}/invoice.pdf", bolt.host)).content == data
    assert (await visitor.ask(f"{acme.path}/invoice.pdf", acme.host)).status_code == 202


async def test_a_token_opens_on_each_host_of_its_workspace_and_on_no_other(
    make_portal: Any, tenants: Any, acme: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    visitor = make_portal().visitor()
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    assert (await visitor.ask(acme.path, bolt.host)).status_code == 404
    assert (await visitor.ask(bolt.path, bolt.host)).status_code == 200
    assert (await visitor.ask(bolt.path, acme.host)).status_code == 404


@pytest.fixture
async def permissive(scratch: Any, settings: Any) -> AsyncIterator[Database]:
    """A database of its own in which every policy says yes to everybody."""
    urls = await scratch(migrated=True)
    owner = await asyncpg.connect(urls.owner)
    tables = await owner.fetch("SELECT tablename FROM pg_policies WHERE policyname = $1", APP_POLICY)
    assert len(tables) >= 9
    for table in tables:
        await owner.execute(
            f'ALTER POLICY {APP_POLICY} ON "{table["tablename"]}" USING (true) WITH CHECK (true)'
        )
    await owner.close()
    database = await Database.open(urls.app, size=3, name="permissive", acquire_timeout_s=5, actor=OPERATOR)
    yield database
    await database.close()


async def test_with_permissive_policies_the_same_attempts_get_through(
    permissive: Database, make_portal: Any, tenants: Any, add_pdf: Any
) -> None:
    """The negative control: what the test above finds closed is held by the policies, and it would notice."""
    careless = type(tenants)(permissive, tenants.sealer)
    found = await leaks(make_portal(over=permissive, extra_handlers=[forgetful]), careless, add_pdf)
    assert "GET /forgetful/{invoice_id:uuid}: a foreign id is answered 200" in found
    # The log of events is written by the sequencer alone: tests/tenants/activity holds it apart.
    for table in set(await tables_of(permissive)) - set(schema.GRANTS) - WITHOUT_ROWS:
        assert {f"{table}: rows of another workspace are {done}" for done in ("read", "changed")} <= set(
            found
        )
    # The product's own routes name their workspace in each query, so they hold without the policies too.
    assert not [leak for leak in found if "/i/" in leak or "/brand/" in leak]
