"""Who looked is kept for a moment and written many at once; the page never waits for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.ids import InvoiceId, LinkId, new_id
from kernel.store import Database, fetch
from kernel.telemetry.metrics import Metrics
from tenants.invoices.values import ActorClass
from web.http.context import Visit
from web.portal.view_recorder import Looks, actor_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def payloads(database: Database, tenant: Any) -> list[dict[str, Any]]:
    """The looks that wait to be logged for a tenant."""
    async with database.scope(tenant.profile.workspace_id, read_only=True):
        rows = await fetch("SELECT payload, request_id FROM job WHERE kind = 'invoices.record_view'")
    return [json.loads(row["payload"]) | {"request": row["request_id"]} for row in rows]


async def test_a_look_at_the_page_becomes_a_job_with_the_network_only(
    portal: Any, acme: Any, database: Database
) -> None:
    visitor = portal.visitor()
    page = await visitor.ask(acme.path, acme.host, of="203.0.113.77", user_agent=FIREFOX)
    assert page.status_code == 200
    await portal.gateway.house.looks.write()
    (look,) = await payloads(database, acme)
    assert look.pop("viewed_at").startswith("20")
    assert look == {
        "invoice_id": str(acme.invoice_id),
        "link_id": str(acme.link_id),
        "actor": "human",
        "network": "203.0.113.0/24",
        "user_agent": FIREFOX,
        "request": page.headers["x-request-id"],
    }
    assert portal.count("portal_views_total", result="written") == 1


async def test_it_is_written_within_a_second_without_being_told(
    portal: Any, visitor: Any, acme: Any, database: Database
) -> None:
    for _ in range(3):
        await visitor.ask(acme.path, acme.host)
    assert await payloads(database, acme) == []
    async with asyncio.timeout(5):
        while portal.count("portal_views_total", result="written") < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(await payloads(database, acme)) == 3


async def test_what_is_no_look_is_not_logged(
    portal: Any, visitor: Any, acme: Any, database: Database
) -> None:
    await visitor.ask(acme.path, acme.host, method="HEAD")
    await visitor.ask(f"{acme.path}/invoice.json", acme.host)
    assert (await visitor.ask(acme.path[:-1] + "x", acme.host)).status_code == 404
    await portal.gateway.house.looks.close()
    assert await payloads(database, acme) == []


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
def test_headers_tell_who_looks(headers: dict[str, str], actor: ActorClass) -> None:
    assert actor_of({name.encode(): value.encode() for name, value in headers.items()}) is actor


class Looker:
    """Looks without a gateway around them."""

    def __init__(self, tenant: Any, database: Database, **bounds: Any) -> None:
        self.metrics = Metrics()
        self.looks = Looks(database, SystemClock(), self.metrics, **bounds)
        self.tenant = tenant

    def look(self, times: int = 1) -> None:
        opened: Any = type("Opened", (), {"invoice_id": InvoiceId(new_id()), "link_id": LinkId(new_id())})()
        host: Any = type("Host", (), {"workspace": self.tenant.profile})()
        for _ in range(times):
            visit = Visit("r" * 22, {b"user-agent": b"a\xffb\x00c"}, "unknown", is_head=False, host=host)
            self.looks.note(visit, opened)

    def count(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("portal_views_total", {"result": result}) or 0


async def test_looks_are_held_while_postgres_is_away_and_the_surplus_is_counted(
    acme: Any, settings: Any, database: Database
) -> None:
    away = await Database.open(settings.database_url, size=1)
    await away.close()
    looker = Looker(acme, away, pause_s=0.01, most=3)
    looker.look(5)
    await asyncio.sleep(0.1)
    assert (looker.count("written"), looker.count("dropped")) == (0, 2)
    looker.looks._database = database
    await looker.looks.close()
    assert (looker.count("written"), looker.count("dropped")) == (3, 2)
    seen = await payloads(database, acme)
    assert [(look["network"], look["user_agent"]) for look in seen] == [(None, "aÿbc")] * 3


async def test_closing_writes_what_is_held_and_a_thousand_looks_are_few_statements(
    acme: Any, database: Database
) -> None:
    looker = Looker(acme, database, pause_s=60)
    looker.look(1000)
    async with asyncio.timeout(10):
        await looker.looks.close()
    assert looker.count("written") == 1000
    assert len(await payloads(database, acme)) == 1000
