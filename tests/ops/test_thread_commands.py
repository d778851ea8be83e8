"""portal thread, and the settings of who may write comments: the staff's side until the console exists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, fetch_value
from kernel.store.roles import Urls
from ops.cli import portal
from tenants.ids import InvoiceId
from tests.fakes.sample_threads import ANA, load, write
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace
from tests.fakes.xss_vectors import VECTORS

NUMBER = "INV-00001"
Portal = Callable[..., Awaitable[Result]]


@pytest.fixture
async def acme(database: Database, settings: Settings) -> SampleWorkspace:
    return await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())


@pytest.fixture
async def invoice_id(acme: SampleWorkspace) -> InvoiceId:
    return await acme.issue_invoice()


@pytest.fixture
def run_portal(urls: Urls, redis_url: str, acme: SampleWorkspace) -> Portal:
    """Run a command on the workspace against this worker's database."""
    environ = {"PORTAL_PROFILE": "test", "PORTAL_DATABASE_URL": urls.app, "PORTAL_REDIS_URL": redis_url}

    async def invoke(*words: str, stdin: str | None = None) -> Result:
        arguments = [*words, "--workspace", acme.slug]
        return await asyncio.to_thread(CliRunner().invoke, portal, arguments, env=environ, input=stdin)

    return invoke


async def run_json(run_portal: Portal, *words: str, stdin: str | None = None) -> Any:
    result = await run_portal(*words, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_staff_reads_answers_notes_and_resolves(
    run_portal: Portal, acme: SampleWorkspace, invoice_id: InvoiceId
) -> None:
    assert (await run_portal("thread", "list")).stdout == "There is no such thread.\n"
    assert (await run_portal("thread", "show", NUMBER)).stdout == "There are no comments on this invoice.\n"
    await write(acme, invoice_id, ANA, "Is this right?")
    (unread,) = await run_json(run_portal, "thread", "list", "--unread")
    assert (unread["number"], unread["comments"], unread["unread"]) == (NUMBER, 1, 1)
    await run_json(run_portal, "thread", "show", NUMBER, "--keep-unread")
    assert (await load(acme, invoice_id)).staff_seen_seq == 0
    shown = await run_portal("thread", "show", NUMBER)
    assert "Ana Silva <ana@buyer.example>  customer  proven: link" in shown.stdout
    assert "\n    Is this right?\n" in shown.stdout
    assert await run_json(run_portal, "thread", "list", "--unread") == []
    reply = await run_json(run_portal, "thread", "reply", NUMBER, "It is.", "--staff", "Jo Berg")
    assert (reply["side"], reply["author_name"], reply["body"], reply["is_new"]) == (
        "staff",
        "Jo Berg",
        "It is.",
        True,
    )
    note = await run_json(
        run_portal, "thread", "note", NUMBER, "-", "--staff", "Jo Berg", stdin="Two\nlines\n"
    )
    assert (note["is_internal"], note["public_seq"], note["body"]) == (True, None, "Two\nlines")
    assert (await run_portal("thread", "resolve", NUMBER, "--staff", "Jo")).stdout == "Resolved.\n"
    view = await load(acme, invoice_id)
    assert [each.body for each in view.comments] == ["Is this right?", "It is."]
    assert view.resolved_at is not None
    shown = await run_portal("thread", "show", NUMBER)
    assert "Jo Berg  internal note" in shown.stdout
    assert "Resolved at" in shown.stdout
    await run_portal("thread", "resolve", NUMBER, "--reopen", "--staff", "Jo")
    assert (await load(acme, invoice_id)).resolved_at is None


async def test_a_comment_is_deleted_and_that_is_shown(
    run_portal: Portal, acme: SampleWorkspace, invoice_id: InvoiceId
) -> None:
    comment = await write(acme, invoice_id, ANA, "Unkind words")
    deleted = await run_portal("thread", "delete", NUMBER, str(comment.comment_id), "--staff", "Jo")
    assert deleted.stdout == "Deleted.\n"
    shown = await run_portal("thread", "show", NUMBER)
    assert "(deleted by the staff)" in shown.stdout
    assert "Unkind" not in shown.stdout


async def test_a_command_that_is_repeated_with_its_id_writes_once(
    run_portal: Portal, acme: SampleWorkspace, invoice_id: InvoiceId
) -> None:
    words = ("thread", "reply", NUMBER, "Once", "--staff", "Jo", "--client-id", "repeat-me-42")
    answers = [await run_json(run_portal, *words) for _ in range(2)]
    assert [answer["is_new"] for answer in answers] == [True, False]
    assert len((await load(acme, invoice_id)).comments) == 1


async def test_the_log_names_the_operator_and_for_whom_they_acted(
    run_portal: Portal, acme: SampleWorkspace, invoice_id: InvoiceId, svc: Database
) -> None:
    await run_portal("thread", "reply", NUMBER, "Hello", "--staff", "Jo Berg")
    async with svc.scope(acme.workspace_id, read_only=True):
        event = "event_draft WHERE workspace_id = $1 AND kind = 'comment.posted'"
        name = await fetch_value(f"SELECT context ->> 'name' FROM {event}", acme.workspace_id)  # noqa: S608
        kind = await fetch_value(f"SELECT actor_kind FROM {event}", acme.workspace_id)  # noqa: S608
    assert (kind, name) == ("operator", "Jo Berg")


async def test_no_text_of_a_customer_reaches_the_terminal_as_anything_but_indented_text(
    run_portal: Portal, acme: SampleWorkspace, invoice_id: InvoiceId
) -> None:
    body = "Hello\n2026-01-01 10:00 UTC  Jo  staff\n\n    pay\x1b[2J\u202e elsewhere\x07\n" + "\n".join(
        VECTORS
    )
    await write(acme, invoice_id, ANA, body[:4000])
    shown = await run_portal("thread", "show", NUMBER)
    head, *lines = shown.stdout.rstrip("\n").split("\n")
    assert "Ana Silva" in head
    assert all(line.startswith("    ") for line in lines)
    assert shown.stdout.replace("\n", "").isprintable()


async def test_an_invoice_that_is_not_there_is_said(run_portal: Portal) -> None:
    result = await run_portal("thread", "show", "INV-99999")
    assert (result.exit_code, "[invoice.not_found]" in result.stderr) == (1, True)


async def test_who_may_write_is_set_for_all_for_a_customer_and_for_an_invoice(
    run_portal: Portal, acme: SampleWorkspace
) -> None:
    customer_id = await acme.create_customer()
    await acme.issue_invoice(customer_id)
    totp = ("--write-mode", "otp", "--write-totp")
    of_invoice = ("invoice", "set", NUMBER)
    of_customer = ("customer", "set", str(customer_id))
    keys = ("write_mode", "write_totp", "otp_policy")

    async def change(*words: str) -> list[object]:
        changed = await run_json(run_portal, *words)
        return [changed[key] for key in keys]

    assert await change(*of_invoice) == ["link", False, "any"]
    assert await change(*of_customer, "--write-mode", "closed") == ["closed", False, "any"]
    assert await change(*of_invoice) == ["closed", False, "any"]
    assert await change(*of_invoice, *totp) == ["otp", True, "contacts"]
    assert await change(*of_invoice, "--no-write-totp") == ["otp", False, "contacts"]
    assert await change(*of_invoice, "--otp-policy", "any") == ["otp", False, "any"]
    assert await change(*of_invoice, "--write-totp") == ["otp", True, "contacts"]
    assert await change(*of_invoice, "--write-mode", "link") == ["link", False, "any"]
    assert await change(*of_invoice, "--inherit-writing") == ["closed", False, "any"]
    assert await change(*of_customer, "--inherit-writing") == ["link", False, "any"]
    both = await run_portal(*of_invoice, *totp, "--inherit-writing")
    assert both.exit_code == 2
    refused = await run_portal(*of_invoice, "--write-mode", "link", "--write-totp")
    assert (refused.exit_code, "[write_authority.totp]" in refused.stderr) == (1, True)
