"""Import: published invoices become invoices; what is refused leaves nothing behind."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict, Invalid, PortalError
from kernel.store import fetch_one, fetch_value
from tenants.customers import queries as customers
from tenants.invoices import actions, queries
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl import check_totals, parse, read_ubl
from tenants.invoices.values import ImportedInvoice
from tests.fakes.sample_workspaces import SampleWorkspace, build_content
from tests.fakes.ubl_writer import NAMES, change_texts, read_case, read_published, write_invoice

CLOCK = SystemClock()
KINDS = """
SELECT (SELECT count(*) FROM invoice), (SELECT count(*) FROM invoice_version),
       (SELECT count(*) FROM customer), (SELECT count(*) FROM contact)
"""
PAYABLE = "cac:LegalMonetaryTotal/cbc:PayableAmount"


async def import_document(sample_workspace: SampleWorkspace, document: bytes) -> ImportedInvoice:
    checked = read_ubl(document)
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return await actions.import_invoice(checked, clock=CLOCK)


async def count_rows(sample_workspace: SampleWorkspace) -> tuple[int, ...]:
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return tuple(await fetch_one(KINDS))


@pytest.mark.parametrize("name", NAMES)
async def test_a_published_invoice_is_kept_to_the_cent(acme: SampleWorkspace, name: str) -> None:
    document = read_published(name)
    parsed = parse(document)
    made = await import_document(acme, document)
    async with acme.database.scope(acme.workspace_id):
        found = await queries.load_invoice(made.invoice_id)
        version = await queries.load_version(made.invoice_id, 1)
        buyer = await customers.load_customer(made.customer_id)
    assert version == (parsed.content, check_totals(parsed), parsed.number)
    assert (found.status, found.number, found.version) == (InvoiceStatus.ISSUED, parsed.number, 1)
    assert found.total == made.total
    assert found.total.amount == parsed.stated.payable
    assert (found.issue_date, found.due_date) == (parsed.content.issue_date, parsed.content.due_date)
    assert (found.customer_name, buyer.details.city) == (
        parsed.content.buyer.name,
        parsed.content.buyer.address.city,
    )


async def test_all_twelve_fit_into_two_workspaces(acme: SampleWorkspace, rival: SampleWorkspace) -> None:
    """Several of them share a number, which is unique only within a workspace."""
    homes = []
    for name in NAMES:
        number = parse(read_published(name)).number
        async with acme.database.scope(acme.workspace_id):
            is_taken = await fetch_value("SELECT true FROM invoice WHERE number = $1", number)
        home = rival if is_taken else acme
        homes.append((await import_document(home, read_published(name))).number)
    assert homes == [parse(read_published(name)).number for name in NAMES]
    assert len(homes) == 12
    assert ((await count_rows(acme))[0], (await count_rows(rival))[0]) == (8, 4)


async def test_the_same_document_twice_is_refused_and_changes_nothing(acme: SampleWorkspace) -> None:
    await import_document(acme, read_published("01.01a"))
    before = await count_rows(acme)
    with pytest.raises(Conflict) as caught:
        await import_document(acme, read_published("01.01a"))
    assert (caught.value.code, caught.value.data) == ("invoice.number_taken", {"number": "123456XX"})
    assert await count_rows(acme) == before


async def test_a_taken_number_leaves_no_new_customer_even_if_the_rest_is_committed(
    acme: SampleWorkspace,
) -> None:
    what = build_content(buyer="Somebody New")
    await import_document(acme, write_invoice(build_content(), compute_totals(build_content()), "N-1"))
    before = await count_rows(acme)
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(Conflict):
            await actions.import_invoice(
                read_ubl(write_invoice(what, compute_totals(what), "N-1")), clock=CLOCK
            )
    assert await count_rows(acme) == before


async def test_one_number_imported_by_ten_at_once_is_one_invoice_of_one_customer(
    acme: SampleWorkspace,
) -> None:
    async def attempt(buyer: str) -> str:
        what = build_content(buyer=buyer)
        try:
            return (await import_document(acme, write_invoice(what, compute_totals(what), "RACE"))).number
        except Conflict as error:
            return error.code

    outcomes = await asyncio.gather(*(attempt(f"Buyer {place}") for place in range(10)))
    assert sorted(outcomes) == ["RACE"] + ["invoice.number_taken"] * 9
    assert await count_rows(acme) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (change_texts(read_published("01.05a"), {PAYABLE: "10555.31"}), "BR-CO-16"),
        (
            change_texts(
                read_published("01.01a"), {"cac:LegalMonetaryTotal/cbc:LineExtensionAmount": "314.87"}
            ),
            "BR-CO-10",
        ),
        (
            change_texts(read_published("01.01a"), {"cac:InvoiceLine/cbc:LineExtensionAmount": "288.80"}),
            "PEPPOL-EN16931-R120",
        ),
        (
            change_texts(read_published("01.01a"), {"cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount": "22.05"}),
            "BR-CO-17",
        ),
        (change_texts(read_published("01.01a"), {"cbc:ID": None}), "BR-02"),
    ],
)
async def test_what_does_not_add_up_is_refused_by_rule_and_nothing_is_stored(
    acme: SampleWorkspace, document: bytes, rule: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await import_document(acme, document)
    assert caught.value.data["rule"] == rule
    assert await count_rows(acme) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"not xml",
        b"<Invoice/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        read_published("01.01a")[:2000],
    ],
)
async def test_what_is_no_invoice_is_refused_and_nothing_is_stored(
    acme: SampleWorkspace, document: bytes
) -> None:
    with pytest.raises(PortalError):
        await import_document(acme, document)
    assert await count_rows(acme) == (0, 0, 0, 0)


async def test_only_a_number_that_is_taken_is_called_taken(acme: SampleWorkspace, owner_url: str) -> None:
    once, owner = build_content(buyer="Once"), await asyncpg.connect(owner_url)
    await owner.execute(
        "CREATE UNIQUE INDEX buyer_once ON invoice (workspace_id, buyer_name) WHERE buyer_name = 'Once'"
    )
    try:
        await import_document(acme, write_invoice(once, compute_totals(once), "ONCE-1"))
        with pytest.raises(asyncpg.UniqueViolationError, match="buyer_once"):
            await import_document(acme, write_invoice(once, compute_totals(once), "ONCE-2"))
    finally:
        await owner.execute("DROP INDEX buyer_once")
        await owner.close()


async def test_two_invoices_for_the_same_buyer_are_of_one_customer(acme: SampleWorkspace) -> None:
    first = await import_document(acme, read_published("03.02a"))
    second = await import_document(acme, change_texts(read_published("03.02a"), {"cbc:ID": "another"}))
    assert first.customer_id == second.customer_id
    assert first.invoice_id != second.invoice_id


async def test_the_buyers_address_becomes_a_contact(acme: SampleWorkspace) -> None:
    document = next(each for each in map(read_published, NAMES) if "@" in parse(each).content.buyer.email)
    made = await import_document(acme, document)
    async with acme.database.scope(acme.workspace_id):
        (person,) = await customers.list_contacts(made.customer_id)
    assert person.email == parse(document).content.buyer.email.lower()


async def test_an_import_takes_no_number_of_the_series(acme: SampleWorkspace) -> None:
    await import_document(acme, read_published("01.01a"))
    async with acme.database.scope(acme.workspace_id):
        assert await fetch_value("SELECT count(*) FROM number_series") == 0


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        (read_case("zwa"), read_case("zwb"), "INV-77"),
        (read_case("zwb"), read_case("zwa"), "INV-77"),
        (read_case("number-nfc"), read_case("number-nfd"), "NFD-\xe9"),
        (read_case("number-nfd"), read_case("number-nfc"), "NFD-\xe9"),
        (
            read_case("zwa"),
            change_texts(read_case("zwa"), {"cbc:ID": "\ufeffIN\u200dV\xad-7\u20607\u200f"}),
            "INV-77",
        ),
        (read_case("zwa"), change_texts(read_case("zwa"), {"cbc:ID": " INV-77\u2800\u3164"}), "INV-77"),
    ],
    ids=["zwa-zwb", "zwb-zwa", "nfc-nfd", "nfd-nfc", "several", "blanks"],
)
async def test_numbers_that_look_alike_are_one_number(
    acme: SampleWorkspace, rival: SampleWorkspace, first: bytes, second: bytes, number: str
) -> None:
    assert (await import_document(acme, first)).number == number
    before = await count_rows(acme)
    with pytest.raises(Conflict) as caught:
        await import_document(acme, second)
    assert (caught.value.code, caught.value.data) == ("invoice.number_taken", {"number": number})
    assert await count_rows(acme) == before
    # Numbers of another workspace are no matter.
    assert (await import_document(rival, second)).number == number
