"""The page's model: sums, dates and accounts as a customer is told them, whatever the state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import UUID

import pytest
from markupsafe import Markup
from msgspec.structs import replace

from kernel.ids import WorkspaceId
from kernel.money import Currency, Money, find_currency
from tenants.ids import CustomerId, InvoiceId, LinkId
from tenants.invoices.content import Content, Transfer
from tenants.invoices.document.fonts import PageFonts
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.values import OpenedInvoice
from tenants.workspaces.profile import LogoRef, WorkspaceProfile
from web.http.templates import load_words
from web.portal.page import PageModel
from web.portal.summary import Paper, build_logo, build_page_model, list_sums_since_issue
from web.portal.words import build_language_form

ID = UUID(int=7)
TODAY = dt.date(2026, 3, 16)
EUR = find_currency("EUR")
PROFILE = WorkspaceProfile(
    workspace_id=WorkspaceId(ID),
    slug="acme",
    name="Acme GmbH",
    locale="de-DE",
    time_zone="Europe/Berlin",
    currency="EUR",
    brand_colour="#2f5bd7",
    contact_line="billing@acme.example",
    logo=None,
    payment_days=14,
    link_days=30,
)
OPENED = OpenedInvoice(
    invoice_id=InvoiceId(ID),
    link_id=LinkId(ID),
    customer_id=CustomerId(ID),
    contact_id=None,
    number="INV-7",
    status=InvoiceStatus.ISSUED,
    total=Money(123450, EUR),
    paid=Money(0, EUR),
    held=Money(0, EUR),
    processing=Money(0, EUR),
    is_disputed=False,
    issue_date=dt.date(2026, 3, 11),
    due_date=dt.date(2026, 3, 25),
    version=1,
    customer_name="Kunde AG",
    locale=None,
    changed_at=dt.datetime(2026, 3, 11, tzinfo=dt.UTC),
)

Make = Callable[..., PageModel]


@pytest.fixture
def model(content: Callable[..., Content]) -> Make:
    def make(tag: str = "en-US", said: Content | None = None, **fields: object) -> PageModel:
        return build_page_model(
            replace(OPENED, **fields),
            said or content(),
            Paper("<p>paper</p>", "<ul></ul>", "A4", PageFonts()),
            PROFILE,
            language=load_words(tag),
            today=TODAY,
            json_url="/i/x/invoice.json",
            events_url="/i/x/events",
            ticket_url="/i/x/ticket",
            pdf_url="/i/x/invoice.pdf",
            pdf_inline_url="/i/x/invoice.pdf?inline",
            language_form=build_language_form(load_words(tag), action="/i/x/language"),
            thread=Markup(),
            thread_link="",
            composer=Markup(),
            nonce="n",
        )

    return make


def test_what_is_due_is_the_largest_thing_on_the_page(model: Make) -> None:
    page = model()
    assert (page.amount_label, page.amount, page.due_words) == ("Amount due", "€1,234.50", "due in 9 days")
    assert (page.status.word, page.is_payable, page.notice) == ("Due", True, "")
    assert (page.amounts.due_exact, page.amounts.paid, page.amounts.credit) == ("1234.50", "", "")
    assert (page.title, page.language, page.direction) == ("Invoice INV-7 · Acme GmbH", "en", "ltr")


def test_the_customers_language_changes_words_numbers_and_dates(model: Make) -> None:
    page = model("de-DE")
    assert (page.amount, page.due_words) == ("1.234,50\N{NO-BREAK SPACE}€", "in 9 Tagen fällig")
    assert page.due is not None
    assert (page.due.text, page.due.iso) == ("25.03.2026", "2026-03-25")
    assert page.title == "Rechnung INV-7 · Acme GmbH"


def test_words_without_a_catalogue_are_announced_as_english_in_the_locales_direction(model: Make) -> None:
    page = model("ar-EG")
    assert (page.language, page.direction, page.status.word) == ("en", "rtl", "Due")


def test_a_part_payment_is_taken_off(model: Make) -> None:
    page = model(paid=Money(23450, EUR))
    assert (page.status.word, page.amount, page.amounts.paid) == ("Partly paid", "€1,000.00", "€234.50")


def test_a_part_payment_leads_from_the_total_to_what_is_left() -> None:
    paid = replace(OPENED, paid=Money(23450, EUR))
    assert [
        (each.label, each.amount) for each in list_sums_since_issue(paid, TODAY, load_words("en-US"))
    ] == [
        ("Paid so far", "−234.50"),
        ("Amount due (EUR)", "1,000.00"),
    ]
    late = list_sums_since_issue(paid, TODAY + dt.timedelta(days=30), load_words("de-DE"))
    assert [(each.label, each.amount) for each in late] == [
        ("Bisher gezahlt", "−234,50"),
        ("Zu zahlen (EUR)", "1.000,00"),
    ]


@pytest.mark.parametrize(
    "opened",
    [
        OPENED,
        replace(OPENED, paid=Money(123450, EUR)),
        replace(OPENED, status=InvoiceStatus.VOID, paid=Money(1, EUR)),
        replace(OPENED, status=InvoiceStatus.WRITTEN_OFF, paid=Money(1, EUR)),
    ],
)
def test_where_all_or_nothing_is_due_the_totals_are_the_last_word(opened: OpenedInvoice) -> None:
    assert list_sums_since_issue(opened, TODAY, load_words("en-US")) == ()


def test_an_amount_is_copied_as_the_customer_would_type_it(model: Make) -> None:
    assert model("de-DE").amounts.due_exact == "1234,50"


def test_a_paid_invoice_asks_for_nothing(model: Make) -> None:
    page = model(paid=Money(123450, EUR))
    assert (page.status.word, page.amount_label, page.amount) == ("Paid", "Paid", "€1,234.50")
    assert (page.is_payable, page.due_words, page.amounts.due_exact) == (False, "", "0.00")
    assert page.notice == "This invoice is paid. Thank you."


def test_what_was_paid_too_much_is_said(model: Make) -> None:
    page = model(paid=Money(123950, EUR))
    assert (page.status.state, page.amount, page.notice) == (
        "overpaid",
        "€1,239.50",
        "This invoice is paid. Thank you.",
    )
    assert (page.amounts.credit, page.amounts.due_exact) == ("€5.00", "0.00")


@pytest.mark.parametrize("status", [InvoiceStatus.VOID, InvoiceStatus.WRITTEN_OFF])
def test_a_closed_invoice_shows_its_total_and_asks_for_nothing(model: Make, status: InvoiceStatus) -> None:
    page = model(status=status)
    assert (page.amount_label, page.amount, page.is_payable) == ("Total", "€1,234.50", False)
    assert page.notice


def test_an_invoice_over_nothing_asks_for_nothing_and_thanks_for_nothing(model: Make) -> None:
    page = model(total=Money(0, EUR))
    assert (page.status.state, page.status.word, page.notice) == (
        "paid",
        "Nothing to pay",
        "You do not need to do anything.",
    )
    assert (page.amount_label, page.amount, page.is_payable) == ("Total", "€0.00", False)


def test_an_invoice_that_owes_the_customer_asks_for_nothing(model: Make) -> None:
    page = model(total=Money(-5000, EUR))
    assert (page.amount_label, page.status.word) == ("Total", "Nothing to pay")
    assert (page.amounts.due_exact, page.amount, page.is_payable) == ("0.00", "−€50.00", False)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": InvoiceStatus.VOID},
        {"status": InvoiceStatus.WRITTEN_OFF},
        {"paid": OPENED.total},
        {"paid": Money(200000, EUR)},
        {"is_disputed": True},
        {"processing": OPENED.total, "held": OPENED.total},
        {"total": Money(-5000, EUR)},
        {"total": Money(0, EUR)},
    ],
    ids=("void", "written-off", "paid", "overpaid", "disputed", "processing", "credit", "nothing"),
)
def test_where_nothing_is_to_be_paid_no_account_is_named(
    model: Make, content: Callable[..., Content], fields: dict[str, object]
) -> None:
    accounts = content(transfers=(Transfer(account="DE89370400440532013000"),))
    assert model(said=accounts).transfers
    page = model(said=accounts, **fields)
    assert (page.is_payable, page.transfers) == (False, ())


def test_a_disputed_invoice_says_so_and_asks_for_no_second_payment(model: Make) -> None:
    page = model(is_disputed=True)
    assert (page.status.word, page.amount_label, page.amount, page.is_payable) == (
        "Disputed",
        "Total",
        "€1,234.50",
        False,
    )
    assert page.notice == "A payment of this invoice is disputed. Please do not pay it again."


def test_a_part_that_is_processed_has_a_row_of_its_own_and_the_rest_is_due(model: Make) -> None:
    page = model(processing=Money(23450, EUR), held=Money(23450, EUR))
    assert (page.status.state, page.amounts.held, page.is_payable) == ("due", "€234.50", True)


def test_what_covers_all_is_shown_as_being_processed_and_not_as_paid(model: Make) -> None:
    page = model(processing=Money(123450, EUR), held=Money(123450, EUR))
    assert (page.status.state, page.amount_label, page.amount) == (
        "processing",
        "Being processed",
        "€1,234.50",
    )
    assert (page.amounts.held, page.amounts.paid) == ("", "")


def test_an_amount_that_somebody_only_began_to_pay_is_still_due(model: Make) -> None:
    page = model(held=Money(123450, EUR))
    assert (page.status.state, page.amounts.held, page.is_payable) == ("due", "", True)


def test_currencies_keep_their_own_digits(model: Make) -> None:
    def amounts(of: Currency) -> dict[str, Money]:
        zero = Money.zero(of)
        return {"total": Money(1234, of), "paid": zero, "held": zero, "processing": zero}

    yen, dinar = find_currency("JPY"), find_currency("KWD")
    assert model(**amounts(yen)).amounts.due_exact == "1234"
    assert model(**amounts(dinar)).amounts.due_exact == "1.234"


def test_an_iban_is_grouped_for_reading_and_plain_for_copying(
    model: Make, content: Callable[..., Content]
) -> None:
    accounts = (
        Transfer(account="de89370400440532013000", bic="COBADEFFXXX", reference="RF18"),
        Transfer(account="12-345 678", holder="Acme Ltd", bank="Bank of Acme"),
    )
    first, second = model(said=content(transfers=accounts)).transfers
    assert (first.account, first.account_raw) == ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000")
    assert (first.is_iban, first.holder, first.reference) == (True, "Acme GmbH", "RF18")
    assert (second.account, second.is_iban, second.holder) == ("12-345 678", False, "Acme Ltd")
    # Without a reference of its own the number is what to quote.
    assert second.reference == "INV-7"


def test_references_are_listed_when_there_are_any(model: Make, content: Callable[..., Content]) -> None:
    page = model(said=content(purchase_order="4500012", contract="", buyer_reference="PO-77"))
    assert [(detail.label, detail.value) for detail in page.details] == [
        ("Your reference", "PO-77"),
        ("Purchase order", "4500012"),
    ]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((120, 60), (80, 40)), ((2000, 100), (240, 12)), ((10, 400), (1, 40)), ((40, 40), (40, 40))],
)
def test_a_logo_is_shown_as_a_mark_of_one_height(size: tuple[int, int], shown: tuple[int, int]) -> None:
    logo = build_logo(replace(PROFILE, logo=LogoRef("ab" * 32, *size)))
    assert logo is not None
    assert (logo.width, logo.height) == shown
    assert logo.url == f"/brand/{'ab' * 32}.png"
