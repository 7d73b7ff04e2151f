from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect_worklets.connectors.meters import BOUNDS, Meter, Meters


def test_nothing_yet():
    assert Meter().count == 0
    assert Meter().quantile(0.5) is None


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_the_bound_above_that_share(durations, share):
    meter = Meter()
    for seconds in durations:
        meter.add(seconds)
    found = meter.quantile(share)
    assert meter.count == len(durations)
    assert meter.seconds == pytest.approx(sum(durations))
    below = sum(seconds <= found for seconds in durations)
    assert below >= share * len(durations) - 1e-9
    assert found == float("inf") or found in BOUNDS


def test_by_key():
    meters: Meters[tuple[str, str]] = Meters()
    meters.add(("a", "completed"), 0.1)
    meters.add(("a", "completed"), 0.2)
    meters.add(("a", "failed"), 0.2)
    assert {key: meter.count for key, meter in meters.items()} == {("a", "completed"): 2, ("a", "failed"): 1}
