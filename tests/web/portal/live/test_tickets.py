"""Tickets for the hub, and where pages find it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kernel.clock import FixedClock
from kernel.errors import Denied
from kernel.live import TICKET_LIFE, Audience, Tickets
from tenants.comments.actions import post_comment
from tenants.invoices.actions import revoke_link
from tests.fakes.account_browser import AccountBrowser, AccountPeople
from tests.fakes.sample_threads import ANA
from tests.web.portal.live.conftest import CLOCK

HUBS = ("ws://{host}:8011", "ws://{host}:8012")


@pytest.fixture
def people(tenants: Any) -> AccountPeople:
    """Contacts, and the codes that are mailed to them."""
    return AccountPeople(tenants.database, tenants.sealer)


async def test_a_ticket_is_for_the_log_of_customers_and_pages_of_the_host(
    make_portal: Any, acme: Any, tenants: Any
) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await post_comment(acme.invoice_id, ANA, "Hello", client_id="client-of-a-ticket", clock=CLOCK)
    portal = make_portal(realtime_urls=HUBS, public_port=8000)
    answer = await portal.visitor().ask(f"{acme.path}/ticket", acme.host)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "set-cookie" not in answer.headers
    told = answer.json()
    assert told["urls"] == [f"ws://{acme.host}:{port}/realtime" for port in (8011, 8012)]
    assert (told["invoice"], told["head"]) == (str(acme.invoice_id), 1)
    page = (await portal.visitor().ask(acme.path, acme.host)).text
    assert f'data-epoch="{told["epoch"]}" data-seq="1"' in page
    ticket = Tickets(tenants.sealer, CLOCK).read(told["ticket"])
    assert (ticket.workspace_id, ticket.stream_id) == (acme.profile.workspace_id, acme.invoice_id)
    assert (ticket.audience, ticket.viewers) == (Audience.PUBLIC, frozenset({acme.link_id}))
    assert ticket.origin == f"http://{acme.host}:8000"


async def test_a_ticket_ends_after_five_minutes_and_is_renewed_before(
    make_portal: Any, acme: Any, tenants: Any, clock: FixedClock
) -> None:
    visitor = make_portal(clock=clock).visitor()
    told = [(await visitor.ask(f"{acme.path}/ticket", acme.host)).json() for _ in range(20)]
    life_s = TICKET_LIFE.total_seconds()
    renewals = {each["renew_after_s"] for each in told}
    assert len(renewals) > 1
    assert all(0.6 * life_s <= each <= 0.9 * life_s for each in renewals)
    clock.advance(TICKET_LIFE)
    with pytest.raises(Denied, match=re.escape("ticket.expired")):
        Tickets(tenants.sealer, clock).read(told[0]["ticket"])


async def test_without_a_link_the_ticket_is_of_the_session_and_of_the_contact(
    portal: Any, acme: Any, tenants: Any, people: AccountPeople
) -> None:
    await people.add(acme, "ana@kunde.example")
    browser = await people.sign_in(AccountBrowser(portal.visitor(), acme.host), acme, "ana@kunde.example")
    own = await browser.open(f"/i/{acme.invoice_id}/ticket")
    viewers = Tickets(tenants.sealer, CLOCK).read(own.json()["ticket"]).viewers
    assert len(viewers) == 2
    assert acme.link_id not in viewers
    # Who signs out keeps what the link opens.
    by_link = await browser.open(f"{acme.path}/ticket")
    assert Tickets(tenants.sealer, CLOCK).read(by_link.json()["ticket"]).viewers == {acme.link_id}


async def test_a_page_may_connect_to_the_hubs_of_its_own_host_and_to_nothing_else(
    make_portal: Any, acme: Any
) -> None:
    visitor = make_portal(realtime_urls=HUBS).visitor()

    async def read_sources(path: str) -> str:
        policy: str = (await visitor.ask(path, acme.host)).headers["content-security-policy"]
        return policy.partition("connect-src ")[2].partition(";")[0]

    assert await read_sources(acme.path) == f"'self' ws://{acme.host}:8011 ws://{acme.host}:8012"
    # Pages that follow nothing.
    assert await read_sources("/sign-in") == "'self'"


async def test_a_page_names_its_routes(visitor: Any, acme: Any) -> None:
    page = (await visitor.ask(acme.path, acme.host)).text
    assert f'data-events="{acme.path}/events" data-ticket="{acme.path}/ticket"' in page


async def test_a_head_of_a_ticket_has_no_body(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask(f"{acme.path}/ticket", acme.host, method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"


async def test_the_ticket_of_a_revoked_link_is_the_miss(tenants: Any, portal: Any, acme: Any) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await revoke_link(acme.link_id, clock=CLOCK)
    answer = await portal.visitor().ask(f"{acme.path}/ticket", acme.host)
    assert (answer.status_code, answer.json()["code"]) == (404, "http.not_found")
