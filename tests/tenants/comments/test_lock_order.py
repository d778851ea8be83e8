"""Whoever writes at once about the same invoices waits for others, and never in a circle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kernel import live
from kernel.clock import SystemClock
from kernel.errors import Conflict, Missing
from kernel.ids import new_id, new_nonce
from kernel.live import Audience
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from tenants.comments import actions
from tenants.comments.values import Side
from tenants.ids import CommentId, InvoiceId, LinkId
from tenants.invoices import actions as invoices
from tenants.invoices.actions.pdfs import store_pdf
from tenants.invoices.values import ActorClass, View
from tests.conftest import OPERATOR
from tests.fakes.payments import set_paid
from tests.fakes.sample_threads import ANA, JO, write
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, euros

CLOCK = SystemClock()
WRITERS, UNITS = 8, 15


def build_units(
    chance: random.Random,
    sealer: Sealer,
    invoice_ids: list[InvoiceId],
    comments: dict[InvoiceId, list[CommentId]],
    links: dict[InvoiceId, list[LinkId]],
) -> list[Callable[[], Awaitable[object]]]:
    """Return one unit of work of each kind, on invoices chosen at random."""
    one = chance.choice(invoice_ids)
    comment, link = chance.choice(comments[one]), chance.choice(links[one])
    ana = replace(ANA, link_id=link)
    views = [
        View(new_id(), each, links[each][0], ActorClass.HUMAN, CLOCK.now(), None, "", "")
        for each in chance.sample(invoice_ids, len(invoice_ids))
    ]
    return [
        lambda: actions.post_comment(one, ana, "Hello", client_id=new_nonce(), clock=CLOCK),
        lambda: actions.post_comment(one, JO, "Note", client_id=new_nonce(), clock=CLOCK, is_internal=True),
        lambda: actions.edit_comment(one, comment, ANA, new_nonce(), CLOCK),
        lambda: actions.delete_comment(one, comment, JO, CLOCK),
        lambda: actions.mark_seen(one, chance.choice(list(Side)), 1000, CLOCK),
        lambda: actions.resolve_thread(one, CLOCK),
        lambda: actions.notify_side(one, Side.CUSTOMER, sealer=sealer, clock=CLOCK),
        lambda: invoices.rotate_link(link, sealer=sealer, clock=CLOCK),
        lambda: invoices.show_link(link, sealer=sealer, clock=CLOCK),
        lambda: invoices.record_views(views),
        lambda: set_paid(one, euros(str(chance.randint(1, 100))), clock=CLOCK),
        lambda: invoices.add_version(one, build_content(str(chance.randint(100, 200))), clock=CLOCK),
        lambda: store_pdf(
            one, 1, f"de-{new_nonce()}", bytes(32), b"%PDF-", is_pinned=True, created_at=CLOCK.now()
        ),
    ]


async def issue_link(workspace: SampleWorkspace, invoice_id: InvoiceId) -> LinkId:
    async with workspace.database.scope(workspace.workspace_id):
        link = await invoices.issue_link(invoice_id, sealer=workspace.sealer, clock=CLOCK)
    return link.link_id


@pytest.mark.parametrize("seed", [5, 23])
async def test_writers_of_every_kind_never_wait_for_each_other_in_a_circle(
    acme: SampleWorkspace, settings: Settings, seed: int
) -> None:
    chance = random.Random(seed)
    invoice_ids = [await acme.issue_invoice() for _ in range(3)]
    comments: dict[InvoiceId, list[CommentId]] = {
        each: [(await write(acme, each)).comment_id for _ in range(3)] for each in invoice_ids
    }
    links = {each: [await issue_link(acme, each) for _ in range(4)] for each in invoice_ids}
    wide = await Database.open(
        settings.database_url, size=WRITERS, name="writers", acquire_timeout_s=30, actor=OPERATOR
    )

    async def work() -> None:
        for _ in range(UNITS):
            unit = chance.choice(build_units(chance, acme.sealer, invoice_ids, comments, links))
            try:
                # A deadlock would be Unavailable("store.contended").
                async with wide.scope(acme.workspace_id):
                    await unit()
                    await asyncio.sleep(chance.choice((0, 0.003)))
            except (Conflict, Missing):
                continue

    try:
        await asyncio.gather(*(work() for _ in range(WRITERS)))
    finally:
        await wide.close()
    async with acme.database.scope(acme.workspace_id, read_only=True):
        for each in invoice_ids:
            heads = await live.load_heads(each)
            assert heads is not None
            for audience, head in ((Audience.STAFF, heads.staff), (Audience.PUBLIC, heads.public)):
                events = await live.read_events(each, audience, 0, limit=1000)
                assert [event.seq for event in events] == list(range(1, head + 1))
