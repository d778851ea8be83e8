"""Whose a comment is, and until when it may be changed."""

from __future__ import annotations

import datetime as dt
from hmac import compare_digest

from tenants.access.values import Proof
from tenants.comments.values import EDIT_WINDOW, Author, Comment, Side


def is_own(comment: Comment, author: Author) -> bool:
    """Tell whether an author wrote a comment.

    A customer: with the same address proven, or without a proof in the same browser. Staff: under the same name.
    """
    if comment.side is not author.side:
        return False
    if author.side is Side.STAFF:
        return comment.author_name == author.name
    return was_written_by(
        comment,
        browser_hash=author.browser_hash,
        proven_email=author.email if Proof.EMAIL_CODE in author.proofs else "",
    )


def was_written_by(comment: Comment, *, browser_hash: bytes | None, proven_email: str = "") -> bool:
    """Tell whether a customer's comment was written by whoever has proven this address, or else in this browser."""
    if comment.side is not Side.CUSTOMER:
        return False
    if Proof.EMAIL_CODE in comment.proofs:
        # Another person in the same browser must not speak under an address that somebody has proven.
        return proven_email != "" and proven_email == comment.author_email
    if not browser_hash or not comment.browser_hash:
        return False
    return compare_digest(browser_hash, comment.browser_hash)


def is_editable(comment: Comment, now: dt.datetime) -> bool:
    """Tell whether the author may still change a comment."""
    return comment.deleted_at is None and now < comment.created_at + EDIT_WINDOW
