"""Builds the values of the invoice page from the invoice's content, its state and the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from kernel.identifiers import clean_account, find_iban, format_account
from kernel.money import Money
from tenants.invoices.document import brand
from tenants.invoices.document.accounts import find_holder
from tenants.invoices.document.fonts import PageFonts
from tenants.invoices.document.values import DocumentBrand, TotalRow, TotalRowKind
from tenants.invoices.status import PaymentState, compute_amount_due, derive_payment_state
from web.portal import words
from web.portal.accent import adapt_accent
from web.portal.page import Amounts, Brand, Day, Detail, LanguageForm, Logo, PageModel, Transfer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from kernel.language import Language
    from tenants.invoices.content import Content
    from tenants.invoices.values import OpenedInvoice
    from tenants.workspaces.profile import LogoRef, WorkspaceProfile

LOGO_PREFIX: Final = "/brand/"
# A Japanese document has some thirty faces: the page would wait for too many preloads.
_EARLY_FACES: Final = 8


@dataclass(frozen=True, slots=True)
class Paper:
    """The document of one version in one language, rendered."""

    sheet: str
    list: str
    page_size: str
    faces: PageFonts


def build_page_model(
    opened: OpenedInvoice,
    content: Content,
    paper: Paper,
    profile: WorkspaceProfile,
    *,
    language: Language,
    today: dt.date,
    json_url: str,
    events_url: str,
    ticket_url: str,
    pdf_url: str,
    pdf_inline_url: str,
    language_form: LanguageForm,
    thread: Markup,
    thread_link: str,
    composer: Markup,
    nonce: str,
) -> PageModel:
    """Return what the page shows on the day `today` of the workspace's time zone."""
    state = compute_payment_state(opened, today)
    amounts = _format_amounts(opened, state, language)
    left = compute_amount_due(opened.total, opened.paid)
    is_payable = state in words.PAYABLE and bool(left)
    # An invoice over zero, or a credit to the customer, counts as paid although nobody paid it.
    was_never_payable = not left and not opened.paid
    number = opened.number
    return PageModel(
        language=language.message_tag,
        direction=language.direction,
        title=language.gettext("Invoice %(number)s") % {"number": number} + f" · {profile.name}",
        brand=build_brand(profile),
        number=number,
        version=opened.version,
        customer_name=opened.customer_name,
        status=words.describe_status(state, language, was_never_payable=was_never_payable),
        amount_label=words.label_amount(state, language, was_never_payable=was_never_payable),
        amount=_choose_amount(opened, state, amounts, language),
        amounts=amounts,
        issued=format_day(opened.issue_date, language),
        due=format_day(opened.due_date, language),
        due_words=words.describe_due_date(opened.due_date, today, state, language),
        notice=words.explain_state(state, language, was_never_payable=was_never_payable),
        is_payable=is_payable,
        details=tuple(_list_details(content, language)),
        transfers=tuple(_list_transfers(content, number)) if is_payable else (),
        payment_terms=content.payment_terms,
        page_size=paper.page_size,
        # Templates and a font index of our own made these strings; the templates escape their values.
        early_faces=paper.faces.preload_urls[:_EARLY_FACES],
        faces=Markup(paper.faces.css),  # noqa: S704
        paper=Markup(paper.sheet),  # noqa: S704
        list=Markup(paper.list),  # noqa: S704
        json_url=json_url,
        events_url=events_url,
        ticket_url=ticket_url,
        pdf_url=pdf_url,
        pdf_inline_url=pdf_inline_url,
        language_form=language_form,
        thread=thread,
        thread_link=thread_link,
        composer=composer,
        nonce=nonce,
    )


def compute_payment_state(opened: OpenedInvoice, today: dt.date) -> PaymentState:
    """Return the state of payment on a day."""
    return derive_payment_state(
        opened.status,
        total=opened.total,
        paid=opened.paid,
        processing=opened.processing,
        is_disputed=opened.is_disputed,
        due_date=opened.due_date,
        today=today,
    )


def list_sums_since_issue(opened: OpenedInvoice, today: dt.date, language: Language) -> tuple[TotalRow, ...]:
    """Return the rows below the totals: what was paid and what is due; none if nothing was paid or nothing is due."""
    if compute_payment_state(opened, today) not in words.PAYABLE or opened.paid.minor <= 0:
        return ()
    left = compute_amount_due(opened.total, opened.paid)
    due = language.gettext("Amount due (%(currency)s)") % {"currency": left.currency.code}
    return (
        TotalRow(TotalRowKind.PLAIN, language.gettext("Paid so far"), language.format_amount(-opened.paid)),
        TotalRow(TotalRowKind.PAYABLE, due, language.format_amount(left)),
    )


def build_document_brand(profile: WorkspaceProfile) -> DocumentBrand:
    """Return the workspace's name and logo for the document."""
    logo = profile.logo
    return brand.build_document_brand(profile, "" if logo is None else _build_logo_url(logo))


def build_logo(profile: WorkspaceProfile) -> Logo | None:
    """Return the workspace's logo, scaled to the height of the masthead; None without a logo."""
    stored = profile.logo
    if stored is None:
        return None
    return Logo(_build_logo_url(stored), *brand.fit_logo(stored))


def _build_logo_url(logo: LogoRef) -> str:
    return f"{LOGO_PREFIX}{logo.sha256}.png"


def build_brand(profile: WorkspaceProfile) -> Brand:
    """Return the workspace as its pages show it."""
    return Brand(profile.name, profile.contact_line, build_logo(profile), adapt_accent(profile.brand_colour))


def _format_amounts(opened: OpenedInvoice, state: PaymentState, language: Language) -> Amounts:
    zero = Money.zero(opened.total.currency)
    left = compute_amount_due(opened.total, opened.paid)
    due = left if state in words.PAYABLE or state is PaymentState.PROCESSING else zero
    is_partly_processed = opened.processing > zero and state is not PaymentState.PROCESSING
    # An overpayment, or a total in favour of the customer: the page names it, where `due` is zero.
    credit = max(opened.paid - max(opened.total, zero), zero)
    return Amounts(
        due=language.format_money(due),
        due_exact=language.format_ungrouped_amount(due),
        total=language.format_money(opened.total),
        paid=language.format_money(opened.paid) if opened.paid > zero else "",
        held=language.format_money(opened.processing) if is_partly_processed else "",
        credit=language.format_money(credit) if credit else "",
        currency=opened.total.currency.code,
    )


def _choose_amount(opened: OpenedInvoice, state: PaymentState, amounts: Amounts, language: Language) -> str:
    match state:
        case PaymentState.PAID | PaymentState.OVERPAID:
            # An invoice over zero counts as paid.
            return language.format_money(opened.paid or opened.total)
        case PaymentState.VOID | PaymentState.WRITTEN_OFF | PaymentState.DISPUTED:
            return amounts.total
        case _:
            return amounts.due


def format_day(day: dt.date | None, language: Language) -> Day | None:
    """Return a date as text and for machines."""
    return None if day is None else Day(language.format_date(day), day.isoformat())


def _list_details(content: Content, language: Language) -> Iterator[Detail]:
    _ = language.gettext
    facts = (
        (_("Your reference"), content.buyer_reference),
        (_("Purchase order"), content.purchase_order),
        (_("Sales order"), content.sales_order),
        (_("Contract"), content.contract),
        (_("Project"), content.project),
        (_("Refers to invoice"), content.preceding_invoice),
    )
    return (Detail(label, value) for label, value in facts if value)


def _list_transfers(content: Content, number: str) -> Iterator[Transfer]:
    for account in content.transfers:
        yield Transfer(
            holder=find_holder(account, content),
            account=format_account(account.account),
            account_raw=clean_account(account.account),
            is_iban=find_iban(account.account) is not None,
            bic=account.bic,
            bank=account.bank,
            reference=account.reference or number,
        )
