"""portal invoice send, and where a workspace is told of new comments."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner, Result

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, fetch
from kernel.store.roles import Urls
from ops.cli import portal
from tenants.customers.actions import add_contact
from tests.fakes.sample_workspaces import create_sample_workspace


async def test_an_invoice_is_sent_to_a_contact_and_answers_go_to_the_workspace(
    database: Database, settings: Settings, urls: Urls, redis_url: str
) -> None:
    environ = {"PORTAL_PROFILE": "test", "PORTAL_DATABASE_URL": urls.app, "PORTAL_REDIS_URL": redis_url}

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, portal, words, env=environ)

    acme = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    customer_id = await acme.create_customer()
    await acme.issue_invoice(customer_id)
    async with database.scope(acme.workspace_id):
        ana = await add_contact(customer_id, email="ana@buyer.example", clock=SystemClock())
    shown = await run("workspace", "set", acme.slug, "--email", "Billing@Acme.example", "--json")
    assert json.loads(shown.stdout)["email"] == "billing@acme.example"
    send = ("invoice", "send", "INV-00001", "--workspace", acme.slug, "--contact")
    nobody = await run(*send, "nobody@buyer.example")
    assert (nobody.exit_code, "[contact.not_found]" in nobody.stderr) == (1, True)
    sent = await run(*send, "Ana@buyer.example", "--json")
    link = json.loads(sent.stdout)
    assert link["contact_id"] == str(ana.contact_id)
    async with database.scope(acme.workspace_id):
        rows = await fetch(
            "SELECT payload ->> 'link_id' AS link_id FROM job WHERE kind = 'invoices.send_invoice'"
        )
    assert [row["link_id"] for row in rows] == [link["link_id"]]
    cleared = await run("workspace", "set", acme.slug, "--email", "", "--json")
    assert json.loads(cleared.stdout)["email"] == ""
