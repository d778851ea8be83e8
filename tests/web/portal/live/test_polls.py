"""The long poll: what it answers at once, what it waits for, and what ends the waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from litestar import Response, get
from litestar.params import FromPath
from msgspec.structs import replace

from kernel import live
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.live import Cursor, LogKey
from kernel.live.reader import DatabaseReader, Page
from kernel.money import Money, find_currency
from kernel.store import execute
from tenants.invoices.actions import issue_link, record_views, revoke_link, rotate_link
from tenants.invoices.values import ActorClass, View
from tests.fakes.payments import set_paid
from tests.web.portal.live.conftest import MakeScene, Scene, wait_until
from web.http.context import GatewayRequest
from web.http.errors import Problems
from web.portal.links import Links
from web.portal.live.polls import Polls

CLOCK = SystemClock()


async def view(scene: Scene) -> None:
    seen = View(
        view_id=new_id(),
        invoice_id=scene.tenant.invoice_id,
        link_id=scene.tenant.link_id,
        actor=ActorClass.HUMAN,
        viewed_at=CLOCK.now(),
        address=None,
        user_agent="",
        request_id="",
    )
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        await record_views([seen])


async def test_the_events_after_a_cursor_come_in_order_and_notes_and_views_leave_no_gap(scene: Scene) -> None:
    start = await scene.load_cursor()
    await scene.write("First")
    await scene.write("Sixteen tons", is_internal=True)
    await view(scene)
    await scene.write("Second")
    answer = await scene.poll(start)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["epoch"], told["head"]) == (str(start.epoch), start.seq + 2)
    assert [(each["seq"], each["kind"]) for each in told["events"]] == [
        (start.seq + 1, "comment.posted"),
        (start.seq + 2, "comment.posted"),
    ]
    assert answer.headers["etag"] == f'W/"{start.epoch}-{start.seq + 2}"'
    for secret in (b"note", b"viewed", b"Sixteen", b"First"):
        assert secret not in answer.content
    rest = await scene.poll(replace(start, seq=start.seq + 1))
    assert rest.json()["events"] == told["events"][1:]


async def test_nothing_new_is_no_content_and_then_not_modified(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    first = await scene.poll(cursor)
    assert (first.status_code, first.content) == (204, b"")
    tag = first.headers["etag"]
    again = await scene.poll(cursor, if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await scene.write()
    changed = await scene.poll(cursor, if_none_match=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert (scene.count("empty"), scene.count("not_modified"), scene.count("events")) == (1, 1, 1)


async def test_who_waits_is_answered_by_a_commit_of_another_process(
    make_scene: MakeScene, open_process: Any
) -> None:
    scene = await make_scene(writer=await open_process())
    cursor = await scene.load_cursor()
    waiting = await scene.park(cursor)
    await scene.write("A note", is_internal=True)
    await scene.write()
    answer = await waiting
    assert answer.status_code == 200
    (event,) = answer.json()["events"]
    assert (event["seq"], event["kind"]) == (cursor.seq + 1, "comment.posted")
    assert scene.count_parked() == 0


async def test_without_a_wake_up_the_commit_is_found_all_the_same(
    make_scene: MakeScene, open_process: Any
) -> None:
    scene = await make_scene(writer=await open_process(is_silent=True), reconcile_s=(0.05, 0.1))
    waiting = await scene.park(await scene.load_cursor())
    await scene.write()
    assert (await waiting).status_code == 200


async def test_all_who_wait_for_an_invoice_get_the_same_events(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    waiting = [await scene.park(cursor) for _ in range(5)]
    await scene.write()
    answers = await asyncio.gather(*waiting)
    assert {each.content for each in answers} == {answers[0].content}
    assert [each["seq"] for each in answers[0].json()["events"]] == [cursor.seq + 1]


async def test_who_waited_in_vain_gets_no_content(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    answer = await scene.poll(cursor, wait_s=1)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == f'W/"{cursor.epoch}-{cursor.seq}"'
    assert scene.count("empty") == 1


async def test_a_cursor_of_another_log_is_a_conflict_that_names_the_place_to_begin(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    for wrong in (
        Cursor(new_id(), cursor.seq),
        replace(cursor, seq=cursor.seq + 1),
        Cursor(new_id(), 2**63 - 1),
    ):
        answer = await scene.poll(wrong, wait_s=25)
        assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
        told = answer.json()
        assert (told["code"], told["epoch"], told["head"]) == ("live.reset", str(cursor.epoch), cursor.seq)
    assert scene.count("reset") == 3


async def test_a_new_epoch_is_a_conflict_for_who_waits(make_scene: MakeScene) -> None:
    scene = await make_scene(reconcile_s=(0.05, 0.1))
    waiting, epoch = await scene.park(await scene.load_cursor()), new_id()
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        await execute(
            "UPDATE live_stream SET epoch = $1 WHERE stream_id = $2", epoch, scene.tenant.invoice_id
        )
    answer = await waiting
    assert (answer.status_code, answer.json()["epoch"]) == (409, str(epoch))


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("since=-1&epoch={epoch}", "since"),
        ("since=9223372036854775808&epoch={epoch}", "since"),
        ("since=1e3&epoch={epoch}", "since"),
        ("since=%D9%A1&epoch={epoch}", "since"),
        ("since=0&since=1&epoch={epoch}", "since"),
        ("epoch={epoch}", "since"),
        ("since=0&epoch=first", "epoch"),
        ("since=0&epoch={{{epoch}}}", "epoch"),
        ("since=0", "epoch"),
        ("since=0&epoch={epoch}&wait=999", "wait"),
        ("since=0&epoch={epoch}&wait=2.5", "wait"),
        ("since=0&epoch={epoch}&wait=", "wait"),
    ],
)
async def test_a_parameter_that_cannot_be_read_is_named(scene: Scene, query: str, parameter: str) -> None:
    answer = await scene.visitor.ask(f"{scene.path}?{query.format(epoch=new_id())}", scene.tenant.host)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    told = answer.json()
    assert (told["code"], list(told["errors"])) == ("events.parameter", [parameter])
    assert told["errors"][parameter].startswith(f"{parameter} must be")


async def test_a_head_is_answered_at_once_and_without_a_body(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    empty = await scene.poll(cursor, wait_s=25, method="HEAD")
    assert (empty.status_code, empty.content) == (204, b"")
    await scene.write()
    answer = await scene.poll(cursor, wait_s=25, method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == f'W/"{cursor.epoch}-{cursor.seq + 1}"'


@pytest.mark.parametrize("is_rotated", [False, True])
async def test_who_waits_by_a_link_gets_the_miss_when_it_is_revoked(
    scene: Scene, *, is_rotated: bool
) -> None:
    tenant = scene.tenant
    waiting = await scene.park(await scene.load_cursor())
    miss = await scene.poll(await scene.load_cursor(), path=f"/i/{tenant.token[::-1]}/events")
    async with scene.database.scope(tenant.profile.workspace_id):
        if is_rotated:
            sealer = scene.portal.gateway.services.sealer
            await rotate_link(tenant.link_id, sealer=sealer, clock=CLOCK)
        else:
            await revoke_link(tenant.link_id, clock=CLOCK)
    answer = await waiting
    assert (answer.status_code, answer.content) == (404, miss.content)
    assert scene.count("revoked") == 1


async def test_another_link_to_the_invoice_waits_on(scene: Scene, tenants: Any) -> None:
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        other = await issue_link(scene.tenant.invoice_id, sealer=tenants.sealer, clock=CLOCK)
    cursor = await scene.load_cursor()
    ends, goes_on = await scene.park(cursor), await scene.park(cursor, path=f"/i/{other.token}/events")
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        await revoke_link(scene.tenant.link_id, clock=CLOCK)
    assert (await ends).status_code == 404
    assert not goes_on.done()
    await scene.write()
    assert (await goes_on).status_code == 200


async def test_a_process_that_stops_answers_at_once_and_lets_nobody_wait(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    waiting = [await scene.park(cursor) for _ in range(3)]
    scene.portal.gateway.drain()
    assert {each.status_code for each in await asyncio.gather(*waiting)} == {204}
    assert (await scene.poll(cursor, wait_s=25)).status_code == 204
    assert (scene.count("drained"), scene.count_parked()) == (4, 0)


async def test_a_client_that_disconnects_leaves_no_follower(scene: Scene) -> None:
    cursor, gone = await scene.load_cursor(), asyncio.Event()
    tenant, sent = scene.tenant, []

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": scene.path,
        "raw_path": scene.path.encode(),
        "query_string": f"since={cursor.seq}&epoch={cursor.epoch}&wait=25".encode(),
        "headers": [(b"host", tenant.host.encode())],
        "client": (scene.visitor.address, 50_000),
        "state": {},
    }
    asking = asyncio.create_task(scene.portal.gateway(scope, receive, send))
    await wait_until(lambda: scene.count_parked() == 1)
    gone.set()
    await asking
    assert sent == []
    assert (scene.count("disconnected"), scene.count_parked()) == (1, 0)
    assert scene.count_rooms() == 0


@pytest.fixture
def make_bounded() -> Callable[[Any], None]:
    """Add a route at which only two requests may wait, and one of an address."""

    def make(portal: Any) -> None:
        services = portal.gateway.services
        polls = Polls(
            links=Links(services.database, services.sealer, services.metrics),
            rooms=services.rooms,
            problems=Problems(services.settings),
            metrics=services.metrics,
            most_waiting=2,
            most_per_address=1,
        )

        @get("/i/{token:str}/bounded-events")
        async def poll(request: GatewayRequest, token: FromPath[str]) -> Response[bytes]:
            return await polls.respond(request, token)

        portal.gateway.surfaces["portal"].app.register(poll)

    return make


async def test_beyond_the_bounds_nobody_waits_and_everybody_may_poll(
    make_scene: MakeScene, make_bounded: Any
) -> None:
    scene = await make_scene()
    make_bounded(scene.portal)
    cursor, path = await scene.load_cursor(), f"{scene.tenant.path}/bounded-events"
    first = await scene.park(cursor, path=path)
    own = await scene.poll(cursor, wait_s=25, path=path, accept="application/json")
    assert (own.status_code, own.json()["code"]) == (429, "events.busy")
    assert 5 <= int(own.headers["retry-after"]) <= 15
    scene.visitor = scene.portal.visitor()
    second = await scene.park(cursor, path=path)
    scene.visitor = scene.portal.visitor()
    full = await scene.poll(cursor, wait_s=25, path=path, accept="application/json")
    assert (full.status_code, full.json()["code"]) == (503, "events.busy")
    assert 5 <= int(full.headers["retry-after"]) <= 15
    assert (await scene.poll(cursor, path=path)).status_code == 204
    assert scene.count("busy") == 2
    await scene.write()
    assert {each.status_code for each in await asyncio.gather(first, second)} == {200}


async def test_a_long_backlog_comes_in_several_answers(scene: Scene) -> None:
    start = await scene.load_cursor()
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        events = [
            live.NewEvent(scene.tenant.invoice_id, live.Audience.PUBLIC, "test.made", {"n": n})
            for n in range(620)
        ]
        await live.append_many(events)
    numbers, cursor = [], start
    for _ in range(2):
        answer = await scene.poll(cursor)
        told = json.loads(answer.content)
        assert told["head"] == start.seq + 620
        numbers += [each["payload"]["n"] for each in told["events"]]
        cursor = replace(cursor, seq=told["events"][-1]["seq"])
        assert answer.headers["etag"] == f'W/"{cursor.epoch}-{cursor.seq}"'
    assert numbers == list(range(620))
    assert (await scene.poll(cursor)).status_code == 204


class CountingReader(DatabaseReader):
    """Counts its queries."""

    queries = 0

    async def _read(self, key: LogKey, after: int, limit: int, *, newest: bool) -> Page | None:
        self.queries += 1
        return await super()._read(key, after, limit, newest=newest)


async def test_of_a_long_backlog_no_more_is_read_than_one_answer_holds(scene: Scene) -> None:
    start = await scene.load_cursor()
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        event = live.NewEvent(scene.tenant.invoice_id, live.Audience.PUBLIC, "test.made", {})
        await live.append_many([event] * 3000)
    reader = CountingReader(scene.database)
    scene.portal.gateway.services.rooms._filler._reader = reader
    told = (await scene.poll(start)).json()
    assert (told["head"], len(told["events"])) == (start.seq + 3000, 500)
    # What the room keeps, and the first page.
    assert reader.queries == 2
    assert scene.count_rooms() == 0


async def test_polls_and_tickets_do_not_use_up_the_limit_of_pages(portal: Any, acme: Any) -> None:
    surface = portal.gateway.surfaces["portal"]
    polls = surface.find_limit(f"{acme.path}/events")
    assert surface.find_limit(f"{acme.path}/ticket") is polls
    assert polls not in (surface.limit, surface.find_limit(f"{acme.path}/thread"))


async def test_polls_have_a_limit(make_portal: Any, acme: Any) -> None:
    visitor = make_portal(page_limit_per_minute=1).visitor()
    path = f"{acme.path}/events?since=0&epoch=none"
    statuses = [(await visitor.ask(path, acme.host)).status_code for _ in range(6)]
    assert (statuses[0], statuses[-1]) == (400, 429)
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200


async def test_without_postgres_the_client_is_told_when_to_come_back(
    make_portal: Any, open_process: Any, acme: Any
) -> None:
    database = await open_process()
    visitor = make_portal(over=database).visitor()
    assert (await visitor.ask(f"{acme.path}/ticket", acme.host)).status_code == 200
    await database.close()
    for path in (f"/events?since=0&epoch={new_id()}", "/ticket"):
        answer = await visitor.ask(acme.path + path, acme.host)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0


async def test_what_a_page_shows_of_the_invoice_and_of_the_thread_is_told_by_events(scene: Scene) -> None:
    cursor = await scene.load_cursor()
    async with scene.database.scope(scene.tenant.profile.workspace_id):
        paid = Money(100, find_currency("EUR"))
        await set_paid(scene.tenant.invoice_id, paid, clock=CLOCK)
    kinds = [each["kind"] for each in (await scene.poll(cursor)).json()["events"]]
    assert kinds == ["payment.booked"]
