"""Who waits for events without a link: signed in, until the session ends or the contact is removed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from kernel.store import fetch_value
from tenants.customers.actions import remove_contact
from tenants.ids import ContactId
from tests.fakes.account_browser import AccountBrowser, AccountPeople
from tests.web.portal.live.conftest import Scene

ANA = "ana@kunde.example"


@pytest.fixture
async def browser(scene: Scene, tenants: Any) -> AccountBrowser:
    """Ana, who is a contact of the customer and has signed in."""
    people = AccountPeople(tenants.database, tenants.sealer)
    await people.add(scene.tenant, ANA)
    return await people.sign_in(AccountBrowser(scene.visitor, scene.tenant.host), scene.tenant, ANA)


async def park(scene: Scene, browser: AccountBrowser, path: str) -> asyncio.Task[httpx.Response]:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return await scene.park(await scene.load_cursor(), path=f"{path}/events", cookie=cookie)


async def test_who_signs_out_waits_on_only_where_the_link_lets_them(
    scene: Scene, browser: AccountBrowser
) -> None:
    own = await park(scene, browser, f"/i/{scene.tenant.invoice_id}")
    by_link = await park(scene, browser, scene.tenant.path)
    await browser.open("/")
    await browser.send("/sign-out")
    assert (await own).status_code == 404
    assert not by_link.done()
    await scene.write()
    assert (await by_link).status_code == 200


async def test_who_is_no_contact_any_more_does_not_wait_on(scene: Scene, browser: AccountBrowser) -> None:
    waiting = await park(scene, browser, f"/i/{scene.tenant.invoice_id}")
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        await remove_contact(
            ContactId(await fetch_value("SELECT contact_id FROM contact WHERE email = $1", ANA))
        )
    assert (await waiting).status_code == 404


async def test_who_has_not_signed_in_gets_the_miss_of_any_other_invoice(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    answers = [
        await scene.poll(cursor, path=f"/i/{each}/events")
        for each in (scene.tenant.invoice_id, scene.tenant.link_id)
    ]
    assert {each.status_code for each in answers} == {404}
    assert answers[0].content == answers[1].content
