"""The wait for a new job: longer with each job before it, shorter with each slot, never zero."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.jobs.load import Load

LOADS = st.builds(
    Load, depth=st.integers(0, 10_000), service_s=st.floats(0.0, 60.0), slots=st.integers(1, 1000)
)


@given(LOADS, st.integers(1, 500))
def test_more_jobs_wait_longer_and_more_slots_shorten_the_wait(load: Load, more: int) -> None:
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
def test_without_workers_the_wait_is_unknown(depth: int, service_s: float) -> None:
    assert Load(depth, service_s, 0).wait_s is None
