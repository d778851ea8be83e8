"""The form that writes a comment: what it asks for, cached as long as nothing was typed."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from kernel.ids import new_id
from tenants.access.modes import find_missing_proofs, list_proven
from tenants.access.values import Proof
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode
from web.http.lru import MEBIBYTE, SharedCache
from web.http.sections import Section, mark_slot
from web.http.templates import load_words
from web.portal.thread.model import TOKEN_SLOT
from web.portal.thread.threads import find_proven_address
from web.portal.thread.values import Challenge, ComposerModel
from web.portal.thread.words import describe_challenge, describe_requirement

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from kernel.language import Language
    from tenants.comments.values import Comment
    from tenants.invoices.values import InvoiceAccess
    from web.http.templates import Templates

CACHE_BYTES: Final = 32 * MEBIBYTE
# The slots of the section, beside those of the thread.
_SLOTS: Final = {each: f"composer_{each}" for each in ("client_id", "name", "email", "body", "address")}


class Writer(msgspec.Struct, frozen=True):
    """Who is about to write: the name and the address as far as they are known.

    `is_known`: signed in. `is_remembered`: both are those of an earlier comment of this browser.
    """

    name: str = ""
    email: str = ""
    is_known: bool = False
    is_remembered: bool = False


class TypedFields(msgspec.Struct, frozen=True):
    """What was typed into the form."""

    client_id: str = ""
    name: str = ""
    email: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a comment was not stored: messages by field, the same as one sentence, and what is to be proven now."""

    status: int
    code: str
    errors: Mapping[str, str]
    detail: str
    challenge: Challenge = Challenge.NONE
    retry_after_s: float | None = None


class ComposerKey(msgspec.Struct, frozen=True):
    """Everything that the section of a composer depends on before something is typed."""

    path: str
    invoice_id: str
    locale: str
    staff_name: str
    authority: WriteAuthority
    missing: tuple[Proof, ...]
    challenge: Challenge
    is_known: bool
    is_remembered: bool
    is_blank: bool
    """Nothing was typed and nobody is known: the fields are empty and need no slots."""


class Composers:
    """Renders composers."""

    def __init__(self, templates: Templates, *, cache_bytes: int = CACHE_BYTES) -> None:
        """Cache up to `cache_bytes` of sections."""
        self._templates = templates
        self._cache: SharedCache[ComposerKey, Section] = SharedCache(cache_bytes, lambda _result: None)

    async def render(self, key: ComposerKey, refusal: Refusal | None = None) -> Section:
        """Return the form; one with a refusal is not cached."""
        if refusal is not None:
            return self._render(
                msgspec.structs.replace(key, challenge=refusal.challenge or key.challenge), refusal.errors
            )
        return self._cache.get(key) or await self._cache.get_or_make(key, lambda: self._make(key))

    def warm(self, key: ComposerKey) -> int:
        """Render a form; returns its size in bytes."""
        return self._render(key, {}).size

    async def _make(self, key: ComposerKey) -> Section:
        return self._render(key, {})

    def _render(self, key: ComposerKey, errors: Mapping[str, str]) -> Section:
        language = load_words(key.locale)
        model = build_composer_model(key, errors, language)
        return Section.split(self._templates.render("composer.html.jinja", language, model))


def make_composer_key(
    access: InvoiceAccess,
    writer: Writer,
    typed: TypedFields | None,
    *,
    token: str,
    locale: str,
    staff_name: str,
) -> ComposerKey:
    """Return what the form is to ask for."""
    authority = access.authority
    missing: tuple[Proof, ...] = ()
    challenge = Challenge.NONE
    if authority.mode is not WriteMode.CLOSED:
        missing = find_missing(access, list_proofs(access))
        challenge = choose_challenge(missing, access)
    return ComposerKey(
        f"/i/{token}",
        str(access.invoice.invoice_id),
        locale,
        staff_name,
        authority,
        missing,
        challenge,
        writer.is_known,
        writer.is_remembered,
        is_blank=typed is None and not writer.email,
    )


def list_proofs(access: InvoiceAccess, address: str | None = None) -> frozenset[Proof]:
    """Return what whoever opened an invoice has proven, for a comment under `address` if one is given."""
    visitor = access.visitor
    return list_proven(
        has_link=access.invoice.link_id is not None,
        session=None if visitor is None else visitor.session,
        is_contact=visitor is not None and visitor.contact_id is not None,
        address=address,
    )


def find_missing(access: InvoiceAccess, proofs: AbstractSet[Proof]) -> tuple[Proof, ...]:
    """Return what is missing to write about an invoice that was opened; Denied("write.closed")."""
    has_authenticator = access.visitor is not None and access.visitor.session.has_authenticator
    return find_missing_proofs(access.authority, proofs, has_authenticator=has_authenticator)


def choose_challenge(missing: tuple[Proof, ...], access: InvoiceAccess) -> Challenge:
    """Return what the form asks for before anything was sent: a code is sent only once an address is known."""
    if missing[:1] != (Proof.TOTP,):
        return Challenge.NONE
    visitor = access.visitor
    return Challenge.TOTP if visitor is not None and visitor.session.has_authenticator else Challenge.ENROL


def find_writer(access: InvoiceAccess, own: Sequence[Comment]) -> Writer:
    """Return the name and address to write under: of the session, else of this browser's last comment."""
    last = own[-1] if own else None
    visitor = access.visitor
    address = "" if visitor is None else find_proven_address(visitor)
    if address and visitor is not None:
        name = visitor.contact_name or (last.author_name if last else "")
        must_prove = access.authority.mode is WriteMode.CUSTOMER
        is_known = bool(name) and (visitor.contact_id is not None or not must_prove)
        return Writer(name, address, is_known=is_known)
    if last is not None:
        return Writer(last.author_name, last.author_email, is_remembered=True)
    return Writer()


def fill_slots(writer: Writer, typed: TypedFields | None) -> dict[str, bytes]:
    """Return the slots of the form: what was typed, else what is known of the writer."""
    if typed is None and not writer.email:
        return {_SLOTS["client_id"]: str(new_id()).encode()}
    values = typed or TypedFields(name=writer.name, email=writer.email)
    email = html.escape(values.email).encode()
    return {
        _SLOTS["client_id"]: html.escape(values.client_id or str(new_id())).encode(),
        _SLOTS["name"]: html.escape(values.name).encode(),
        _SLOTS["email"]: email,
        _SLOTS["address"]: email,
        _SLOTS["body"]: html.escape(values.body).encode(),
    }


def build_composer_model(key: ComposerKey, errors: Mapping[str, str], language: Language) -> ComposerModel:
    """Return what the form shows."""

    def choose_slot(name: str) -> str:
        return "" if key.is_blank else mark_slot(_SLOTS[name])

    is_closed = key.authority.mode is WriteMode.CLOSED
    words = describe_challenge(
        key.challenge,
        language,
        address=choose_slot("address"),
        is_uniform=sends_to_contacts_only(key.authority),
    )
    return ComposerModel(
        is_closed=is_closed,
        closed_words=language.gettext("Comments on this invoice are closed.") if is_closed else "",
        action=f"{key.path}/comments",
        forget_url=f"{key.path}/forget",
        token=mark_slot(TOKEN_SLOT),
        client_id=mark_slot(_SLOTS["client_id"]),
        invoice_id=key.invoice_id,
        is_known=key.is_known,
        is_remembered=key.is_remembered,
        name=choose_slot("name"),
        email=choose_slot("email"),
        body=choose_slot("body"),
        errors=errors,
        hint=describe_requirement(key.authority, frozenset(key.missing), language),
        challenge=key.challenge,
        challenge_words=words,
        enrol_url=f"/authenticator?next={key.path}",
        staff_name=key.staff_name,
    )


def sends_to_contacts_only(authority: WriteAuthority) -> bool:
    """Tell whether only contacts of the customer get a code."""
    return authority.mode is WriteMode.CUSTOMER or authority.otp_policy is OtpPolicy.CONTACTS
