"""Who viewed a page is buffered and written in batches; the page never waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.store import Database, fetch
from kernel.telemetry.metrics import Metrics
from tenants.ids import InvoiceId
from tenants.invoices.values import ActorClass
from web.portal.view_recorder import ViewRecorder, is_scanner

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def views_of(database: Database, tenant: Any) -> list[dict[str, Any]]:
    """The view log of a tenant."""
    async with database.scope(tenant.profile.workspace_id, read_only=True):
        rows = await fetch("SELECT * FROM invoice_view")
    return [dict(row) for row in rows]


async def test_a_view_of_the_page_is_written_with_the_network_only(
    portal: Any, acme: Any, database: Database
) -> None:
    visitor = portal.visitor()
    page = await visitor.ask(acme.path, acme.host, of="203.0.113.77", user_agent=FIREFOX)
    assert page.status_code == 200
    await portal.dependency("pages")._views.flush()
    (view,) = await views_of(database, acme)
    assert view.pop("viewed_at").year >= 2000
    assert view.pop("view_id").version == 4
    assert view == {
        "workspace_id": acme.profile.workspace_id,
        "invoice_id": acme.invoice_id,
        "link_id": acme.link_id,
        "actor": "human",
        "address_prefix": ip_network("203.0.113.0/24"),
        "user_agent": FIREFOX,
        "request_id": page.headers["x-request-id"],
    }
    assert portal.count("portal_views_total", result="written") == 1


async def test_no_job_is_made_of_a_view(portal: Any, visitor: Any, acme: Any, database: Database) -> None:
    async with database.scope(acme.profile.workspace_id, read_only=True):
        before = await fetch("SELECT * FROM job")
    await visitor.ask(acme.path, acme.host)
    await portal.dependency("pages")._views.flush()
    async with database.scope(acme.profile.workspace_id, read_only=True):
        assert await fetch("SELECT * FROM job") == before


async def test_it_is_written_within_a_second_without_being_told(
    portal: Any, visitor: Any, acme: Any, database: Database
) -> None:
    for _ in range(3):
        await visitor.ask(acme.path, acme.host)
    assert await views_of(database, acme) == []
    async with asyncio.timeout(5):
        while portal.count("portal_views_total", result="written") < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(await views_of(database, acme)) == 3


async def test_what_is_no_view_is_not_logged(
    portal: Any, visitor: Any, acme: Any, database: Database
) -> None:
    await visitor.ask(acme.path, acme.host, method="HEAD")
    await visitor.ask(f"{acme.path}/invoice.json", acme.host)
    # The script of a page that is open brings it up to date.
    await visitor.ask(acme.path, acme.host, x_portal_refresh="1")
    assert (await visitor.ask(acme.path[:-1] + "x", acme.host)).status_code == 404
    await portal.dependency("pages")._views.close()
    assert await views_of(database, acme) == []


@pytest.mark.parametrize(
    ("headers", "actor"),
    [
        ({"user-agent": FIREFOX}, ActorClass.HUMAN),
        ({"user-agent": FIREFOX, "sec-purpose": "prefetch;prerender"}, ActorClass.PREFETCH),
        ({"user-agent": FIREFOX, "purpose": "prefetch"}, ActorClass.PREFETCH),
        ({"user-agent": FIREFOX, "x-purpose": "preview"}, ActorClass.PREFETCH),
        ({"user-agent": "Slackbot-LinkExpanding 1.0"}, ActorClass.SCANNER),
        ({"user-agent": "WhatsApp/2.23.20.0"}, ActorClass.SCANNER),
        ({"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, ActorClass.SCANNER),
        ({"user-agent": "Mozilla/5.0 HeadlessChrome/156.0.0.0 Safari/537.36"}, ActorClass.SCANNER),
        ({"user-agent": "Microsoft Office Existence Discovery"}, ActorClass.SCANNER),
        ({}, ActorClass.SCANNER),
        ({"user-agent": "Mozilla/5.0 (Windows) Cubot Note 20 Safari"}, ActorClass.HUMAN),
    ],
)
async def test_headers_tell_who_views(
    portal: Any, acme: Any, database: Database, headers: dict[str, str], actor: ActorClass
) -> None:
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    await portal.visitor().ask(acme.path, acme.host, **sent)
    await portal.dependency("pages")._views.flush()
    assert [view["actor"] for view in await views_of(database, acme)] == [actor]


@pytest.mark.parametrize(
    "user_agent",
    [
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; ms-office; MSOffice 16)",
        "Barracuda Sentinel (EE)",
        "Proofpoint URL Defense",
        "Mimecast",
        "Mozilla/5.0 (compatible; Microsoft SafeLinks)",
        "quora link preview/1.0",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "Java/11.0.2",
        "curl/8.9",
        "Wget/1.21",
        "python-requests/2.31",
        "Go-http-client/1.1",
        "okhttp/4.9",
        "libwww-perl/6.5",
        "Apache-HttpClient/4.5",
        "axios/1.6",
        "node-fetch/1.0",
        "facebookexternalhit/1.1",
        "Google-Safety",
        "PhantomJS",
        "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
    ],
)
def test_scanners_of_mail_previews_of_links_and_http_clients_are_no_people(user_agent: str) -> None:
    assert is_scanner(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        FIREFOX,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 12; CUBOT P60) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36",
    ],
)
def test_browsers_are_people(user_agent: str) -> None:
    assert not is_scanner(user_agent)


def test_what_is_remembered_of_user_agents_is_bounded() -> None:
    assert is_scanner.cache_parameters()["maxsize"] == 1024


class Recording:
    """A recorder without a gateway around it."""

    def __init__(self, tenant: Any, database: Database, **bounds: Any) -> None:
        self.metrics = Metrics()
        self.recorder = ViewRecorder(database, SystemClock(), self.metrics, **bounds)
        self.tenant = tenant

    def record(self, times: int = 1, **fields: Any) -> None:
        opened: Any = self.tenant
        values: dict[str, Any] = {
            "address": "unknown",
            "user_agent": "a\xffb\x00c",
            "purpose_headers": (),
            "request_id": "r" * 22,
        }
        for _ in range(times):
            self.recorder.record(self.tenant.profile.workspace_id, opened, **(values | fields))

    def count(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("portal_views_total", {"result": result}) or 0


async def test_views_are_buffered_while_postgres_is_away_and_the_surplus_is_counted(
    acme: Any, settings: Any, database: Database
) -> None:
    away = await Database.open(settings.database_url, size=1)
    await away.close()
    recording = Recording(acme, away, flush_interval_s=0.01, capacity=3)
    recording.record(5)
    await asyncio.sleep(0.1)
    assert (recording.count("written"), recording.count("dropped")) == (0, 2)
    recording.recorder._database = database
    await recording.recorder.close()
    assert (recording.count("written"), recording.count("dropped")) == (3, 2)
    seen = await views_of(database, acme)
    assert [(view["address_prefix"], view["user_agent"]) for view in seen] == [(None, "aÿbc")] * 3


async def test_closing_writes_what_is_buffered_and_a_thousand_views_are_few_statements(
    acme: Any, settings: Any, database: Database
) -> None:
    alone = await Database.open(settings.database_url, size=1)
    recording = Recording(acme, alone, flush_interval_s=60)
    recording.record(1000)
    sent: list[str] = []
    connection: Any = await alone._pool.acquire()
    alone._pool.release(connection, reusable=True)
    with connection.query_logger(lambda record: sent.append(record.query)):
        async with asyncio.timeout(10):
            await recording.recorder.close()
        await asyncio.sleep(0)
    await alone.close()
    assert recording.count("written") == 1000
    assert len(await views_of(database, acme)) == 1000
    assert len([query for query in sent if "invoice_view" in query]) == 2


async def test_a_view_of_an_invoice_that_was_deleted_is_skipped_and_counted(
    acme: Any, database: Database
) -> None:
    recording = Recording(replace(acme, invoice_id=InvoiceId(new_id())), database)
    recording.record()
    recording.tenant = acme
    recording.record(2)
    await recording.recorder.close()
    assert [recording.count(result) for result in ("written", "skipped", "dropped")] == [2, 1, 0]
    assert len(await views_of(database, acme)) == 2


async def test_long_headers_are_cut_before_they_are_buffered(acme: Any, database: Database) -> None:
    recording = Recording(acme, database, flush_interval_s=60)
    recording.record(user_agent="x" * 30_000)
    ((pending,),) = recording.recorder._buffer.values()
    assert pending.user_agent == "x" * 500
    await recording.recorder.close()
