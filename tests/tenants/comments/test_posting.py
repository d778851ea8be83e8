"""Writing comments and notes: what is stored, once, who reads it, and what it causes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel import live
from kernel.errors import Conflict, Denied, Invalid, Missing, Unavailable
from kernel.ids import new_id
from kernel.live import Audience
from kernel.settings import Settings
from kernel.store import Database, execute, fetch, fetch_value
from tenants.access.values import Proof
from tenants.comments import actions, queries
from tenants.comments.values import MAX_COMMENTS, MAX_LENGTH, Side
from tenants.ids import InvoiceId
from tenants.invoices.actions import discard_draft
from tests.conftest import OPERATOR
from tests.fakes.sample_threads import ANA, BEN, JO, load, post, write, write_note
from tests.fakes.sample_workspaces import SampleWorkspace

CLIENT_ID = "chosen-by-the-client"
JOBS = """
SELECT payload ->> 'side' AS side, state, run_at - created_at AS delay FROM job
WHERE workspace_id = $1 AND kind = 'comments.notify_thread' ORDER BY created_at
"""


@pytest.fixture
async def wide(settings: Settings) -> AsyncIterator[Database]:
    """A database with many connections, as several gateways have."""
    database = await Database.open(
        settings.database_url, size=25, name="posters", acquire_timeout_s=30, actor=OPERATOR
    )
    yield database
    await database.close()


async def load_kinds(workspace: SampleWorkspace, invoice_id: InvoiceId, audience: Audience) -> list[str]:
    async with workspace.database.scope(workspace.workspace_id, read_only=True):
        events = await live.read_events(invoice_id, audience, 0)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.kind for event in events]


async def test_a_comment_is_read_by_both_sides_with_its_author_and_what_was_proven(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    ana = replace(
        ANA, email="Ana@Buyer.example", name=" Ana  Silva ", proofs=frozenset({Proof.LINK, Proof.TOTP})
    )
    comment = await write(acme, invoice_id, ana, "Hello,\r\nwhen?")
    assert (comment.side, comment.author_name, comment.author_email) == (
        Side.CUSTOMER,
        "Ana Silva",
        "ana@buyer.example",
    )
    assert (comment.body, comment.proofs) == ("Hello,\nwhen?", frozenset({Proof.LINK, Proof.TOTP}))
    assert (comment.staff_seq, comment.public_seq, comment.browser_hash) == (1, 1, ANA.browser_hash)
    for audience in Audience:
        view = await load(acme, invoice_id, audience)
        assert view.comments == (comment,)
        assert view.cursor is not None
        assert view.cursor.seq == 1


async def test_staff_is_shown_by_name_alone(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id, replace(JO, email="jo@acme.example"))
    assert (comment.side, comment.author_name, comment.author_email) == (Side.STAFF, "Jo Berg", "")


async def test_a_note_reaches_no_customer_and_leaves_no_gap(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    first = await write(acme, invoice_id)
    note = await write_note(acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        await actions.edit_comment(invoice_id, note.comment_id, JO, "Another note", acme.clock)
        await actions.mark_seen(invoice_id, Side.CUSTOMER, note.staff_seq, acme.clock)
        await actions.delete_comment(invoice_id, note.comment_id, JO, acme.clock)
        with pytest.raises(Missing, match=r"comment\.not_found"):
            await queries.load_comment(invoice_id, note.comment_id, Audience.PUBLIC)
        assert await queries.count_unread_for_customer([invoice_id]) == {}
        assert await queries.load_unnotified(invoice_id, Side.CUSTOMER) == ()
    last = await write(acme, invoice_id, JO)
    view = await load(acme, invoice_id)
    assert view.comments == (first, last)
    assert (first.public_seq, note.public_seq, last.public_seq) == (1, None, 2)
    assert view.cursor is not None
    assert (view.cursor.seq, view.customer_seen_seq) == (2, 0)
    assert await load_kinds(acme, invoice_id, Audience.PUBLIC) == ["comment.posted"] * 2
    assert await load_kinds(acme, invoice_id, Audience.STAFF) == [
        "comment.posted",
        "note.posted",
        "note.edited",
        "note.deleted",
        "comment.posted",
    ]


async def test_a_customer_cannot_write_edit_or_delete_a_note(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    note = await write_note(acme, invoice_id)
    with pytest.raises(Denied, match=r"comment\.internal"):
        await write(acme, invoice_id, ANA, is_internal=True)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Missing, match=r"comment\.not_found"):
            await actions.edit_comment(invoice_id, note.comment_id, ANA, "Mine", acme.clock)
        with pytest.raises(Missing, match=r"comment\.not_found"):
            await actions.delete_comment(invoice_id, note.comment_id, ANA, acme.clock)


async def test_with_the_client_id_of_a_note_a_customer_does_not_get_it(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    await write(acme, invoice_id, JO, "A note", is_internal=True, client_id=CLIENT_ID)
    with pytest.raises(Conflict, match=r"comment\.client_id"):
        await write(acme, invoice_id, ANA, client_id=CLIENT_ID)


async def test_a_draft_has_notes_but_no_comments_and_is_discarded_with_them(acme: SampleWorkspace) -> None:
    draft_id = await acme.create_draft()
    for author in (ANA, JO):
        with pytest.raises(Conflict, match=r"invoice\.status"):
            await write(acme, draft_id, author)
    await write_note(acme, draft_id)
    async with acme.database.scope(acme.workspace_id):
        await discard_draft(draft_id)
        for table in ("thread", "comment", "live_stream", "live_event"):
            assert await fetch_value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"author": replace(ANA, name=" ")}, "comment.name"),
        ({"author": replace(ANA, email="nobody")}, "email.invalid"),
        ({"body": " "}, "comment.empty"),
        ({"body": "x" * (MAX_LENGTH + 1)}, "comment.too_long"),
        ({"client_id": "short"}, "comment.client_id"),
    ],
)
async def test_what_is_refused_stores_nothing(
    acme: SampleWorkspace, change: dict[str, object], code: str
) -> None:
    invoice_id = await acme.issue_invoice()
    with pytest.raises(Invalid) as caught:
        await post(acme, invoice_id, **change)  # type: ignore[arg-type]
    assert caught.value.code == code
    async with acme.database.scope(acme.workspace_id):
        assert await fetch_value("SELECT count(*) FROM thread") == 0


async def test_the_same_client_id_stores_one_comment_whatever_it_comes_with(acme: SampleWorkspace) -> None:
    invoice_id, other_id = await acme.issue_invoice(), await acme.issue_invoice()
    first = await post(acme, invoice_id, ANA, "Hello", client_id=CLIENT_ID)
    again = await post(acme, invoice_id, BEN, "Something else", client_id=CLIENT_ID)
    elsewhere = await post(acme, other_id, ANA, "Hello", client_id=CLIENT_ID)
    assert (first.is_new, again.is_new, elsewhere.is_new) == (True, False, True)
    assert again.comment == first.comment
    assert (await load(acme, invoice_id)).comments == (first.comment,)
    assert await load_kinds(acme, invoice_id, Audience.STAFF) == ["comment.posted"]


async def test_fifty_posts_of_one_client_id_at_once_store_one_comment(
    acme: SampleWorkspace, wide: Database
) -> None:
    invoice_id = await acme.issue_invoice()
    many = replace(acme, database=wide)
    posted = await asyncio.gather(*(post(many, invoice_id, client_id=CLIENT_ID) for _ in range(50)))
    assert sum(each.is_new for each in posted) == 1
    assert len({each.comment.comment_id for each in posted}) == 1
    assert await load_kinds(acme, invoice_id, Audience.PUBLIC) == ["comment.posted"]


async def test_comments_of_many_at_once_are_all_stored_in_one_order(
    acme: SampleWorkspace, wide: Database
) -> None:
    invoice_id = await acme.issue_invoice()
    many = replace(acme, database=wide)
    posts = [post(many, invoice_id, author, f"Text {n}") for n in range(10) for author in (ANA, JO)]
    notes = [write_note(many, invoice_id, f"Note {n}") for n in range(5)]
    await asyncio.gather(*posts, *notes)
    everything = (await load(acme, invoice_id, Audience.STAFF)).comments
    public = (await load(acme, invoice_id)).comments
    assert [each.staff_seq for each in everything] == list(range(1, 26))
    assert [each.public_seq for each in public] == list(range(1, 21))


@pytest.mark.parametrize("is_committed", [False, True], ids=["before the commit", "after the commit"])
async def test_a_post_whose_connection_ends_is_sent_again_and_stored_once(
    acme: SampleWorkspace, wide: Database, *, is_committed: bool
) -> None:
    invoice_id = await acme.issue_invoice()
    with pytest.raises(Unavailable):
        async with wide.scope(acme.workspace_id):
            await actions.post_comment(invoice_id, ANA, "Hello", client_id=CLIENT_ID, clock=acme.clock)
            if is_committed:
                await execute("COMMIT")
            await execute("SELECT pg_terminate_backend(pg_backend_pid())")
    again = await post(acme, invoice_id, client_id=CLIENT_ID)
    assert again.is_new is not is_committed
    assert (await load(acme, invoice_id)).comments == (again.comment,)
    assert await load_kinds(acme, invoice_id, Audience.PUBLIC) == ["comment.posted"]
    assert (await write(acme, invoice_id, BEN)).public_seq == 2


async def test_the_customers_comment_opens_a_resolved_thread_again_and_the_staffs_does_not(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    await write(acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        await actions.resolve_thread(invoice_id, acme.clock)
    await write(acme, invoice_id, JO)
    assert (await load(acme, invoice_id)).resolved_at is not None
    await write(acme, invoice_id, BEN)
    assert (await load(acme, invoice_id)).resolved_at is None
    assert await load_kinds(acme, invoice_id, Audience.PUBLIC) == [
        "comment.posted",
        "thread.resolved",
        "comment.posted",
        "comment.posted",
        "thread.reopened",
    ]


async def test_the_other_side_gets_one_mail_for_the_comments_of_two_minutes(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    await write(acme, invoice_id, ANA)
    await write(acme, invoice_id, BEN)
    await write(acme, invoice_id, JO)
    await write_note(acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        jobs = await fetch(JOBS, acme.workspace_id)
    assert [(job["side"], job["state"]) for job in jobs] == [("staff", "queued"), ("customer", "queued")]
    assert all(job["delay"] == timedelta(minutes=2) for job in jobs)


async def test_a_comment_written_while_a_mail_is_made_gets_a_mail_too(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    await write(acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        await execute(
            "UPDATE job SET state = 'running', lease = $1, lease_until = now() + interval '1 minute'"
            " WHERE kind = 'comments.notify_thread'",
            new_id(),
        )
    await write(acme, invoice_id, BEN)
    async with acme.database.scope(acme.workspace_id):
        jobs = await fetch(JOBS, acme.workspace_id)
    assert [(job["side"], job["state"]) for job in jobs] == [("staff", "running"), ("staff", "queued")]


async def test_customers_write_a_bounded_number_of_comments_on_an_invoice_and_the_staff_any(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    await write(acme, invoice_id)
    more = """
    INSERT INTO comment (workspace_id, comment_id, invoice_id, client_id, side, author_name, body, staff_seq,
                         public_seq)
    SELECT $1, gen_random_uuid(), $2, 'client-' || n, 'customer', 'Ana', 'Hello', n, n FROM generate_series(1001, $3) n
    """
    async with acme.database.scope(acme.workspace_id):
        await execute(more, acme.workspace_id, invoice_id, 1000 + MAX_COMMENTS - 1)
    with pytest.raises(Conflict, match=r"comment\.too_many"):
        await write(acme, invoice_id)
    assert (await write(acme, invoice_id, JO)).side is Side.STAFF
