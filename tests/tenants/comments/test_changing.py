"""Changing and deleting comments: by whom, until when, and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.clock import FixedClock
from kernel.errors import Conflict, Denied, Missing
from kernel.live import Audience
from kernel.store import Database, fetch
from tenants.access.values import Proof
from tenants.comments import actions
from tenants.comments.values import EDIT_WINDOW, Author, Comment, Side
from tenants.ids import InvoiceId
from tests.fakes.sample_threads import ANA, BEN, JO, load, write, write_note
from tests.fakes.sample_workspaces import SampleWorkspace

ELSEWHERE = b"e" * 32
PROVEN = frozenset({Proof.LINK, Proof.EMAIL_CODE})
SECRET = "sesame-opens-the-vault"
TABLES_WITH_TEXT = """
SELECT table_name AS name FROM information_schema.columns
WHERE table_schema = 'public' AND column_name = 'workspace_id' AND table_name <> 'workspace' ORDER BY 1
"""


async def edit(
    workspace: SampleWorkspace,
    invoice_id: InvoiceId,
    comment: Comment,
    author: Author,
    body: str = "Changed",
    *,
    clock: FixedClock | None = None,
) -> Comment:
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.edit_comment(
            invoice_id, comment.comment_id, author, body, clock or workspace.clock
        )


async def delete(
    workspace: SampleWorkspace, invoice_id: InvoiceId, comment: Comment, author: Author
) -> Comment:
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.delete_comment(invoice_id, comment.comment_id, author, workspace.clock)


async def test_an_author_changes_a_comment_and_it_is_shown_as_edited(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id)
    changed = await edit(acme, invoice_id, comment, ANA, " Hello \n again ")
    assert (changed.body, changed.edited_at is not None) == ("Hello\nagain", True)
    assert replace(changed, body="Hello", edited_at=None) == comment
    assert (await load(acme, invoice_id)).comments == (changed,)


async def test_a_comment_can_be_changed_for_five_minutes(acme: SampleWorkspace, clock: FixedClock) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id, clock=clock)
    clock.advance(EDIT_WINDOW - timedelta(seconds=1))
    assert (await edit(acme, invoice_id, comment, ANA, clock=clock)).body == "Changed"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(Conflict, match=r"comment\.edit_window"):
        await edit(acme, invoice_id, comment, ANA, "Too late", clock=clock)
    # A client that repeats what was stored hears that it is.
    assert (await edit(acme, invoice_id, comment, ANA, clock=clock)).body == "Changed"
    assert (await delete(acme, invoice_id, comment, ANA)).deleted_by is Side.CUSTOMER


@pytest.mark.parametrize(
    ("written_as", "changed_as", "is_own"),
    [
        (ANA, ANA, True),
        (ANA, replace(ANA, name="Ana S.", email="other@buyer.example"), True),
        (ANA, replace(ANA, browser_hash=ELSEWHERE), False),
        (ANA, replace(ANA, browser_hash=ELSEWHERE, proofs=PROVEN), False),
        (replace(ANA, proofs=PROVEN), replace(ANA, browser_hash=ELSEWHERE), False),
        (replace(ANA, proofs=PROVEN), replace(ANA, browser_hash=ELSEWHERE, proofs=PROVEN), True),
        (replace(ANA, proofs=PROVEN), replace(BEN, proofs=PROVEN), False),
        (replace(ANA, browser_hash=None), replace(ANA, browser_hash=None), False),
        (JO, JO, True),
        (JO, replace(JO, name="Kim"), False),
        (JO, replace(ANA, name=JO.name), False),
        (replace(ANA, name=JO.name), JO, False),
    ],
    ids=[
        "same browser",
        "same browser, other words",
        "other browser",
        "address proven only now",
        "address proven only then",
        "address proven both times",
        "another address",
        "no browser",
        "same staff",
        "other staff",
        "a customer with the staff's name",
        "staff with the customer's name",
    ],
)
async def test_a_comment_is_changed_by_its_author_alone(
    acme: SampleWorkspace, written_as: Author, changed_as: Author, *, is_own: bool
) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id, written_as)
    if is_own:
        assert (await edit(acme, invoice_id, comment, changed_as)).body == "Changed"
    else:
        with pytest.raises(Denied, match=r"comment\.not_own"):
            await edit(acme, invoice_id, comment, changed_as)


async def test_a_comment_is_deleted_by_its_author_or_staff_and_by_no_one_else(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    own, theirs, staffs = [await write(acme, invoice_id, author) for author in (ANA, BEN, JO)]
    assert (await delete(acme, invoice_id, own, ANA)).deleted_by is Side.CUSTOMER
    for comment in (theirs, staffs):
        with pytest.raises(Denied, match=r"comment\.not_own"):
            await delete(acme, invoice_id, comment, ANA)
    for comment in (theirs, staffs):
        assert (await delete(acme, invoice_id, comment, replace(JO, name="Kim"))).deleted_by is Side.STAFF


async def test_of_a_deleted_comment_no_text_stays_anywhere(acme: SampleWorkspace, svc: Database) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id, ANA, f"First {SECRET}")
    await edit(acme, invoice_id, comment, ANA, f"Second {SECRET}")
    deleted = await delete(acme, invoice_id, comment, JO)
    assert (deleted.body, deleted.author_name, deleted.deleted_at is not None) == ("", "Ana Silva", True)
    assert (await load(acme, invoice_id)).comments == (deleted,)
    async with svc.scope(acme.workspace_id, read_only=True):
        for table in await fetch(TABLES_WITH_TEXT):
            rows = await fetch(
                f'SELECT t::text AS row FROM "{table["name"]}" t WHERE workspace_id = $1',  # noqa: S608
                acme.workspace_id,
            )
            assert not [row["row"] for row in rows if SECRET in row["row"]], table["name"]


async def test_a_deleted_comment_is_not_changed_and_not_deleted_twice(acme: SampleWorkspace) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id)
    first = await delete(acme, invoice_id, comment, ANA)
    assert await delete(acme, invoice_id, comment, JO) == first
    with pytest.raises(Conflict, match=r"comment\.deleted"):
        await edit(acme, invoice_id, comment, ANA)


async def test_a_comment_is_found_on_its_own_invoice_alone(acme: SampleWorkspace) -> None:
    invoice_id, other_id = await acme.issue_invoice(), await acme.issue_invoice()
    comment = await write(acme, invoice_id)
    await write_note(acme, other_id)
    for attempt in (edit(acme, other_id, comment, ANA), delete(acme, other_id, comment, JO)):
        with pytest.raises(Missing, match=r"comment\.not_found"):
            await attempt
    assert (await load(acme, invoice_id, Audience.STAFF)).comments == (comment,)


async def test_another_person_in_the_same_browser_cannot_change_what_an_address_has_signed(
    acme: SampleWorkspace,
) -> None:
    invoice_id = await acme.issue_invoice()
    comment = await write(acme, invoice_id, replace(ANA, proofs=PROVEN))
    stranger = replace(ANA, email="stranger@buyer.example", proofs=PROVEN)
    for author in (stranger, replace(ANA, proofs=frozenset({Proof.LINK}))):
        with pytest.raises(Denied, match=r"comment\.not_own"):
            await edit(acme, invoice_id, comment, author)
