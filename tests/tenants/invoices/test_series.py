"""Series of numbers: the next free one in a fixed number of statements, and the next one that an operator sets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict, Invalid, Unavailable
from kernel.settings import Settings
from kernel.store import Database, current, execute, fetch_value
from tenants.invoices import actions, queries
from tenants.invoices.numbering import MAX_SEQUENCE, Series, write_number
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl import read_ubl
from tests.conftest import OPERATOR
from tests.fakes.sample_workspaces import SampleWorkspace, build_content
from tests.fakes.ubl_writer import write_invoice

CLOCK = SystemClock()
COPY = """
WITH copy AS (
    INSERT INTO invoice SELECT (jsonb_populate_record(NULL::invoice, to_jsonb(i) || jsonb_build_object(
        'invoice_id', gen_random_uuid(), 'number', n.number))).*
    FROM invoice i, unnest($3::text[]) n (number) WHERE i.workspace_id = $1 AND i.number = $2
    RETURNING workspace_id, invoice_id, version, issued_at
)
INSERT INTO invoice_version (workspace_id, invoice_id, version, content, totals, created_at, issued_at)
SELECT c.workspace_id, c.invoice_id, c.version, '{}', '{}', c.issued_at, c.issued_at FROM copy c
"""


async def import_number(number: str, buyer: str = "Buyer AG") -> None:
    """Import an invoice; to be called in a unit of work."""
    what = build_content(buyer=buyer)
    await actions.import_invoice(read_ubl(write_invoice(what, compute_totals(what), number)), clock=CLOCK)


async def import_many(sample_workspace: SampleWorkspace, numbers: list[str]) -> None:
    """Import one invoice and copy it in the database: thousands of imports would take minutes."""
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        await import_number(numbers[0])
        await execute(COPY, sample_workspace.workspace_id, numbers[0], numbers[1:])


async def issue_and_count(
    sample_workspace: SampleWorkspace, series: str = "invoices"
) -> tuple[str, list[str]]:
    """Issue an invoice; returns its number and the statements that it took."""
    draft, statements = await sample_workspace.create_draft(), list[str]()
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        connection: Any = current().connection()
        with connection.query_logger(lambda logged: statements.append(logged.query)):
            number = await actions.issue(draft, series=series, clock=CLOCK)
            # The driver calls its loggers in the next turn of the loop.
            await asyncio.sleep(0)
            return number, statements


async def load_next_number(sample_workspace: SampleWorkspace, series: str = "invoices") -> str:
    async with sample_workspace.database.scope(sample_workspace.workspace_id, read_only=True):
        return next(one.next_number for one in await queries.list_series() if one.series.name == series)


async def test_five_thousand_imported_numbers_are_passed_over_in_as_many_statements_as_one(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    await import_many(acme, [f"INV-{sequence:05}" for sequence in range(1, 5001)])
    await import_many(rival, ["INV-00001"])
    number, statements = await issue_and_count(acme)
    few, expected = await issue_and_count(rival)
    assert (number, few) == ("INV-05001", "INV-00002")
    assert statements == expected
    assert await issue_and_count(acme) == ("INV-05002", (await issue_and_count(rival))[1])


async def test_the_next_number_is_known_before_it_is_given(acme: SampleWorkspace) -> None:
    async with acme.database.scope(acme.workspace_id):
        await actions.set_series(Series("invoices", "INV-", 5))
    assert await load_next_number(acme) == "INV-00001"
    await import_many(acme, ["INV-00001", "INV-00002", "INV-00004"])
    assert await load_next_number(acme) == "INV-00003"
    for expected in ("INV-00003", "INV-00005", "INV-00006"):
        assert await load_next_number(acme) == expected
        assert (await issue_and_count(acme))[0] == expected


@pytest.mark.parametrize(
    ("prefix", "digits", "start"),
    [("INV-", 1, 8), ("", 1, 98), ("A_", 3, 997), ("2026/", 5, 99_998), ("N.#", 12, 7)],
)
async def test_postgres_writes_numbers_as_the_product_does(
    acme: SampleWorkspace, prefix: str, digits: int, start: int
) -> None:
    await import_many(acme, [write_number(prefix, digits, sequence) for sequence in range(start, start + 4)])
    async with acme.database.scope(acme.workspace_id):
        for sequence in range(start, start + 4):
            found = await fetch_value(
                "SELECT first_free_number($1, $2, $3, $4)", acme.workspace_id, prefix, digits, sequence
            )
            assert found == start + 4


@pytest.mark.parametrize("other", ["AB00001", "a_00001", "A_1", "A_000001", "A_00001X"])
async def test_a_number_that_only_resembles_is_not_passed_over(acme: SampleWorkspace, other: str) -> None:
    async with acme.database.scope(acme.workspace_id):
        await actions.set_series(Series("invoices", "A_", 5))
    await import_many(acme, [other])
    assert (await issue_and_count(acme))[0] == "A_00001"


async def test_numbers_of_another_workspace_are_neither_passed_over_nor_in_the_way(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    await import_many(rival, ["INV-00001", "INV-00002"])
    async with acme.database.scope(acme.workspace_id):
        await actions.set_series(Series("invoices", "INV-", 5), next_sequence=2)
        function = "SELECT first_free_number($1, 'INV-', 5, 1)"
        # Row-level security holds inside the function, whichever workspace is named.
        assert await fetch_value(function, rival.workspace_id) == 1
    assert (await issue_and_count(acme))[0] == "INV-00002"


@dataclass(slots=True)
class OpenImport:
    """An import whose transaction stays open until it is told to end."""

    number: str
    pid: int = 0
    stored: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, database: Database, sample_workspace: SampleWorkspace, *, commit: bool) -> None:
        with contextlib.suppress(InterruptedError):
            async with database.scope(sample_workspace.workspace_id):
                await import_number(self.number, buyer=f"Buyer of {self.number}")
                self.pid = await fetch_value("SELECT pg_backend_pid()")
                self.stored.set()
                await self.end.wait()
                if not commit:
                    raise InterruptedError

    async def is_waited_for(self, database: Database) -> None:
        """Return once another session waits for this transaction."""
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))"
        async with asyncio.timeout(20):
            while True:
                async with database.unbound():
                    if await fetch_value(blocked, self.pid):
                        return
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def open_imports(
    database: Database, sample_workspace: SampleWorkspace, numbers: list[str], *, commit: bool
) -> AsyncIterator[list[OpenImport]]:
    """Import each number in a transaction of its own, which stays open."""
    opened = [OpenImport(number) for number in numbers]
    async with asyncio.TaskGroup() as tasks:
        for one in opened:
            tasks.create_task(one.run(database, sample_workspace, commit=commit))
            await one.stored.wait()
        yield opened
        for one in opened:
            one.end.set()


@pytest.mark.parametrize(("commit", "expected"), [(True, "INV-00002"), (False, "INV-00001")])
async def test_a_number_that_an_open_import_holds_is_waited_for(
    acme: SampleWorkspace, settings: Settings, *, commit: bool, expected: str
) -> None:
    wide = await Database.open(settings.database_url, size=3, name="open imports", actor=OPERATOR)
    async with open_imports(wide, acme, ["INV-00001"], commit=commit) as (held,):
        issuing = asyncio.create_task(issue_and_count(acme))
        await held.is_waited_for(wide)
        held.end.set()
        assert (await issuing)[0] == expected
    await wide.close()
    assert await load_next_number(acme) == write_number("INV-", 5, int(expected[-1]) + 1)


async def test_an_issue_gives_up_where_imports_take_every_number_it_tries(
    acme: SampleWorkspace, settings: Settings
) -> None:
    wide = await Database.open(settings.database_url, size=12, name="open imports", actor=OPERATOR)
    numbers = [f"INV-{sequence:05}" for sequence in range(1, 11)]
    async with open_imports(wide, acme, numbers, commit=True) as opened:
        issuing = asyncio.create_task(issue_and_count(acme))
        for one in opened:
            await one.is_waited_for(wide)
            one.end.set()
        with pytest.raises(Unavailable) as caught:
            await issuing
    await wide.close()
    assert caught.value.code == "store.contended"
    assert (await issue_and_count(acme))[0] == "INV-00011"


async def set_next_sequence(
    sample_workspace: SampleWorkspace, sequence: int, *, prefix: str = "INV-", digits: int = 5
) -> None:
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        await actions.set_series(Series("invoices", prefix, digits), next_sequence=sequence)


async def test_a_series_continues_where_another_system_ended(acme: SampleWorkspace) -> None:
    await set_next_sequence(acme, 5001)
    assert await load_next_number(acme) == "INV-05001"
    assert (await issue_and_count(acme))[0] == "INV-05001"
    assert (await issue_and_count(acme))[0] == "INV-05002"


async def test_a_next_number_that_was_set_too_high_can_be_lowered_until_it_is_used(
    acme: SampleWorkspace,
) -> None:
    await set_next_sequence(acme, 5000)
    await set_next_sequence(acme, 12)
    assert (await issue_and_count(acme))[0] == "INV-00012"
    await set_next_sequence(acme, 13)
    with pytest.raises(Conflict) as caught:
        await set_next_sequence(acme, 11)
    assert (caught.value.code, caught.value.data) == (
        "series.number_used",
        {"number": "INV-00011", "used": "INV-00012"},
    )
    assert await load_next_number(acme) == "INV-00013"


async def test_a_number_that_was_imported_cannot_be_next(acme: SampleWorkspace) -> None:
    await import_many(acme, ["INV-00007", "INV-00009"])
    with pytest.raises(Conflict) as caught:
        await set_next_sequence(acme, 7)
    assert caught.value.data == {"number": "INV-00007", "used": "INV-00007"}
    await set_next_sequence(acme, 8)
    assert [(await issue_and_count(acme))[0] for _ in range(2)] == ["INV-00008", "INV-00010"]


async def test_a_running_number_stays_used_however_many_digits_it_is_written_with(
    acme: SampleWorkspace,
) -> None:
    await set_next_sequence(acme, 1, digits=3)
    assert (await issue_and_count(acme))[0] == "INV-001"
    with pytest.raises(Conflict) as caught:
        await set_next_sequence(acme, 1)
    assert caught.value.data == {"number": "INV-00001", "used": "INV-001"}
    assert await load_next_number(acme) == "INV-002"


async def test_a_new_prefix_may_begin_anew(acme: SampleWorkspace) -> None:
    await set_next_sequence(acme, 1, prefix="2026-")
    assert (await issue_and_count(acme))[0] == "2026-00001"
    await set_next_sequence(acme, 1, prefix="2027-")
    assert (await issue_and_count(acme))[0] == "2027-00001"


@pytest.mark.parametrize("sequence", [0, -1, MAX_SEQUENCE + 1, 2**63])
async def test_a_next_number_that_cannot_be_is_refused(acme: SampleWorkspace, sequence: int) -> None:
    with pytest.raises(Invalid) as caught:
        await set_next_sequence(acme, sequence)
    assert caught.value.code == "series.next"
