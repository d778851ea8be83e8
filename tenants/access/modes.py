"""What a visitor has proven, and what is missing to write a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import Denied
from tenants.access.values import Proof, SubjectKind
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from tenants.access.values import Session


def list_proven(
    *, has_link: bool, session: Session | None, is_contact: bool, address: str | None = None
) -> frozenset[Proof]:
    """Return what a visitor has proven.

    `is_contact`: the session's address is that of a contact of the invoice's customer. `address`: that of the comment;
    a session of another address proves nothing for it. Proofs hold as long as their session.
    """
    proven = {Proof.LINK} if has_link else set()
    if session is not None and _is_for(session, address):
        if session.email_proven_at is not None:
            proven.add(Proof.EMAIL_CODE)
            if is_contact:
                proven.add(Proof.CONTACT)
        if session.totp_proven_at is not None:
            proven.add(Proof.TOTP)
    return frozenset(proven)


def find_missing_proofs(
    authority: WriteAuthority, proven: AbstractSet[Proof], *, has_authenticator: bool = False
) -> tuple[Proof, ...]:
    """Return what is missing to write a comment, in the order in which it is to be proven; empty if nothing is.

    A contact needs no link. Who has an authenticator has not signed in without it, so that the mode `customer` then
    requires it. Only EMAIL_CODE and TOTP have a challenge: CONTACT follows from EMAIL_CODE, unless no
    contact has the address. Denied("write.closed") if nobody may write.
    """
    if authority.mode is WriteMode.CLOSED:
        raise Denied("write.closed", "Comments on this invoice are closed.")
    access = () if Proof.CONTACT in proven else (Proof.LINK,)
    required = (*access, *_list_required(authority, has_authenticator=has_authenticator))
    return tuple(proof for proof in required if proof not in proven)


def _list_required(authority: WriteAuthority, *, has_authenticator: bool) -> tuple[Proof, ...]:
    """Return what a setting requires beside access to the invoice."""
    if authority.mode is WriteMode.LINK:
        return ()
    needs_contact = authority.mode is WriteMode.CUSTOMER or authority.otp_policy is OtpPolicy.CONTACTS
    contact = (Proof.CONTACT,) if needs_contact else ()
    uses_own = has_authenticator and authority.mode is WriteMode.CUSTOMER
    totp = (Proof.TOTP,) if authority.requires_totp or uses_own else ()
    return (Proof.EMAIL_CODE, *contact, *totp)


def _is_for(session: Session, address: str | None) -> bool:
    return session.subject.kind is SubjectKind.ADDRESS and address in {None, session.subject.id}
