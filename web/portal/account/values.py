"""The values that the pages of a customer's person print: complete strings in their language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from web.portal.page import Brand, Day, Status

# These pages are rendered for each request and are never cached: `page` may depend on the visitor. They are sent
# without compression, because they show what somebody typed beside tokens (BREACH).


@dataclass(frozen=True, slots=True)
class AccountMenu:
    """What the head of a page shows to somebody who has signed in; `token` is that of the form that signs out."""

    email: str
    token: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What all these pages have around their content. `menu` is None for somebody who has not signed in."""

    language: str
    direction: str
    title: str
    heading: str
    brand: Brand
    nonce: str
    menu: AccountMenu | None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page with its frame; `base.html.jinja` reads the first three values from the page itself."""

    frame: Frame

    @property
    def language(self) -> str:
        """BCP 47, for <html lang>."""
        return self.frame.language

    @property
    def direction(self) -> str:
        """Either ltr or rtl, for <html dir>."""
        return self.frame.direction

    @property
    def title(self) -> str:
        """The text of <title>."""
        return self.frame.title

    @property
    def nonce(self) -> str:
        """The nonce of the <style> element."""
        return self.frame.nonce


@dataclass(frozen=True, slots=True)
class SignInPage(AccountPage):
    """One step of signing in: `step` is email, code or authenticator; `restart_url` leads to the first one.

    `notice` says what has just happened, the errors stand at their fields; all three may be empty.
    """

    step: str
    token: str
    sign_out_token: str
    email: str
    target: str
    restart_url: str
    notice: str = ""
    email_error: str = ""
    code_error: str = ""


@dataclass(frozen=True, slots=True)
class OpenTotal:
    """What is to be paid in one currency; `overdue_words` is empty when nothing is overdue."""

    amount: str
    words: str
    overdue_words: str


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice in the list. `due_words` and `unread_words` may be empty; `customer` is, if there is only one."""

    url: str
    number: str
    customer: str
    issued: Day | None
    due: Day | None
    due_words: str
    status: Status
    amount_due: str
    total: str
    unread_words: str


@dataclass(frozen=True, slots=True)
class InvoiceGroup:
    """One list of the home: `key` is open or closed; `older_url` is empty on its last page."""

    key: str
    heading: str
    rows: tuple[InvoiceRow, ...]
    older_url: str


@dataclass(frozen=True, slots=True)
class HomePage(AccountPage):
    """A customer's invoices. `empty_words` says why there are none; `is_part` on a page of older ones of one group."""

    totals: tuple[OpenTotal, ...]
    groups: tuple[InvoiceGroup, ...]
    has_search: bool
    search: str
    is_part: bool
    empty_words: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An open session of this person."""

    id: str
    browser: str
    network: str
    used_text: str
    used_iso: str
    begun_text: str
    begun_iso: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class SecurityPage(AccountPage):
    """Sessions and the authenticator. `codes_words` says how many recovery codes are left.

    `can_enrol` is false for an address that is no contact: only contacts have an authenticator.
    """

    token: str
    sessions: tuple[SessionRow, ...]
    has_others: bool
    has_authenticator: bool
    can_enrol: bool
    codes_words: str
    notice: str = ""
    code_error: str = ""


@dataclass(frozen=True, slots=True)
class EnrolmentPage(AccountPage):
    """A new authenticator: `qr` is an SVG element, `key` the same in groups for typing; empty before the first step."""

    token: str
    target: str
    qr: Markup
    key: str
    uri: str
    code_error: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryPage(AccountPage):
    """New recovery codes, which are shown this once; `target` is where to go on to."""

    codes: tuple[str, ...]
    target: str
    intro: str


@dataclass(frozen=True, slots=True)
class MutePage(AccountPage):
    """Mail about the comments of one invoice: `is_muted` says how it is now."""

    invoice: str
    email: str
    is_muted: bool
    mute_url: str
    unmute_url: str


@dataclass(frozen=True, slots=True)
class FreshLinkPage:
    """The answer to a request for fresh links: `error` is empty when it was accepted. It belongs to no workspace."""

    language: str
    direction: str
    title: str
    text: str
    email: str
    error: str
