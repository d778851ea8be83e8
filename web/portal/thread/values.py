"""The values that the thread and its composer print: complete strings in the customer's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# The templates explain each field (web/templates/thread.html.jinja, composer.html.jinja). The thread is rendered for
# many visitors and cached, and so is the composer before anything was typed. What belongs to one response is a slot
# (web/http/sections.py): the path of the invoice, the form token, `client_id`, and all that somebody typed. A template
# prints a slot unchanged and never asks whether it is empty: `has_…` and `is_…` say that.


class Challenge(StrEnum):
    """What the composer asks for beside the text."""

    NONE = ""
    CODE = "code"
    """The code that was sent to the address."""
    TOTP = "totp"
    """The code of the authenticator."""
    ENROL = "enrol"
    """An authenticator that is not set up yet."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a comment: text, or a link if `url` is not empty."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class CommentModel:
    """A comment, or what is left of one that was deleted."""

    id: str
    seq: int  # its place in the customers' stream: what the beacon of the seen mark names
    side: str
    name: str
    side_words: str
    is_own: bool
    proof_mark: str
    proof_reason: str
    time_text: str
    time_iso: str
    time_exact: str
    parts: tuple[Part, ...]
    body: str
    is_edited: bool
    is_deleted: bool
    deleted_words: str
    can_edit: bool
    editable_until_iso: str
    edit_url: str
    delete_url: str
    error: str


@dataclass(frozen=True, slots=True)
class SeenModel:
    """The newest comment of the customer's side that the staff has seen, and when."""

    id: str
    words: str
    text: str
    iso: str
    exact: str


@dataclass(frozen=True, slots=True)
class ThreadModel:
    """Everything `thread.html.jinja` prints."""

    url: str
    seen_url: str
    epoch: str
    seq: int
    token: str
    count: int
    link_words: str
    staff_name: str
    is_resolved: bool
    seen: SeenModel | None
    comments: tuple[CommentModel, ...]


@dataclass(frozen=True, slots=True)
class ComposerModel:
    """Everything `composer.html.jinja` prints."""

    is_closed: bool
    closed_words: str
    action: str
    forget_url: str
    token: str
    client_id: str
    invoice_id: str
    is_known: bool
    is_remembered: bool
    name: str
    email: str
    body: str
    errors: Mapping[str, str]
    hint: str
    challenge: Challenge
    challenge_words: str
    enrol_url: str
    staff_name: str
