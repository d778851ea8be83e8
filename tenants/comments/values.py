"""Comments, their authors and threads as they are read, and the limits of what is written."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kernel.live import Cursor
from tenants.access.values import Proof
from tenants.ids import CommentId, InvoiceId, LinkId, SessionId

#: Of a comment, in characters (code points), after cleaning.
MAX_LENGTH: Final = 4000
MAX_NAME_LENGTH: Final = 200
#: Of the customer's side on one invoice: a thread is loaded and rendered as a whole.
MAX_COMMENTS: Final = 500
#: An author may change a comment for so long.
EDIT_WINDOW: Final = dt.timedelta(minutes=5)


class Side(StrEnum):
    """The two sides of a thread; the values are stored."""

    CUSTOMER = "customer"
    STAFF = "staff"

    @property
    def other(self) -> Side:
        """The side that is addressed."""
        return Side.STAFF if self is Side.CUSTOMER else Side.CUSTOMER


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and what was proven. With Proof.EMAIL_CODE `email` is the address that was proven.

    `browser_hash` is the keyed hash of the browser's anonymous session; None for staff, as `link_id` and `session_id`.
    """

    side: Side
    name: str
    email: str = ""
    proofs: frozenset[Proof] = frozenset()
    browser_hash: bytes | None = field(default=None, repr=False)
    link_id: LinkId | None = None
    session_id: SessionId | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, or an internal note. `body` is empty once it is deleted.

    `staff_seq` and `public_seq` are the place of its creation in the stream. Customers are shown `public_seq` alone:
    `staff_seq` counts notes too. A note has no `public_seq`.
    """

    comment_id: CommentId
    side: Side
    is_internal: bool
    author_name: str
    author_email: str
    proofs: frozenset[Proof]
    body: str
    created_at: dt.datetime
    edited_at: dt.datetime | None
    deleted_at: dt.datetime | None
    deleted_by: Side | None
    staff_seq: int
    public_seq: int | None
    browser_hash: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PostedComment:
    """A stored comment; `is_new` is False if the same `client_id` had stored it before."""

    comment: Comment
    is_new: bool


@dataclass(frozen=True, slots=True)
class ThreadView:
    """The thread of an invoice as an audience sees it, the oldest comment first, at one moment.

    Each `…_seen_seq` is the `staff_seq` of the newest comment of the other side that this side has seen; 0 for none.
    `cursor` is None before the stream is created.
    """

    cursor: Cursor | None
    comments: tuple[Comment, ...]
    customer_seen_seq: int
    customer_seen_at: dt.datetime | None
    staff_seen_seq: int
    staff_seen_at: dt.datetime | None
    resolved_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """A thread in the list of the staff. `unread` counts comments of the customer that the staff has not seen."""

    invoice_id: InvoiceId
    number: str | None
    customer_name: str
    posted_at: dt.datetime
    """When the newest comment or note was written."""
    comments: int
    unread: int
    resolved_at: dt.datetime | None
