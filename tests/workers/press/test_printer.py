"""From an invoice to its PDF: printed once, pinned, the same for ever; found again, and mended when bytes are lost."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pikepdf
import pypdfium2
import pytest

from kernel.blobs import Blobs
from kernel.clock import FixedClock, SystemClock
from kernel.errors import Missing, Unavailable
from kernel.ids import InvoiceId, new_id
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch_value, savepoint
from kernel.telemetry.metrics import Metrics
from tenants.invoices import actions, queries
from tenants.invoices.document.fonts import Fonts
from tenants.workspaces.actions import set_brand, set_logo
from tenants.workspaces.logo import reencode
from tests.fakes.businesses import Business, content, open_business, picture
from tests.fakes.papers import fonts
from workers.press.press import Press
from workers.press.printer import Printer

OpenPrinter = Callable[..., Printer]


@pytest.fixture
async def acme(database: Database, settings: Settings) -> Business:
    """A business with customers of its own."""
    return await open_business(database, Sealer(settings.secret_keys), SystemClock())


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A folder for the blobs of one test."""
    return Blobs.open(tmp_path / "blobs")


@pytest.fixture
def new_printer(database: Database, blobs: Blobs, press: Press, clock: FixedClock) -> OpenPrinter:
    """Make printers that share database, blobs and press, as the processes of one installation do."""

    def make(with_fonts: Fonts | None = None) -> Printer:
        return Printer(
            database=database,
            blobs=blobs,
            press=press,
            fonts=with_fonts or fonts(),
            clock=clock,
            metrics=Metrics(),
        )

    return make


@pytest.fixture
def printer(new_printer: OpenPrinter) -> Printer:
    """The printer most tests are about."""
    return new_printer()


def other_fonts() -> Fonts:
    """The same faces under another version: what an upgrade of the fonts is to a fingerprint."""
    changed = Fonts.load()
    changed.version = "another"
    return changed


def text_of(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as pdf:
        return "".join(page.get_textpage().get_text_range() for page in pdf)


async def test_an_issued_version_is_printed_once_and_found_again(
    acme: Business, new_printer: OpenPrinter
) -> None:
    invoice_id = await acme.invoice()
    first = await new_printer().render_version(acme.workspace_id, invoice_id, 1)
    data = await new_printer().read(first)
    assert (first.is_pinned, first.size, first.sha256) == (True, len(data), hashlib.sha256(data).hexdigest())
    assert "119,00" in text_of(data)
    again = new_printer()
    assert await again.render_version(acme.workspace_id, invoice_id, 1) == first
    # Nothing was printed for it.
    assert again._metrics.registry.get_sample_value("portal_press_finish_seconds_count") == 0


async def test_a_pinned_pdf_outlives_every_change_around_it(acme: Business, new_printer: OpenPrinter) -> None:
    invoice_id = await acme.invoice()
    first = await new_printer().render_version(acme.workspace_id, invoice_id, 1)
    async with acme.database.scope(acme.workspace_id):
        await set_brand(name="Renamed Works")
        await set_logo(reencode(picture()), clock=acme.clock)
        await actions.void(invoice_id, clock=acme.clock)
    assert await new_printer(other_fonts()).render_version(acme.workspace_id, invoice_id, 1) == first
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(asyncpg.PostgresError, match="never changes"):
            async with savepoint():
                await execute("UPDATE invoice_pdf SET bytes = bytes + 1 WHERE invoice_id = $1", invoice_id)


async def test_each_language_has_a_pdf_of_its_own(acme: Business, printer: Printer) -> None:
    invoice_id = await acme.invoice(await acme.customer(locale="en-GB"))
    english = await printer.render_version(acme.workspace_id, invoice_id, 1)
    german = await printer.render_version(acme.workspace_id, invoice_id, 1, locale="de-DE")
    assert "Invoice" in text_of(await printer.read(english))
    assert "Rechnung" in text_of(await printer.read(german))


@pytest.mark.parametrize(("locale", "size"), [("de-DE", (595, 842)), ("en-US", (612, 792))])
async def test_a_short_invoice_is_one_sheet_of_the_senders_country(
    acme: Business, printer: Printer, locale: str, size: tuple[int, int]
) -> None:
    async with acme.database.scope(acme.workspace_id):
        await execute("UPDATE workspace SET locale = $1", locale)
    invoice_id = await acme.invoice()
    pdf = await printer.render_version(acme.workspace_id, invoice_id, 1)
    with pypdfium2.PdfDocument(await printer.read(pdf)) as read:
        assert [tuple(map(round, page.get_size())) for page in read] == [size]


async def test_a_draft_is_printed_anew_when_it_has_changed_and_never_pinned(
    acme: Business, new_printer: OpenPrinter
) -> None:
    invoice_id = await acme.draft()
    first = await new_printer().render_version(acme.workspace_id, invoice_id, 1)
    assert await new_printer().render_version(acme.workspace_id, invoice_id, 1) == first
    async with acme.database.scope(acme.workspace_id):
        await actions.update_draft(invoice_id, content("200"), clock=acme.clock)
    second = await new_printer().render_version(acme.workspace_id, invoice_id, 1)
    assert (first.is_pinned, second.is_pinned, first.sha256 == second.sha256) == (False, False, False)
    async with acme.database.scope(acme.workspace_id):
        await actions.discard_draft(invoice_id)
        count = "SELECT count(*) FROM invoice_pdf WHERE invoice_id = $1"
        assert await fetch_value(count, invoice_id) == 0


async def test_two_who_print_the_same_version_at_once_pin_one(
    acme: Business, new_printer: OpenPrinter
) -> None:
    invoice_id = await acme.invoice()
    # As if an upgrade were half rolled out: what they print has different fingerprints.
    made = await asyncio.gather(
        *(
            each.render_version(acme.workspace_id, invoice_id, 1)
            for each in (new_printer(), new_printer(other_fonts()), new_printer())
        )
    )
    assert len(set(made)) == 1
    async with acme.database.scope(acme.workspace_id):
        pinned = "SELECT count(*) FROM invoice_pdf WHERE invoice_id = $1 AND pinned"
        assert await fetch_value(pinned, invoice_id) == 1


async def test_a_lost_blob_is_made_again_only_if_it_is_the_same(
    acme: Business, new_printer: OpenPrinter, blobs: Blobs
) -> None:
    invoice_id = await acme.invoice()
    first = await new_printer().render_version(acme.workspace_id, invoice_id, 1)
    data = await blobs.get(first.key)
    await blobs.delete(first.key)
    assert await new_printer().render_version(acme.workspace_id, invoice_id, 1) == first
    assert await blobs.get(first.key) == data
    await blobs.delete(first.key)
    async with acme.database.scope(acme.workspace_id):
        await set_brand(name="Renamed Works")
    with pytest.raises(Unavailable) as caught:
        await new_printer().render_version(acme.workspace_id, invoice_id, 1)
    assert caught.value.code == "pdf.lost"
    with pytest.raises(Missing):
        await blobs.get(first.key)


async def test_another_workspaces_invoice_is_not_there(
    acme: Business, printer: Printer, database: Database, settings: Settings
) -> None:
    rival = await open_business(database, Sealer(settings.secret_keys), SystemClock())
    invoice_id = await acme.invoice()
    for owner, asked in ((rival.workspace_id, invoice_id), (acme.workspace_id, InvoiceId(new_id()))):
        with pytest.raises(Missing) as caught:
            await printer.render_version(owner, asked, 1)
        assert caught.value.code == "invoice.not_found"


async def test_the_file_says_what_it_is_and_when_it_was_issued(acme: Business, printer: Printer) -> None:
    invoice_id = await acme.invoice()
    data = await printer.read(await printer.render_version(acme.workspace_id, invoice_id, 1))
    async with acme.database.scope(acme.workspace_id):
        number = (await queries.invoice(invoice_id)).number
        issued: dt.datetime = await fetch_value(
            "SELECT issued_at FROM invoice WHERE invoice_id = $1", invoice_id
        )
    with pikepdf.open(io.BytesIO(data)) as pdf:
        said = {str(key): str(value) for key, value in pdf.docinfo.items()}
        language = str(pdf.Root.Lang)
    moment = issued.astimezone(dt.UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
    assert (said["/Title"], said["/Author"], language) == (f"Rechnung {number}", "Seller GmbH", "de")
    assert (said["/CreationDate"], said["/ModDate"]) == (moment, moment)
