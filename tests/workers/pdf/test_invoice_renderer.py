"""The PDF of an invoice is rendered once and pinned; a lost blob is replaced only by the same bytes."""

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
from kernel.ids import new_id
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch_value, savepoint
from kernel.telemetry.metrics import Metrics
from tenants.ids import InvoiceId
from tenants.invoices import actions, queries
from tenants.invoices.document.fonts import Fonts
from tenants.invoices.values import Pdf
from tenants.workspaces.actions import set_brand, set_logo
from tenants.workspaces.logo import reencode
from tests.fakes.documents import load_fonts
from tests.fakes.sample_workspaces import SampleWorkspace, build_content, build_jpeg, create_sample_workspace
from workers.pdf.invoice_renderer import InvoiceRenderer
from workers.pdf.renderer import Renderer

CreateRenderer = Callable[..., InvoiceRenderer]


@pytest.fixture
async def acme(database: Database, settings: Settings) -> SampleWorkspace:
    """A workspace with customers of its own."""
    return await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A folder for the blobs of one test."""
    return Blobs.open(tmp_path / "blobs")


@pytest.fixture
def create_renderer(
    database: Database, blobs: Blobs, renderer: Renderer, clock: FixedClock
) -> CreateRenderer:
    """Make invoice renderers that share database, blobs and Chromium, as the processes of one installation do."""

    def make(with_fonts: Fonts | None = None) -> InvoiceRenderer:
        return InvoiceRenderer(
            database=database,
            blobs=blobs,
            renderer=renderer,
            fonts=with_fonts or load_fonts(),
            clock=clock,
            metrics=Metrics(),
        )

    return make


@pytest.fixture
def invoice_renderer(create_renderer: CreateRenderer) -> InvoiceRenderer:
    """The invoice renderer of most tests."""
    return create_renderer()


def load_other_fonts() -> Fonts:
    """Return the fonts under another version, as after an upgrade of the fonts."""
    changed = Fonts.load()
    changed.version = "another"
    return changed


async def ensure_pdf(
    invoice_renderer: InvoiceRenderer,
    sample_workspace: SampleWorkspace,
    invoice_id: InvoiceId,
    *,
    locale: str = "de-DE",
) -> Pdf:
    """Ensure the PDF of an invoice's first version."""
    return await invoice_renderer.ensure_pdf(
        sample_workspace.workspace_id,
        invoice_id,
        1,
        locale=locale,
        within_s=30,
        open_unit=lambda: sample_workspace.database.scope(sample_workspace.workspace_id),
    )


def read_text(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as pdf:
        return "".join(page.get_textpage().get_text_range() for page in pdf)


async def test_an_issued_version_is_rendered_once_and_found_again(
    acme: SampleWorkspace, create_renderer: CreateRenderer, blobs: Blobs
) -> None:
    invoice_id = await acme.issue_invoice()
    first = await ensure_pdf(create_renderer(), acme, invoice_id)
    data = await blobs.get(first.key)
    assert (first.is_pinned, first.size, first.sha256) == (True, len(data), hashlib.sha256(data).hexdigest())
    assert "119,00" in read_text(data)
    again = create_renderer()
    assert await ensure_pdf(again, acme, invoice_id) == first
    # It was not rendered again.
    assert again._metrics.registry.get_sample_value("portal_pdf_postprocess_seconds_count") == 0


async def test_a_pinned_pdf_stays_when_brand_status_and_fonts_change(
    acme: SampleWorkspace, create_renderer: CreateRenderer
) -> None:
    invoice_id = await acme.issue_invoice()
    first = await ensure_pdf(create_renderer(), acme, invoice_id)
    async with acme.database.scope(acme.workspace_id):
        await set_brand(name="Renamed Works")
        await set_logo(reencode(build_jpeg()), clock=acme.clock)
        await actions.void(invoice_id, clock=acme.clock)
    assert await ensure_pdf(create_renderer(load_other_fonts()), acme, invoice_id) == first
    async with acme.database.scope(acme.workspace_id):
        with pytest.raises(asyncpg.PostgresError, match="never changes"):
            async with savepoint():
                await execute("UPDATE invoice_pdf SET bytes = bytes + 1 WHERE invoice_id = $1", invoice_id)


async def test_each_locale_has_a_pdf_of_its_own(
    acme: SampleWorkspace, invoice_renderer: InvoiceRenderer, blobs: Blobs
) -> None:
    invoice_id = await acme.issue_invoice(await acme.create_customer(locale="en-GB"))
    english = await ensure_pdf(invoice_renderer, acme, invoice_id, locale="en-GB")
    german = await ensure_pdf(invoice_renderer, acme, invoice_id, locale="de-DE")
    assert "Invoice" in read_text(await blobs.get(english.key))
    assert "Rechnung" in read_text(await blobs.get(german.key))


@pytest.mark.parametrize(("locale", "size"), [("de-DE", (595, 842)), ("en-US", (612, 792))])
async def test_a_short_invoice_is_one_sheet_of_the_senders_country(
    acme: SampleWorkspace, invoice_renderer: InvoiceRenderer, blobs: Blobs, locale: str, size: tuple[int, int]
) -> None:
    async with acme.database.scope(acme.workspace_id):
        await execute("UPDATE workspace SET locale = $1", locale)
    invoice_id = await acme.issue_invoice()
    pdf = await ensure_pdf(invoice_renderer, acme, invoice_id, locale=locale)
    with pypdfium2.PdfDocument(await blobs.get(pdf.key)) as read:
        assert [tuple(map(round, page.get_size())) for page in read] == [size]


async def test_a_draft_is_rendered_again_when_it_has_changed_and_never_pinned(
    acme: SampleWorkspace, create_renderer: CreateRenderer
) -> None:
    invoice_id = await acme.create_draft()
    first = await ensure_pdf(create_renderer(), acme, invoice_id)
    assert await ensure_pdf(create_renderer(), acme, invoice_id) == first
    async with acme.database.scope(acme.workspace_id):
        await actions.update_draft(invoice_id, build_content("200"), clock=acme.clock)
    second = await ensure_pdf(create_renderer(), acme, invoice_id)
    assert (first.is_pinned, second.is_pinned, first.sha256 == second.sha256) == (False, False, False)
    async with acme.database.scope(acme.workspace_id):
        await actions.discard_draft(invoice_id)
        count = "SELECT count(*) FROM invoice_pdf WHERE invoice_id = $1"
        assert await fetch_value(count, invoice_id) == 0


async def test_concurrent_renders_of_one_version_pin_one_pdf(
    acme: SampleWorkspace, create_renderer: CreateRenderer
) -> None:
    invoice_id = await acme.issue_invoice()
    # As in the middle of an upgrade: their fingerprints differ.
    pdfs = await asyncio.gather(
        *(
            ensure_pdf(each, acme, invoice_id)
            for each in (create_renderer(), create_renderer(load_other_fonts()), create_renderer())
        )
    )
    assert len(set(pdfs)) == 1
    async with acme.database.scope(acme.workspace_id):
        pinned = "SELECT count(*) FROM invoice_pdf WHERE invoice_id = $1 AND pinned"
        assert await fetch_value(pinned, invoice_id) == 1


async def test_a_lost_blob_is_replaced_only_by_the_same_bytes(
    acme: SampleWorkspace, create_renderer: CreateRenderer, blobs: Blobs
) -> None:
    invoice_id = await acme.issue_invoice()
    first = await ensure_pdf(create_renderer(), acme, invoice_id)
    data = await blobs.get(first.key)
    await blobs.delete(first.key)
    assert await ensure_pdf(create_renderer(), acme, invoice_id) == first
    assert await blobs.get(first.key) == data
    async with acme.database.scope(acme.workspace_id):
        # Each time its readers are told.
        ready = "SELECT count(*) FROM live_event WHERE stream_id = $1 AND kind = 'pdf.ready'"
        assert await fetch_value(ready, invoice_id) == 2
    await blobs.delete(first.key)
    async with acme.database.scope(acme.workspace_id):
        await set_brand(name="Renamed Works")
    with pytest.raises(Unavailable) as caught:
        await ensure_pdf(create_renderer(), acme, invoice_id)
    assert caught.value.code == "pdf.lost"
    with pytest.raises(Missing):
        await blobs.get(first.key)


async def test_another_workspaces_invoice_is_not_there(
    acme: SampleWorkspace, invoice_renderer: InvoiceRenderer, database: Database, settings: Settings
) -> None:
    rival = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    invoice_id = await acme.issue_invoice()
    for owner, asked in ((rival, invoice_id), (acme, InvoiceId(new_id()))):
        with pytest.raises(Missing) as caught:
            await ensure_pdf(invoice_renderer, owner, asked)
        assert caught.value.code == "invoice.not_found"


async def test_the_metadata_name_the_invoice_its_seller_and_when_it_was_issued(
    acme: SampleWorkspace, invoice_renderer: InvoiceRenderer, blobs: Blobs
) -> None:
    invoice_id = await acme.issue_invoice()
    data = await blobs.get((await ensure_pdf(invoice_renderer, acme, invoice_id)).key)
    async with acme.database.scope(acme.workspace_id):
        number = (await queries.load_invoice(invoice_id)).number
        issued: dt.datetime = await fetch_value(
            "SELECT issued_at FROM invoice WHERE invoice_id = $1", invoice_id
        )
    with pikepdf.open(io.BytesIO(data)) as pdf:
        information = {str(key): str(value) for key, value in pdf.docinfo.items()}
        language = str(pdf.Root.Lang)
    moment = issued.astimezone(dt.UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
    assert (information["/Title"], information["/Author"], language) == (
        f"Rechnung {number}",
        "Seller GmbH",
        "de",
    )
    assert (information["/CreationDate"], information["/ModDate"]) == (moment, moment)
