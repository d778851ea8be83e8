"""The pool: each connection has one user, none is lost, and waiters are served in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from kernel.errors import Unavailable
from kernel.store import Database, fetch_one, fetch_value
from kernel.store.pool import Connection, Pool
from kernel.store.roles import Urls

Opener = Callable[..., Pool]


@pytest.fixture
async def open_pool(shelf_urls: Urls) -> AsyncIterator[Opener]:
    pools: list[Pool] = []

    def open_one(*, size: int = 1, acquire_timeout_s: float = 5, lifetime_s: float = 60) -> Pool:
        pools.append(
            Pool(
                shelf_urls.app,
                size=size,
                name="pool",
                acquire_timeout_s=acquire_timeout_s,
                lifetime_s=lifetime_s,
            )
        )
        return pools[-1]

    yield open_one
    for pool in pools:
        await pool.close()


async def run_other_tasks(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_reusable_connection_is_used_again(open_pool: Opener) -> None:
    pool = open_pool()
    first = await pool.acquire()
    assert pool.in_use == 1
    pool.release(first, reusable=True)
    assert pool.in_use == 0
    assert await pool.acquire() is first
    pool.release(first, reusable=True)


async def test_a_connection_that_is_not_reusable_is_terminated(open_pool: Opener) -> None:
    pool = open_pool()
    first = await pool.acquire()
    pool.release(first, reusable=False)
    assert first.is_closed()
    second = await pool.acquire()
    assert second is not first
    pool.release(second, reusable=True)


async def test_an_old_connection_is_replaced(open_pool: Opener) -> None:
    pool = open_pool(lifetime_s=0)
    first = await pool.acquire()
    pool.release(first, reusable=True)
    assert first.is_closed()
    assert pool.in_use == 0


async def test_waiters_are_served_in_order(open_pool: Opener) -> None:
    pool, order = open_pool(), list[int]()
    held = await pool.acquire()

    async def use(number: int) -> None:
        connection = await pool.acquire()
        order.append(number)
        pool.release(connection, reusable=True)

    waiters = []
    for number in range(4):
        waiters.append(asyncio.create_task(use(number)))
        await run_other_tasks()
    pool.release(held, reusable=True)
    await asyncio.gather(*waiters)
    assert order == [0, 1, 2, 3]
    assert pool.in_use == 0


async def test_a_waiter_gets_the_slot_of_a_terminated_connection(open_pool: Opener) -> None:
    pool = open_pool()
    held = await pool.acquire()
    waiter = asyncio.create_task(pool.acquire())
    await run_other_tasks()
    pool.release(held, reusable=False)
    connection = await waiter
    assert connection is not held
    pool.release(connection, reusable=True)


@pytest.mark.parametrize("reusable", [True, False], ids=("connection", "slot"))
async def test_a_connection_or_slot_of_a_cancelled_waiter_is_not_lost(
    open_pool: Opener, *, reusable: bool
) -> None:
    pool = open_pool()
    held = await pool.acquire()
    waiter = asyncio.create_task(pool.acquire())
    await run_other_tasks()
    pool.release(held, reusable=reusable)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert pool.in_use == 0
    again = await pool.acquire()
    assert (again is held) is reusable
    pool.release(again, reusable=True)


async def test_the_slot_of_a_cancelled_waiter_goes_to_the_next(open_pool: Opener) -> None:
    pool = open_pool()
    held = await pool.acquire()
    first, second = asyncio.create_task(pool.acquire()), asyncio.create_task(pool.acquire())
    await run_other_tasks()
    pool.release(held, reusable=False)
    first.cancel()
    async with asyncio.timeout(2):
        connection = await second
    assert first.cancelled()
    pool.release(connection, reusable=True)


async def test_a_cancelled_waiter_leaves_the_queue(open_pool: Opener) -> None:
    pool = open_pool()
    held = await pool.acquire()
    waiter = asyncio.create_task(pool.acquire())
    await run_other_tasks()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert pool.waiting == 0
    pool.release(held, reusable=True)
    assert pool.in_use == 0


async def test_waiting_ends_at_the_acquire_timeout(open_pool: Opener) -> None:
    pool = open_pool(acquire_timeout_s=0.02)
    held = await pool.acquire()
    with pytest.raises(Unavailable) as caught:
        await pool.acquire()
    assert (caught.value.code, caught.value.data) == ("store.busy", {"size": 1})
    assert pool.waiting == 0
    pool.release(held, reusable=True)


async def test_a_connection_that_fails_takes_no_slot(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    nowhere = f"postgresql://portal_app@/portal?host={tmp_path_factory.mktemp('empty')}"
    pool = Pool(nowhere, size=1, name="nowhere")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await pool.acquire()
    assert pool.in_use == 0


async def test_there_are_never_more_connections_than_its_size(open_pool: Opener) -> None:
    pool, most = open_pool(size=3), 0

    async def use(run: Callable[[Connection], Awaitable[object]]) -> None:
        nonlocal most
        connection = await pool.acquire()
        most = max(most, pool.in_use)
        await run(connection)
        pool.release(connection, reusable=True)

    await asyncio.gather(*(use(lambda connection: connection.fetch("SELECT 1")) for _ in range(50)))
    assert (most, pool.in_use, pool.waiting) == (3, 0, 0)


async def test_a_closed_pool_refuses_and_terminates_what_is_released(open_pool: Opener) -> None:
    pool = open_pool(size=2)
    held, idle = await pool.acquire(), await pool.acquire()
    pool.release(idle, reusable=True)
    await pool.close()
    assert idle.is_closed()
    with pytest.raises(Unavailable) as caught:
        await pool.acquire()
    assert caught.value.code == "store.closed"
    pool.release(held, reusable=True)
    assert held.is_closed()


async def test_closing_wakes_the_waiters(open_pool: Opener) -> None:
    pool = open_pool()
    held = await pool.acquire()
    waiter = asyncio.create_task(pool.acquire())
    await run_other_tasks()
    await pool.close()
    with pytest.raises(Unavailable):
        await waiter
    pool.release(held, reusable=True)


@pytest.mark.parametrize(("name", "value"), [("plan_cache_mode", "force_generic_plan"), ("jit", "off")])
async def test_the_settings_of_a_connection_come_from_its_role(
    shelf: Database, name: str, value: str
) -> None:
    async with shelf.unbound():
        row = await fetch_one("SELECT setting, source FROM pg_settings WHERE name = $1", name)
    # "client" would be a parameter of the connection's start, which PgBouncer refuses.
    assert (row["setting"], row["source"]) == (value, "user")


async def test_without_prepared_statements_the_unit_of_work_is_the_same(shelf_urls: Urls) -> None:
    database = await Database.open(shelf_urls.app, size=1, prepared=False)
    workspace, book = uuid4(), uuid4()
    async with database.scope(workspace):
        for _ in range(2):
            assert await fetch_value("SELECT count(*) FROM book WHERE book_id = $1", book) == 0
        assert await fetch_value("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0
    await database.close()
