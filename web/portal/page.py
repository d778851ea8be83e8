"""The values that the invoice page prints: complete strings in the customer's language."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

# A template gets one variable, `page`, and the globals `_`, `ngettext`, `pgettext` (the customer's language,
# autoescaped) and `asset(name)` (the hashed URL of a source named in Vite's manifest). Invoice pages are rendered
# once for many visitors and cached: nothing in a template may depend on the request. Values that do are slots,
# which each response fills: `nonce`, and `token` and `error` of `language_form`; a template prints them unchanged. The
# policy allows scripts and <style> elements with the nonce and files of this host; style attributes and inline
# handlers are refused.


@dataclass(frozen=True, slots=True)
class Accent:
    """The brand's colour as `#rrggbb`, adapted to a contrast of 4.5:1 on the light and on the dark background.

    `on_light` and `on_dark` are black or white, whichever has more contrast on the accent itself.
    """

    light: str
    on_light: str
    dark: str
    on_dark: str


@dataclass(frozen=True, slots=True)
class Logo:
    """An image served by this host; the size in pixels is known, so that the page does not jump."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Brand:
    """The workspace as the page shows it. `contact` is one line of plain text, empty when there is none."""

    name: str
    contact: str
    logo: Logo | None
    accent: Accent


@dataclass(frozen=True, slots=True)
class Status:
    """State of payment: `state` is the stable key (for CSS), `word` the text, `icon` the name of the icon.

    States: due, overdue, partly_paid, processing, paid, overpaid, disputed, void, written_off.
    Icons: clock, alert, half, hourglass, check, added, question, cross, minus.
    """

    state: str
    word: str
    icon: str


@dataclass(frozen=True, slots=True)
class Day:
    """A date as text, and in ISO 8601 for the attribute `datetime` of <time>."""

    text: str
    iso: str


@dataclass(frozen=True, slots=True)
class Amounts:
    """Sums with their currency, ready to print.

    `paid` and `held` are empty when they are zero: then the page has no row for them. `due_exact` is to be
    copied into a bank's form: no currency and no grouping ("1234,50"). `due` is never below zero: `credit` holds
    an overpayment.
    """

    due: str
    due_exact: str
    total: str
    paid: str
    held: str
    credit: str
    currency: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One labelled fact: buyer reference, purchase order, contract, project, customer."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A bank account to pay to. `account` is grouped for reading (an IBAN in fours), `account_raw` for copying.

    `is_iban` decides the label; `reference`, which the payment must quote, is never empty. Empty strings have no row.
    """

    holder: str
    account: str
    account_raw: str
    is_iban: bool
    bic: str
    bank: str
    reference: str


@dataclass(frozen=True, slots=True)
class LanguageOption:
    """A language that the page can be shown in: `code` for the form, `name` in that language."""

    code: str
    name: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class LanguageForm:
    """The form that chooses the page's language, posted to `action`.

    `token` and `error` depend on the visitor: the template prints each of them once, so that they can be filled in
    after rendering. The element of an empty `error` is hidden by CSS.
    """

    action: str
    token: str
    error: str
    options: tuple[LanguageOption, ...]


@dataclass(frozen=True, slots=True)
class PageModel:
    """Everything `invoice.html.jinja` prints."""

    language: str  # BCP 47, for <html lang>
    direction: str  # ltr or rtl, for <html dir>
    title: str  # for <title>: number and workspace, no amount (it would show in window lists)
    brand: Brand
    number: str
    version: int  # of the document, by which a script knows whether it is still the newest
    customer_name: str
    status: Status
    amount_label: str  # "Amount due", or "Paid", "Total" where nothing is due any more
    amount: str  # the amount in the largest type; `amount_label` names it
    amounts: Amounts
    issued: Day | None
    due: Day | None
    due_words: str  # "due in 9 days", "due today", "14 days overdue"; empty when it no longer matters
    notice: str  # one sentence when nothing is to be paid: paid, void, written off, processing; else empty
    is_payable: bool  # whether the page asks for money
    details: tuple[Detail, ...]
    transfers: tuple[Transfer, ...]  # empty where nothing is to be paid
    payment_terms: str
    page_size: str  # "A4" or "Letter"
    early_faces: tuple[str, ...]  # URLs of the font faces to preload
    faces: Markup  # @font-face rules for what the document has beside Latin letters
    paper: Markup  # the document, for the declarative shadow root
    list: Markup  # the same document as a list, for phones
    json_url: str
    events_url: str  # the long poll
    ticket_url: str  # for the hub
    # Both may hold a query: a template appends nothing to them. Their links have no attribute `download`, because the
    # response is a page while the PDF is being printed.
    pdf_url: str  # downloads the PDF
    pdf_inline_url: str  # opens it in place
    language_form: LanguageForm
    # Slots that other sections are put into: the thread, the words of the link to it, the composer.
    thread: Markup
    thread_link: str
    composer: Markup
    nonce: str
