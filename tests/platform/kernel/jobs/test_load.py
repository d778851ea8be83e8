"""How long whoever comes next will wait: more with every job before it, less with every slot, never nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.jobs.load import Load

LOADS = st.builds(
    Load, depth=st.integers(0, 10_000), service_s=st.floats(0.0, 60.0), slots=st.integers(1, 1000)
)


@given(LOADS, st.integers(1, 500))
def test_more_before_it_is_later_and_more_slots_are_sooner(load: Load, more: int) -> None:
    wait_s = load.wait_s
    assert wait_s is not None
    assert wait_s >= max(1, load.service_s)
    longer = Load(load.depth + more, load.service_s, load.slots).wait_s
    wider = Load(load.depth, load.service_s, load.slots + more).wait_s
    assert longer is not None
    assert wider is not None
    assert wider <= wait_s <= longer
    # Whole rounds of all slots, and its own turn.
    assert abs(wait_s - (load.depth / load.slots + 1) * load.service_s) <= 1


@given(st.integers(0, 10_000), st.floats(0.0, 60.0))
def test_nobody_knows_while_nobody_works(depth: int, service_s: float) -> None:
    assert Load(depth, service_s, 0).wait_s is None
