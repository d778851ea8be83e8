"""What was revoked stays refused as long as a ticket can be valid, and is forgotten then."""

from __future__ import annotations

from datetime import timedelta

from kernel.clock import FixedClock
from kernel.ids import new_id
from kernel.live import TICKET_LIFE
from kernel.live.revocations import Revocations

SECOND = timedelta(seconds=1)


def test_a_viewer_is_refused_while_a_ticket_of_it_can_be_valid(clock: FixedClock) -> None:
    revocations, viewer = Revocations(clock), new_id()
    revocations.add(viewer)
    clock.advance(TICKET_LIFE - SECOND)
    assert revocations.cover({new_id(), viewer})
    clock.advance(SECOND)
    assert not revocations.cover({viewer})


def test_the_next_revocation_forgets_those_that_are_over(clock: FixedClock) -> None:
    revocations, again = Revocations(clock), new_id()
    for viewer in (again, new_id(), new_id()):
        revocations.add(viewer)
    clock.advance(TICKET_LIFE / 2)
    revocations.add(again)
    assert len(revocations) == 3
    clock.advance(TICKET_LIFE / 2)
    revocations.add(new_id())
    assert len(revocations) == 2
    assert revocations.cover({again})
