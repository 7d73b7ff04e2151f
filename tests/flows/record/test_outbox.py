"""The outbox: which runs come next, what is left out, what is known of a worklet."""

from __future__ import annotations

import pytest
from prefect_worklets.connectors.store import Store
from prefect_worklets.connectors.tables import WorkletVersion
from prefect_worklets.flows.outbox import BEGUN, SAMPLED_OUT, Outbox
from record_runs import add_runs, add_worklet, make_record, rows_of
from sqlmodel import select


class TestNextRows:
    def test_the_oldest_come_first(self, store: Store) -> None:
        records = [make_record(started_us=1000 - number) for number in range(10)]
        add_runs(store, records)
        rows = Outbox(store).next_rows(4, set())
        assert [row.started_us for row in rows] == [991, 992, 993, 994]

    def test_what_is_in_hand_or_recorded_does_not_come(self, store: Store) -> None:
        records = [make_record(started_us=number) for number in range(4)]
        add_runs(store, records)
        outbox = Outbox(store)
        outbox.mark([records[0].id])
        assert [row.id for row in outbox.next_rows(10, {records[1].id})] == [records[2].id, records[3].id]

    def test_when_behind_failures_come_first(self, store: Store) -> None:
        records = [
            make_record(started_us=number, state="failed" if number > 7 else "completed") for number in range(10)
        ]
        add_runs(store, records)
        assert [row.started_us for row in Outbox(store).next_rows(4, set())] == [8, 9, 0, 1]

    def test_what_was_begun_comes_before_all(self, store: Store) -> None:
        records = [make_record(started_us=number) for number in range(3)]
        add_runs(store, records)
        outbox = Outbox(store)
        outbox.mark([records[2].id], BEGUN)
        assert outbox.next_rows(10, set())[0].id == records[2].id


def test_sampling_keeps_failures_and_marks_what_is_left_out(store: Store) -> None:
    add_runs(store, [make_record(state="failed" if number % 10 == 0 else "completed") for number in range(100)])
    outbox = Outbox(store)
    assert outbox.backlog() == 100
    assert outbox.sample_out(60) == 60
    assert outbox.backlog() == 40
    left_out = [row for row in rows_of(store) if row.recorded_us == SAMPLED_OUT]
    assert len(left_out) == 60
    assert {row.state for row in left_out} == {"completed"}
    assert outbox.sample_out(1000) == 30  # the failed ones stay


class TestWorklets:
    def test_live_ones_and_their_graphs(self, store: Store) -> None:
        add_worklet(store, "iris")
        outbox = Outbox(store)
        assert outbox.live_worklets() == [("iris", 1)]
        graph = outbox.graph("iris", 1)
        assert graph is not None
        assert graph.edges == [("prepare", "model"), ("model", "label")]
        assert outbox.graph("iris", 2) is None

    def test_a_graph_that_can_not_be_read_is_none(self, sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
        add_worklet(sqlite_store, "iris")
        with sqlite_store.session() as session:
            session.exec(select(WorkletVersion)).one().graph = {"name": 5}
        assert Outbox(sqlite_store).graph("iris", 1) is None
        assert "iris" in caplog.text
