"""What is said about the demo's invoices, who may write there, and the people at Acme Studio's customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pyotp.totp import TOTP

from kernel.clock import Clock, FixedClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.store import Database
from ops.seed.businesses import OAKRIDGE
from tenants.access import actions as access
from tenants.access.queries import find_authenticator
from tenants.access.values import Proof, Subject, SubjectKind
from tenants.comments.actions import post_comment
from tenants.comments.values import Author, Side
from tenants.customers.actions import add_contact
from tenants.customers.queries import list_contacts
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions import set_write_authority
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode

ANA: Final = (OAKRIDGE.contact_name, OAKRIDGE.email)
#: Has an authenticator; demo.json holds its key.
MARCO: Final = ("Marco Reyes", "marco.reyes@oakridge.example")
_STAFF: Final = "Dana Whitfield"


@dataclass(frozen=True, slots=True)
class SeededComment:
    """A comment, written so long ago."""

    side: Side
    text: str
    hours_ago: int
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class SeededThread:
    """The write authority of an invoice, if it has its own, and what is said about it."""

    authority: WriteAuthority | None
    comments: tuple[SeededComment, ...] = ()


#: By the tag of the invoice.
THREADS: Final = {
    "write-link": SeededThread(
        None,
        (
            SeededComment(
                Side.CUSTOMER,
                "Hello Dana, the wayfinding signs arrived today and they look wonderful.\n\n"
                "One question: was the reprint of sign 14 meant to be part of this invoice?",
                50,
            ),
            SeededComment(
                Side.STAFF,
                "Sign 14 was our mistake: asked print to redo it at our cost.",
                49,
                is_internal=True,
            ),
            SeededComment(
                Side.STAFF,
                "Hello Ana, no: the reprint is at our cost. The proofs of all signs are at "
                "https://acme.example/proofs/oakridge if you want to compare.",
                48,
            ),
            SeededComment(Side.CUSTOMER, "Perfect, thank you. I have passed it on for payment.", 3),
        ),
    ),
    "write-otp": SeededThread(WriteAuthority.create(WriteMode.OTP)),
    "write-customer": SeededThread(WriteAuthority.create(WriteMode.CUSTOMER)),
    "write-otp-totp": SeededThread(
        WriteAuthority.create(WriteMode.OTP, requires_totp=True, otp_policy=OtpPolicy.CONTACTS)
    ),
    "write-customer-totp": SeededThread(WriteAuthority.create(WriteMode.CUSTOMER, requires_totp=True)),
    "write-closed": SeededThread(WriteAuthority.create(WriteMode.CLOSED)),
}


async def add_missing_contacts(customer_id: CustomerId, *, clock: Clock) -> None:
    """Add the people of the customer who may sign in."""
    known = {contact.email for contact in await list_contacts(customer_id)}
    for name, email in (ANA, MARCO):
        if email not in known:
            await add_contact(customer_id, email=email, name=name, clock=clock)


async def write_thread(invoice_id: InvoiceId, thread: SeededThread, *, clock: Clock) -> None:
    """Set who may write about an invoice, and write what is said about it."""
    if thread.authority is not None:
        await set_write_authority(invoice_id, thread.authority)
    for comment in thread.comments:
        await post_comment(
            invoice_id,
            _build_author(comment.side),
            comment.text,
            client_id=new_id().hex,
            clock=FixedClock(clock.now() - dt.timedelta(hours=comment.hours_ago)),
            is_internal=comment.is_internal,
        )


def list_threads(tags: tuple[str, ...]) -> Iterator[SeededThread]:
    """Yield the thread of an invoice with these tags, if it has one."""
    yield from (THREADS[tag] for tag in tags if tag in THREADS)


async def set_up_authenticator(
    database: Database, workspace_id: WorkspaceId, *, sealer: Sealer, clock: Clock
) -> str:
    """Give Marco a new authenticator and return its key: of an earlier run only the sealed one is known."""
    subject = Subject(SubjectKind.ADDRESS, MARCO[1])
    async with database.scope(workspace_id):
        if await find_authenticator(subject) is not None:
            await access.remove_authenticator(subject)
        enrolment = await access.begin_enrolment(subject, sealer=sealer)
    # The step before the present one is accepted too, and leaves the present one to whoever signs in next.
    code = TOTP(enrolment.secret).at(clock.now() - dt.timedelta(seconds=30))
    await access.confirm_enrolment(database, workspace_id, subject, code, sealer)
    return enrolment.secret


def _build_author(side: Side) -> Author:
    if side is Side.STAFF:
        return Author(side, _STAFF)
    name, email = ANA
    return Author(side, name, email, frozenset({Proof.LINK}))
