"""Comments of whoever has the link: written, refused with the text kept, changed, deleted, forgotten."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.store import fetch, fetch_value
from tenants.comments.actions import post_comment
from tenants.comments.values import EDIT_WINDOW, Author, Side
from tenants.invoices.actions import revoke_link, set_write_authority, void
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tests.fakes.browsers import Browser
from tests.fakes.event_log import place_all

CLOCK = SystemClock()
CLIENT_ID = "3f0c2f5e-2a55-4a52-9d5c-0f3d6a1c9f10"


@pytest.fixture
def ana(portal: Any, acme: Any) -> Browser:
    """Somebody with the link to an invoice."""
    return Browser(portal.visitor(), acme.host)


async def write(
    browser: Browser, tenant: Any, body: str = "When is it due?", *, as_json: bool = False, **fields: Any
) -> Any:
    await browser.open(tenant.path)
    said: dict[str, Any] = {"name": "Ana Silva", "email": "ana@kunde.example", "body": body} | fields
    return await browser.send(f"{tenant.path}/comments", as_json=as_json, **said)


async def list_comments(tenants: Any, tenant: Any) -> list[Any]:
    async with tenants.database.scope(tenant.profile.workspace_id, read_only=True):
        return list(await fetch("SELECT * FROM comment ORDER BY staff_seq"))


async def answer_as_staff(tenants: Any, tenant: Any, body: str, *, is_internal: bool = False) -> None:
    async with tenants.database.scope(tenant.profile.workspace_id):
        await post_comment(
            tenant.invoice_id,
            Author(Side.STAFF, "Sam Staff"),
            body,
            client_id=f"staff-{len(body)}-{is_internal}",
            clock=CLOCK,
            is_internal=is_internal,
        )


async def test_a_comment_is_on_the_page_that_the_form_leads_to(ana: Browser, acme: Any) -> None:
    answer = await write(ana, acme)
    assert answer.status_code == 303
    path, _, fragment = answer.headers["location"].partition("#")
    page = await ana.open(path)
    assert f'id="{fragment}"' in page.text
    assert "When is it due?" in page.text
    assert "Ana Silva" in page.text
    assert "by link, not verified" in page.text
    assert "1 comment<" in page.text


async def test_the_browser_that_wrote_fills_in_the_next_form_and_no_other_does(
    portal: Any, ana: Browser, acme: Any
) -> None:
    await write(ana, acme)
    await ana.open(acme.path)
    form = ana.form(f"{acme.path}/comments")
    assert (form["name"], form["email"], form["body"]) == ("Ana Silva", "ana@kunde.example", "")
    bob = Browser(portal.visitor(), acme.host)
    await bob.open(acme.path)
    other = bob.form(f"{acme.path}/comments")
    assert (other["name"], other["email"]) == ("", "")
    assert other["client_id"] != form["client_id"]
    assert "ana@kunde.example" not in bob.page


async def test_a_comment_has_the_link_and_the_browser_but_no_name_in_its_event(
    ana: Browser, tenants: Any, acme: Any, svc: Any
) -> None:
    await write(ana, acme)
    (comment,) = await list_comments(tenants, acme)
    assert (comment["link_id"], comment["session_id"], comment["proofs"]) == (acme.link_id, None, ["link"])
    await place_all(svc)
    async with tenants.database.scope(acme.profile.workspace_id, read_only=True):
        actor = await fetch_value(
            "SELECT context::text || actor_kind || actor_id FROM event WHERE kind = 'comment.posted'"
        )
    assert f"link_holder{acme.link_id}" in actor
    assert "Ana" not in actor
    assert "ana@" not in actor


@pytest.mark.parametrize(
    ("fields", "field", "status"),
    [
        ({"body": " \n"}, "body", 400),
        ({"body": "x" * 4001}, "body", 400),
        ({"name": ""}, "name", 400),
        ({"email": "ana@"}, "email", 400),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_all_is_kept(
    ana: Browser, acme: Any, fields: dict[str, Any], field: str, status: int
) -> None:
    answer = await write(ana, acme, **fields)
    assert answer.status_code == status
    assert ana.text(f"comment-{field}-error") != ""
    kept = ana.form(f"{acme.path}/comments")
    sent = {"name": "Ana Silva", "email": "ana@kunde.example", "body": "When is it due?"} | fields
    assert {name: kept[name] for name in sent} == sent


async def test_the_same_post_sent_again_is_one_comment(ana: Browser, tenants: Any, acme: Any) -> None:
    await ana.open(acme.path)
    said: dict[str, Any] = {
        "name": "Ana",
        "email": "ana@kunde.example",
        "body": "Hello",
        "client_id": CLIENT_ID,
    }
    answers = await asyncio.gather(
        *(ana.send(f"{acme.path}/comments", as_json=True, **said) for _ in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.json()["comment_id"] for answer in answers}) == 1
    assert len(await list_comments(tenants, acme)) == 1


async def test_a_refused_form_keeps_the_text_and_the_next_one_is_taken(ana: Browser, acme: Any) -> None:
    answer = await write(ana, acme, form_token="AAAA")
    assert answer.status_code == 403
    assert "Your text is kept" in answer.text
    assert ana.form(f"{acme.path}/comments")["body"] == "When is it due?"
    again = await ana.send(f"{acme.path}/comments")
    assert again.status_code == 303


async def test_a_form_of_another_site_is_refused_and_keeps_the_text(
    ana: Browser, tenants: Any, acme: Any
) -> None:
    await ana.open(acme.path)
    said: dict[str, Any] = {"name": "Ana", "email": "ana@kunde.example", "body": "Hello"}
    answer = await ana.send(f"{acme.path}/comments", origin="http://evil.example", **said)
    assert answer.status_code == 403
    # The browser did not send its cookie with it: one in the answer would replace the visitor's session.
    cookies = ana.cookies.copy()
    ana.cookies.clear()
    answer = await ana.send(f"{acme.path}/comments", origin="http://evil.example", **said)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    ana.cookies.update(cookies)
    assert ana.form(f"{acme.path}/comments")["body"] == "Hello"
    assert await list_comments(tenants, acme) == []


async def test_a_script_is_told_what_is_wrong_and_gets_a_token_that_fits(ana: Browser, acme: Any) -> None:
    answer = await write(ana, acme, as_json=True, email="ana@", form_token="AAAA")
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert problem["code"] == "form.token"
    assert set(problem["errors"]) == {"form"}
    said: dict[str, Any] = {"name": "Ana", "body": "Hello", "form_token": problem["form_token"]}
    wrong = await ana.send(f"{acme.path}/comments", as_json=True, email="ana@", **said)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "email.invalid")
    assert wrong.json()["errors"] == {"email": wrong.json()["detail"]}
    right = await ana.send(f"{acme.path}/comments", as_json=True, email="ana@kunde.example", **said)
    assert right.status_code == 201
    assert right.json()["is_new"] is True


async def test_a_closed_thread_shows_its_comments_and_no_form(ana: Browser, tenants: Any, acme: Any) -> None:
    await ana.open(acme.path)
    said: dict[str, Any] = ana.form(f"{acme.path}/comments") | {"name": "Ana", "email": "ana@kunde.example"}
    async with tenants.database.scope(acme.profile.workspace_id):
        await set_write_authority(acme.invoice_id, WriteAuthority.create(WriteMode.CLOSED))
    late = await ana.send(f"{acme.path}/comments", as_json=True, **dict[str, Any](said, body="Too late"))
    assert (late.status_code, late.json()["code"]) == (403, "write.closed")
    kept = await ana.send(f"{acme.path}/comments", **dict[str, Any](said, body="Too late"))
    assert (kept.status_code, "Too late" in kept.text) == (403, True)
    await answer_as_staff(tenants, acme, "We have closed this.")
    page = await ana.open(acme.path)
    assert "Comments on this invoice are closed." in page.text
    assert "We have closed this." in page.text
    assert f'action="{acme.path}/comments"' not in page.text


async def test_a_void_invoice_still_takes_comments(ana: Browser, tenants: Any, acme: Any) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await void(acme.invoice_id, clock=CLOCK)
    assert (await write(ana, acme, "Why?")).status_code == 303


async def test_notes_of_the_staff_are_nowhere_and_leave_no_gap(ana: Browser, tenants: Any, acme: Any) -> None:
    await write(ana, acme, "First")
    await answer_as_staff(tenants, acme, "He never pays.", is_internal=True)
    await answer_as_staff(tenants, acme, "Second")
    page = await ana.open(acme.path)
    section = await ana.ask(f"{acme.path}/thread")
    for shown in (page.text, section.text):
        assert "He never pays." not in shown
        assert shown.index("First") < shown.index("Second")
        assert 'data-seq="2"' in shown
        assert 'data-seq="3"' not in shown


async def test_ones_own_comment_is_changed_within_five_minutes_only(
    make_portal: Any, tenants: Any, acme: Any
) -> None:
    clock = FixedClock(dt.datetime(2090, 6, 1, 12, tzinfo=dt.UTC))
    ana = Browser(make_portal(clock=clock).visitor(), acme.host)
    answer = await write(ana, acme, "Frist?")
    comment_id = answer.headers["location"].partition("#comment-")[2]
    edit = f"{acme.path}/comments/{comment_id}/edit"
    await ana.open(acme.path)
    assert ana.form(edit)["body"] == "Frist?"
    assert (await ana.send(edit, body="First?")).status_code == 303
    page = await ana.open(acme.path)
    assert "First?" in page.text
    assert "edited" in page.text
    empty = await ana.send(edit, body="")
    assert empty.status_code == 400
    assert ana.text(f"edit-{comment_id}-error") != ""
    await ana.open(acme.path)
    stale = ana.form(edit)
    clock.advance(EDIT_WINDOW)
    late = await ana.send(edit, body="Last?")
    assert late.status_code == 409
    assert ana.form(edit)["body"] == "Last?"
    page = await ana.open(acme.path)
    assert f'action="{edit}"' not in page.text
    assert stale["form_token"]


async def test_a_deleted_comment_leaves_a_tombstone(ana: Browser, portal: Any, acme: Any) -> None:
    answer = await write(ana, acme, "A secret")
    comment_id = answer.headers["location"].partition("#comment-")[2]
    await ana.open(acme.path)
    deleted = await ana.send(f"{acme.path}/comments/{comment_id}/delete")
    assert deleted.status_code == 303
    for browser in (ana, Browser(portal.visitor(), acme.host)):
        page = await browser.open(acme.path)
        assert "A secret" not in page.text
        assert "The author deleted this comment." in page.text
        assert f"/comments/{comment_id}/" not in page.text


async def test_nobody_changes_or_deletes_what_another_browser_wrote(
    portal: Any, ana: Browser, tenants: Any, acme: Any
) -> None:
    answer = await write(ana, acme, "Mine")
    comment_id = answer.headers["location"].partition("#comment-")[2]
    bob = Browser(portal.visitor(), acme.host)
    await bob.open(acme.path)
    for deed in ("edit", "delete"):
        path = f"{acme.path}/comments/{comment_id}/{deed}"
        assert path not in bob.page
        tried = await bob.send(path, of=f"{acme.path}/comments", body="Yours")
        assert tried.status_code == 403, deed
    (comment,) = await list_comments(tenants, acme)
    assert comment["body"] == "Mine"


async def test_a_note_of_the_staff_is_no_comment_that_one_could_change(
    ana: Browser, tenants: Any, acme: Any
) -> None:
    await answer_as_staff(tenants, acme, "A note", is_internal=True)
    (note,) = await list_comments(tenants, acme)
    await ana.open(acme.path)
    for deed in ("edit", "delete"):
        path = f"{acme.path}/comments/{note['comment_id']}/{deed}"
        tried = await ana.send(path, of=f"{acme.path}/comments", body="x")
        nobody = await ana.send(
            path.replace(str(note["comment_id"]), CLIENT_ID), of=f"{acme.path}/comments", body="x"
        )
        assert (tried.status_code, tried.content) == (404, nobody.content), deed


async def test_a_revoked_link_ends_writing_at_once(ana: Browser, tenants: Any, acme: Any) -> None:
    await write(ana, acme)
    await ana.open(acme.path)
    async with tenants.database.scope(acme.profile.workspace_id):
        await revoke_link(acme.link_id, clock=CLOCK)
    for deed in ("comments", "seen", "forget"):
        answer = await ana.send(f"{acme.path}/{deed}", of=f"{acme.path}/comments", body="x")
        assert answer.status_code == 404, deed
    assert (await ana.ask(f"{acme.path}/thread")).status_code == 404


async def test_what_was_visible_counts_as_seen_by_the_customer(ana: Browser, tenants: Any, acme: Any) -> None:
    await answer_as_staff(tenants, acme, "One")
    await answer_as_staff(tenants, acme, "A note", is_internal=True)
    await answer_as_staff(tenants, acme, "Three")
    await ana.open(acme.path)
    seen: list[int] = []
    for seq in ("1", "junk", "99"):
        answer = await ana.send(f"{acme.path}/seen", of=f"{acme.path}/comments", seq=seq)
        assert (answer.status_code, answer.content) == (204, b"")
        async with tenants.database.scope(acme.profile.workspace_id, read_only=True):
            seen.append(await fetch_value("SELECT customer_seen_seq FROM thread"))
    comments = await list_comments(tenants, acme)
    assert seen == [comments[0]["staff_seq"], comments[0]["staff_seq"], comments[2]["staff_seq"]]


async def test_a_browser_that_forgets_is_a_stranger_again(ana: Browser, acme: Any) -> None:
    answer = await write(ana, acme)
    comment_id = answer.headers["location"].partition("#comment-")[2]
    await ana.open(acme.path)
    before = dict(ana.cookies)
    forgotten = await ana.send(f"{acme.path}/forget", of=f"{acme.path}/comments")
    assert (forgotten.status_code, forgotten.headers["location"]) == (303, acme.path)
    assert forgotten.headers["clear-site-data"] == '"storage"'
    assert ana.cookies == {}
    await ana.open(acme.path)
    assert ana.cookies != before
    assert ana.form(f"{acme.path}/comments")["email"] == ""
    assert f"/comments/{comment_id}/" not in ana.page


async def test_comments_and_refusals_are_counted(portal: Any, ana: Browser, acme: Any) -> None:
    await write(ana, acme, as_json=True, client_id=CLIENT_ID)
    await write(ana, acme, as_json=True, client_id=CLIENT_ID)
    await write(ana, acme, as_json=True, body="")
    assert portal.count("portal_comments_posted_total", result="stored") == 1
    assert portal.count("portal_comments_posted_total", result="repeated") == 1
    assert portal.count("portal_comments_refused_total", code="comment.empty") == 1
