from __future__ import annotations

import logging

import pytest
from prefect_worklets.flows.quickness import QUICK_NS, SLOW_NS, STALL_NS, Pace

QUICK, SLOW = QUICK_NS // 10, SLOW_NS * 3


def settle(pace: Pace, took_ns: int, calls: int) -> None:
    for _ in range(calls):
        (pace.on_loop if pace.quick else pace.in_thread)(took_ns)


def test_it_begins_in_a_thread_and_moves_after_five_quick_calls() -> None:
    pace = Pace()
    settle(pace, QUICK, 4)
    assert not pace.quick
    settle(pace, QUICK, 1)
    assert pace.quick


def test_slow_calls_keep_it_in_the_thread() -> None:
    pace = Pace()
    settle(pace, SLOW, 50)
    assert not pace.quick


def test_a_mix_needs_more_quick_calls() -> None:
    pace = Pace()
    for _ in range(20):
        pace.in_thread(SLOW)
        pace.in_thread(QUICK)
        pace.in_thread(QUICK)
    assert not pace.quick


def test_turned_slow_it_moves_off_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    pace = Pace(True, "node 'x'")
    with caplog.at_level(logging.WARNING):
        settle(pace, SLOW, 20)
    assert not pace.quick
    assert "node 'x' turned slow" in caplog.text


def test_one_pause_is_no_habit() -> None:
    pace = Pace(True)
    for _ in range(100):
        settle(pace, QUICK, 9)
        pace.on_loop(STALL_NS - 1)
    assert pace.quick


def test_a_stall_moves_it_off_at_once_and_the_proof_gets_longer() -> None:
    pace = Pace(True)
    pace.on_loop(STALL_NS + 1)
    assert not pace.quick
    settle(pace, QUICK, 19)
    assert not pace.quick
    settle(pace, QUICK, 1)
    assert pace.quick


def test_never_quick_stays_in_threads() -> None:
    pace = Pace(False)
    settle(pace, QUICK, 100)
    assert not pace.quick
