"""Payments over the Stripe sandbox: each fault on the wire, and each odd currency, ends in one payment or none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernel.money import Money, find_currency
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store.roles import Urls
from ops.sandbox.stripe.faults import Fault, FaultKind
from tenants.connect.currencies import to_stripe_units
from tenants.payments.states import ACTIVE
from tenants.payments.values import EntryKind, PaymentProgress
from tests.fakes.payment_world import World
from tests.fakes.sample_workspaces import build_content

CREATE, CONFIRM = "POST /v1/payment_intents", "POST /v1/payment_intents/*/confirm"
CANCEL, READ = "POST /v1/payment_intents/*/cancel", "GET /v1/payment_intents/*"


@pytest.fixture(scope="module")
def world(urls: Urls, servers: object) -> Iterator[World]:
    """A workspace and its account at a sandbox; each test issues an invoice of its own."""
    settings = Settings.from_environ({"PORTAL_PROFILE": "test"})
    opened = World.open(urls, Sealer(settings.secret_keys))
    yield opened
    assert sorted(set(opened.sandbox.violations)) == []
    opened.close()


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (FaultKind.RATE_LIMIT, CREATE),
        (FaultKind.RATE_LIMIT, CONFIRM),
        (FaultKind.LOCK_TIMEOUT, CONFIRM),
        (FaultKind.ERROR_BEFORE, CREATE),
        (FaultKind.ERROR_BEFORE, CONFIRM),
        (FaultKind.ERROR_STORED, CREATE),
        (FaultKind.ERROR_STORED, CONFIRM),
        (FaultKind.ERROR_AFTER, CREATE),
        (FaultKind.ERROR_AFTER, CONFIRM),
        (FaultKind.DROP_BEFORE, CONFIRM),
        (FaultKind.DROP_AFTER, CREATE),
        (FaultKind.DROP_AFTER, CONFIRM),
    ],
)
def test_after_a_fault_and_a_second_try_the_debt_is_paid_once(
    world: World, kind: FaultKind, match: str, times: int
) -> None:
    world.issue()
    world.sandbox.control.add_fault(Fault(kind, match, times=times))
    world.act(world.pay(11_900))
    world.rest()
    found = world.load_invoice()
    if found.paid < found.total:
        assert isinstance(world.act(world.pay(11_900)), PaymentProgress)
    books = world.sandbox.books.read(world.account_id)
    charged = [books[each.intent_id].charged for each in world.list_attempts() if each.intent_id in books]
    assert charged == [11_900]
    assert [entry.kind for entry in world.list_entries()] == [EntryKind.CHARGE]
    assert not [each for each in world.list_attempts() if each.state in ACTIVE]


@pytest.mark.parametrize("match", [CANCEL, READ])
def test_a_cancellation_or_reading_that_fails_is_made_up_for_by_the_next_check(
    world: World, match: str
) -> None:
    world.issue()
    world.act(world.pay(11_900, "action"))
    (attempt,) = world.list_attempts()
    world.sandbox.control.add_fault(Fault(FaultKind.ERROR_BEFORE, match, times=2))
    world.act(world.check(attempt.attempt_id, expires=match is CANCEL))
    assert world.load_invoice().held.minor == 11_900
    world.rest()
    assert world.load_invoice().held.minor == 0


@pytest.mark.parametrize(
    ("code", "price", "units"),
    [
        ("JPY", "5000", 5_950),
        ("KWD", "100", 119_000),
        ("ISK", "5000", 595_000),
        ("UGX", "50000", 5_950_000),
        ("HUF", "5000", 595_000),
    ],
)
def test_a_currency_of_other_digits_is_charged_in_stripes_units_and_booked_in_its_own(
    world: World, code: str, price: str, units: int
) -> None:
    world.issue(build_content(price, currency_code=code))
    found = world.load_invoice()
    assert to_stripe_units(found.total) == units
    assert isinstance(world.act(world.pay(found.total)), PaymentProgress)
    (attempt,) = world.list_attempts()
    books = world.sandbox.books.read(world.account_id)[attempt.intent_id or ""]
    assert (books.currency, books.charged) == (code.lower(), units)
    assert world.load_invoice().paid == Money(found.total.minor, find_currency(code))
