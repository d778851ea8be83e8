"""Builds what the invoice page shows from what the invoice says and how it stands today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from kernel.money import Money
from tenants.invoices.document import brand
from tenants.invoices.document.accounts import compact, holder, is_iban, readable
from tenants.invoices.document.fonts import PageFaces
from tenants.invoices.document.values import DocumentBrand, Sum, SumKind
from tenants.invoices.status import PaymentState, amount_due, payment_state
from web.portal import words
from web.portal.accent import accent
from web.portal.page import Amounts, Brand, Day, Detail, LanguageForm, Logo, PageModel, Transfer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from kernel.language import Language
    from tenants.invoices.content import Content
    from tenants.invoices.values import OpenedInvoice
    from tenants.workspaces.profile import LogoRef, WorkspaceProfile

LOGO_PREFIX: Final = "/brand/"
# Japanese is written in some thirty files: what all wait for is no longer early.
_EARLY_FACES: Final = 8


@dataclass(frozen=True, slots=True)
class Paper:
    """The document of one version in one language, rendered."""

    sheet: str
    list: str
    page_size: str
    faces: PageFaces


def page_model(
    opened: OpenedInvoice,
    content: Content,
    paper: Paper,
    profile: WorkspaceProfile,
    *,
    language: Language,
    today: dt.date,
    json_url: str,
    pdf_url: str,
    pdf_inline_url: str,
    language_form: LanguageForm,
    nonce: str,
) -> PageModel:
    """Return what the page shows on the day `today` of the workspace's time zone."""
    state = state_of(opened, today)
    amounts = _amounts(opened, state, language)
    left = amount_due(opened.total, opened.paid)
    is_payable = state in words.PAYABLE and bool(left)
    # Over nothing, or a credit to the customer: it counts as paid, but nobody ever paid it.
    is_free = not left and not opened.paid
    number = opened.number
    return PageModel(
        language=language.words_tag,
        direction=language.direction,
        title=language.gettext("Invoice %(number)s") % {"number": number} + f" · {profile.name}",
        brand=_brand(profile),
        number=number,
        customer_name=opened.customer_name,
        status=words.describe_status(state, language, is_free=is_free),
        amount_label=words.label_amount(state, language, is_free=is_free),
        amount=_largest(opened, state, amounts, language),
        amounts=amounts,
        issued=_day(opened.issue_date, language),
        due=_day(opened.due_date, language),
        due_words=words.describe_due_date(opened.due_date, today, state, language),
        notice=words.explain_state(state, language, is_free=is_free),
        is_payable=is_payable,
        details=tuple(_details(content, language)),
        transfers=tuple(_transfers(content, number)) if is_payable else (),
        payment_terms=content.payment_terms,
        page_size=paper.page_size,
        # All come from templates and an index of our own; the templates escape whatever they were given.
        early_faces=paper.faces.early[:_EARLY_FACES],
        faces=Markup(paper.faces.css),  # noqa: S704
        paper=Markup(paper.sheet),  # noqa: S704
        list=Markup(paper.list),  # noqa: S704
        json_url=json_url,
        pdf_url=pdf_url,
        pdf_inline_url=pdf_inline_url,
        language_form=language_form,
        nonce=nonce,
    )


def state_of(opened: OpenedInvoice, today: dt.date) -> PaymentState:
    """Return the state of payment on a day; nothing is held before there are payments of our own."""
    return payment_state(
        opened.lifecycle,
        total=opened.total,
        paid=opened.paid,
        held=Money.zero(opened.total.currency),
        due_date=opened.due_date,
        today=today,
    )


def since_issue(opened: OpenedInvoice, today: dt.date, language: Language) -> tuple[Sum, ...]:
    """Return the rows below the totals that lead from what was invoiced to what is still due; none if it all is."""
    if state_of(opened, today) not in words.PAYABLE or not opened.paid:
        return ()
    left = amount_due(opened.total, opened.paid)
    due = language.gettext("Amount due (%(currency)s)") % {"currency": left.currency.code}
    return (
        Sum(SumKind.STEP, language.gettext("Paid so far"), language.amount(-opened.paid)),
        Sum(SumKind.PAYABLE, due, language.amount(left)),
    )


def document_brand(profile: WorkspaceProfile) -> DocumentBrand:
    """Return the workspace's name and logo as the document wants them."""
    logo = profile.logo
    return brand.document_brand(profile, "" if logo is None else _address(logo))


def logo_of(profile: WorkspaceProfile) -> Logo | None:
    """Return where the workspace's logo is, scaled to the height of the masthead; None when it has none."""
    stored = profile.logo
    if stored is None:
        return None
    return Logo(_address(stored), *brand.shown_size(stored))


def _address(logo: LogoRef) -> str:
    return f"{LOGO_PREFIX}{logo.sha256}.png"


def _brand(profile: WorkspaceProfile) -> Brand:
    return Brand(profile.name, profile.contact_line, logo_of(profile), accent(profile.brand_colour))


def _amounts(opened: OpenedInvoice, state: PaymentState, language: Language) -> Amounts:
    zero = Money.zero(opened.total.currency)
    left = amount_due(opened.total, opened.paid)
    due = left if state in words.PAYABLE or state is PaymentState.PROCESSING else zero
    # More than the total, or a total that owes the customer: said, never hidden by a zero.
    credit = max(opened.paid - max(opened.total, zero), zero)
    return Amounts(
        due=language.money(due),
        due_exact=language.typed(due),
        total=language.money(opened.total),
        paid=language.money(opened.paid) if opened.paid else "",
        held="",
        credit=language.money(credit) if credit else "",
        currency=opened.total.currency.code,
    )


def _largest(opened: OpenedInvoice, state: PaymentState, amounts: Amounts, language: Language) -> str:
    match state:
        case PaymentState.PAID:
            # An invoice over nothing counts as paid, and so does one set to paid before payments are recorded.
            return language.money(opened.paid or opened.total)
        case PaymentState.VOID | PaymentState.WRITTEN_OFF:
            return amounts.total
        case _:
            return amounts.due


def _day(day: dt.date | None, language: Language) -> Day | None:
    return None if day is None else Day(language.date(day), day.isoformat())


def _details(content: Content, language: Language) -> Iterator[Detail]:
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


def _transfers(content: Content, number: str) -> Iterator[Transfer]:
    for account in content.transfers:
        iban = is_iban(account.account)
        yield Transfer(
            holder=holder(account, content),
            account=readable(account.account),
            account_raw=compact(account.account) if iban else account.account.strip(),
            is_iban=iban,
            bic=account.bic,
            bank=account.bank,
            reference=account.reference or number,
        )
