"""Tickets: verified without a query, valid for minutes, and only as they were issued."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.clock import FixedClock
from kernel.errors import Denied
from kernel.ids import WorkspaceId, new_id, new_secret
from kernel.live import TICKET_LIFE, Audience, Ticket, Tickets
from kernel.seals import Sealer

OLD, NEW = ("2025", new_secret()), ("2026", new_secret())


@pytest.fixture
def tickets(clock: FixedClock) -> Tickets:
    return Tickets(Sealer([OLD]), clock)


@pytest.fixture
def ticket(clock: FixedClock) -> Ticket:
    return Ticket(
        WorkspaceId(new_id()),
        new_id(),
        Audience.PUBLIC,
        frozenset({new_id(), new_id()}),
        "https://acme.example",
        clock.now() + TICKET_LIFE,
    )


def change(text: str, index: int) -> str:
    """Flip a bit of a byte."""
    signed = bytearray(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    signed[index] ^= 1
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("viewers", [0, 1, 2])
def test_a_ticket_is_read_as_it_was_issued(
    tickets: Tickets, ticket: Ticket, audience: Audience, viewers: int
) -> None:
    issued = replace(ticket, audience=audience, viewers=frozenset(new_id() for _ in range(viewers)))
    text = tickets.issue(issued)
    assert tickets.read(text) == issued
    # A subprotocol is a token of HTTP.
    assert text.replace("-", "").replace("_", "").isalnum()


def test_a_ticket_ends(tickets: Tickets, ticket: Ticket, clock: FixedClock) -> None:
    text = tickets.issue(ticket)
    clock.advance(TICKET_LIFE - timedelta(seconds=1))
    assert tickets.read(text) == ticket
    clock.advance(timedelta(seconds=1))
    with pytest.raises(Denied, match=r"ticket\.expired"):
        tickets.read(text)


def test_no_ticket_lives_for_more_than_five_minutes(tickets: Tickets, ticket: Ticket) -> None:
    with pytest.raises(ValueError, match="five minutes"):
        tickets.issue(replace(ticket, expires_at=ticket.expires_at + timedelta(seconds=1)))


def test_no_byte_of_a_ticket_can_be_changed(tickets: Tickets, ticket: Ticket) -> None:
    text = tickets.issue(ticket)
    for index in range(len(text) * 3 // 4):
        with pytest.raises(Denied, match=r"ticket\.invalid"):
            tickets.read(change(text, index))


@pytest.mark.parametrize(
    "text", ["", "x", "=", "A" * 44, "A" * 200, "A" * 5000, "ü" * 60, "a b" * 30, "*" * 80]
)
def test_what_is_no_ticket_is_refused(tickets: Tickets, text: str) -> None:
    with pytest.raises(Denied, match=r"ticket\.invalid"):
        tickets.read(text)


def test_a_ticket_has_only_one_text(tickets: Tickets, ticket: Ticket) -> None:
    text = tickets.issue(ticket)
    for other in (f"{text}=", f"{text}\n", f" {text}", f"{text[:9]}.{text[9:]}", text[:-1], f"{text}A"):
        with pytest.raises(Denied, match=r"ticket\.invalid"):
            tickets.read(other)


def test_a_rotation_of_secrets_leaves_tickets_valid_until_the_old_one_is_removed(
    tickets: Tickets, ticket: Ticket, clock: FixedClock
) -> None:
    text = tickets.issue(ticket)
    assert Tickets(Sealer([NEW, OLD]), clock).read(text) == ticket
    with pytest.raises(Denied, match=r"ticket\.invalid"):
        Tickets(Sealer([NEW]), clock).read(text)


def test_the_signature_of_something_else_signs_no_ticket(ticket: Ticket, clock: FixedClock) -> None:
    sealer = Sealer([OLD])
    signed = urlsafe_b64decode((text := Tickets(sealer, clock).issue(ticket)) + "=" * (-len(text) % 4))
    content = signed[:-32]
    forged = urlsafe_b64encode(content + sealer.compute_hash("link", content)).rstrip(b"=").decode()
    with pytest.raises(Denied, match=r"ticket\.invalid"):
        Tickets(sealer, clock).read(forged)
